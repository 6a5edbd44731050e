"""Labels over their images: classes in colour, choices in stripes, ignored pixels hatched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg_train.data_tools.meanings import members
from lane_seg_train.label_sets import ANY_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lane_seg_train.label_sets import LabelTable

__all__ = ['LabelPainter']

Colour = tuple[int, int, int]

OPACITY = 0.7
# Of a choice that includes a class without colour, such as background: it is most of the picture.
FAINT_OPACITY = 0.2
HATCH: Colour = (225, 225, 225)
HATCH_OPACITY, VEIL_OPACITY = 0.7, 0.35
COLOUR_LEFT = 0.35  # of the image's own colours, so that class colours stand out
DIMMED = 0.8
STRIPE = 8  # pixels of the panel


class LabelPainter:
    """Draws targets of one data set.

    Args:
        table: what the target ids mean.
        colours: (B, G, R) of each class; black ones are not drawn.
    """

    def __init__(self, table: LabelTable, colours: Sequence[Colour]) -> None:
        self._colours = np.zeros((256, 3), np.float32)
        self._colours[: len(colours)] = colours
        self._choices = {
            target: members(table, target)
            for target in range(len(table.classes), ANY_ID)
            if len(members(table, target)) > 1
        }
        self._is_faint = np.zeros(256, np.bool_)
        for target, inside in self._choices.items():
            self._is_faint[target] = not self._colours[inside].any(axis=1).all()

    def draw(
        self,
        image: NDArray[np.uint8],
        target: NDArray[np.uint8],
        size: tuple[int, int],
    ) -> NDArray[np.uint8]:
        """Draw a target over its image, scaled to a panel.

        It is drawn at the image's own size and then scaled, so that a line of one pixel stays
        visible, as a faint one.

        Args:
            image: (H, W, 3) uint8 BGR.
            target: (H, W) uint8 target ids.
            size: (height, width) of the panel in pixels.

        Returns:
            (height, width, 3) uint8 BGR.
        """
        times = max(1, -(-size[1] // image.shape[1]))
        if times > 1:
            larger = (image.shape[1] * times, image.shape[0] * times)
            image = np.asarray(cv2.resize(image, larger, interpolation=cv2.INTER_LINEAR), np.uint8)
            target = np.asarray(
                cv2.resize(target, larger, interpolation=cv2.INTER_NEAREST), np.uint8
            )
        stripe = max(2, round(STRIPE * image.shape[1] / size[1]))
        drawn = self._blended(image, target, stripe)
        return np.asarray(
            cv2.resize(drawn, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8
        )

    def swatch(self, target: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """What a target id looks like over dark grey, (height, width, 3) uint8 BGR."""
        paper = np.full((*size, 3), 70, np.uint8)
        return self._blended(paper, np.full(size, target, np.uint8), 5, opacity=0.95)

    def _blended(
        self,
        image: NDArray[np.uint8],
        target: NDArray[np.uint8],
        stripe: int,
        *,
        opacity: float = OPACITY,
    ) -> NDArray[np.uint8]:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None].astype(np.float32)
        shown = DIMMED * (grey + COLOUR_LEFT * (image - grey))
        rows, columns = np.ogrid[: target.shape[0], : target.shape[1]]
        ids = target
        if np.isin(target, list(self._choices)).any():
            number = (rows - columns) // stripe
            ids = target.copy()
            for choice, inside in self._choices.items():
                here = target == choice
                ids[here] = np.array(inside, np.uint8)[number[here] % len(inside)]
        colour = self._colours[ids]
        opacities = np.where(self._is_faint, min(opacity, FAINT_OPACITY), opacity)
        weight = np.where(colour.any(axis=-1), opacities[target], 0).astype(np.float32)
        unknown = target == ANY_ID
        if unknown.any():
            # The other way than stripes, and thinner.
            lines = (rows + columns) % (2 * stripe) < max(1, stripe // 2)
            colour[unknown] = HATCH
            weight[unknown] = np.where(lines, HATCH_OPACITY, 0)[unknown]
            shown[unknown] = (1 - VEIL_OPACITY) * grey[unknown] * DIMMED + VEIL_OPACITY * 110
        return np.round(shown + (colour - shown) * weight[..., None]).astype(np.uint8)
