"""From the model's outputs to a mask and a confidence of the camera image's own size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.fit import placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg.fit import Fit

__all__ = ['UNLABELED_ID', 'confidence_from_output', 'mask_from_output']

UNLABELED_ID = 255


def mask_from_output(
    output: NDArray[np.uint8],
    image_hw: tuple[int, int],
    fit: Fit = 'stretch',
    *,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Lay the model's class ids back over the camera image.

    Only nearest-neighbour scaling is allowed, for class ids must not be mixed, and it has to read
    at pixel centres: OpenCV's INTER_NEAREST moves a mask up and left by half a pixel.

    Args:
        output: (height, width) uint8 class ids at the model's size.
        image_hw: the camera image's (height, width) in pixels.
        fit: the fit that `tensor_from_image` used.
        out: (H, W) uint8 buffer to fill, or None for a new one.

    Returns:
        (H, W) uint8 class ids; pixels that the model did not see (fit 'crop') are 255.
    """
    if out is None:
        out = np.empty(image_hw, np.uint8)
    place = placement(fit, image_hw, (output.shape[0], output.shape[1]))
    part = output[place.tensor.slices]
    height, width = place.image.height, place.image.width
    wide = cv2.resize(part, (width, part.shape[0]), interpolation=cv2.INTER_NEAREST_EXACT)
    # Copying whole rows is more than twice as fast as letting cv2.resize place each pixel.
    rows = (2 * np.arange(height) + 1) * part.shape[0] // (2 * height)
    if (height, width) == image_hw:
        np.take(wide, rows, axis=0, out=out, mode='clip')
        return out
    out[...] = UNLABELED_ID
    out[place.image.slices] = wide[rows]
    return out


def confidence_from_output(
    output: NDArray[np.uint8],
    image_hw: tuple[int, int],
    fit: Fit = 'stretch',
    *,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Lay the model's confidence back over the camera image, bilinear: it may be mixed.

    Args:
        output: (height, width) uint8 at the model's size, 255 for certain.
        image_hw: the camera image's (height, width) in pixels.
        fit: the fit that `tensor_from_image` used.
        out: (H, W) uint8 buffer to fill, or None for a new one.

    Returns:
        (H, W) uint8, 255 for certain; pixels that the model did not see (fit 'crop') are 0.
    """
    if out is None:
        out = np.empty(image_hw, np.uint8)
    place = placement(fit, image_hw, (output.shape[0], output.shape[1]))
    part = output[place.tensor.slices]
    size = (place.image.width, place.image.height)
    if size == (image_hw[1], image_hw[0]):
        cv2.resize(part, size, dst=out, interpolation=cv2.INTER_LINEAR)
        return out
    out[...] = 0
    out[place.image.slices] = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
    return out
