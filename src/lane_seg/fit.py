"""How a camera image of any size is laid into the model's input, and its mask laid back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ['FITS', 'Fit', 'Placement', 'Region', 'placement']

Fit = Literal['stretch', 'crop', 'letterbox']
FITS: tuple[str, ...] = get_args(Fit)


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels: rows top..bottom, columns left..right (ends exclusive)."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the rectangle in an array of shape (H, W, ...)."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


@dataclass(frozen=True)
class Placement:
    """Which part of the image goes to which part of the model's input.

    Attributes:
        image: the part of the camera image that the model sees.
        tensor: the part of the model's input that it fills.
    """

    image: Region
    tensor: Region


def placement(fit: Fit, image_hw: tuple[int, int], tensor_hw: tuple[int, int]) -> Placement:
    """Place an image of `image_hw` in a model input of `tensor_hw`; sizes are (height, width).

    stretch: whole image to whole input, aspect ratio given up.
    crop: the largest part of the image with the input's aspect ratio, centred from left to right
        and taken from the bottom: the road is there, the sky is not.
    letterbox: whole image, aspect ratio kept, grey bars around it.
    """
    image_height, image_width = image_hw
    tensor_height, tensor_width = tensor_hw
    whole_image = Region(0, 0, image_height, image_width)
    whole_tensor = Region(0, 0, tensor_height, tensor_width)
    if fit == 'stretch':
        return Placement(whole_image, whole_tensor)
    if fit == 'crop':
        height = min(image_height, max(1, round(image_width * tensor_height / tensor_width)))
        width = min(image_width, max(1, round(image_height * tensor_width / tensor_height)))
        part = Region(image_height - height, (image_width - width) // 2, height, width)
        return Placement(part, whole_tensor)
    scale = min(tensor_height / image_height, tensor_width / image_width)
    height = min(tensor_height, max(1, round(image_height * scale)))
    width = min(tensor_width, max(1, round(image_width * scale)))
    part = Region((tensor_height - height) // 2, (tensor_width - width) // 2, height, width)
    return Placement(whole_image, part)
