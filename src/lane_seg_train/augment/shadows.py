"""Hard shadows on the street."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg_train.augment.view import View, blotches

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['shadow']

_GROUND = 256  # pixels a side of the plan of the street that shadows are drawn in
_GROUND_M = 24.0  # its width in metres, and its length
_CAMERA_M = 1.5  # height of the camera above the street


def shadow(image: NDArray[np.uint8], view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cast shadows on the street: of a tree with light between its leaves, of poles, of a house.

    Args:
        image: (H, W, 3) uint8 BGR.
        view: where the street is.
        rng: source of chance.

    Returns:
        A new image of the same kind, nowhere brighter.
    """
    plan = (_leaves, _bars, _polygon)[rng.integers(3)](rng)
    height, width = image.shape[:2]
    top = min(max(math.ceil(view.row + 0.06 * view.drop), 0), height - 1)
    cover = cv2.warpPerspective(
        plan, _plan_from_street(view, top), (width, height - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    softness = max(rng.uniform(0.6, 2.5) * height / 256, 0.3)
    cover = cv2.GaussianBlur(cover, (0, 0), softness)
    # Far away, where shadows are thinner than a pixel, they fade.
    rows = np.arange(height - top, dtype=np.float32)[:, None]
    cover = (cover * np.minimum((rows + 1) / (0.15 * view.drop), 1)).astype(np.uint8)
    # The sky lights a shadow, so it is a little blue.
    left = rng.uniform(0.28, 0.75) * np.array([1.0, 0.96, 0.92])
    table = np.rint(255 * (1 - np.arange(256)[:, None] / 255 * (1 - left))).astype(np.uint8)
    shaded = image.copy()
    stays = cv2.LUT(cv2.merge([cover] * 3), table[None])
    shaded[top:] = cv2.multiply(image[top:], stays, scale=1 / 255)
    return shaded


def _plan_from_street(view: View, top: int) -> NDArray[np.float64]:
    """Homography (3, 3) from pixels of the picture below row `top` to pixels of the plan.

    With a level street a pixel sees the ground
    camera height * (column - vanishing column) / (row - horizon) to the side and
    camera height * focal length / (row - horizon) ahead.
    """
    scale = _GROUND / _GROUND_M
    horizon = view.row - top
    ahead_m = 0.8 * view.width * _CAMERA_M
    start_m = ahead_m / view.drop
    side = scale * _CAMERA_M
    return np.array(
        [
            [side, _GROUND / 2, -side * view.column - _GROUND / 2 * horizon],
            [0, -scale * start_m, scale * (ahead_m + start_m * horizon)],
            [0, 1, -horizon],
        ]
    )


def _leaves(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Crowns of trees: large patches with spots of light in them."""
    shape = (_GROUND, _GROUND)
    crowns = blotches(shape, (int(rng.integers(4, 9)), int(rng.integers(3, 7))), rng)
    twigs = blotches(shape, (int(rng.integers(30, 80)),) * 2, rng)
    dense = np.clip(8 * (crowns - rng.uniform(0.2, 0.5)), 0, 1)
    spots = np.clip(rng.uniform(3, 8) * (twigs - rng.uniform(0.1, 0.5)), 0, 1)
    return np.asarray(255 * dense * spots, np.uint8)


def _bars(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Poles, trunks and fences: parallel bars across the street."""
    plan = np.zeros((_GROUND, _GROUND), np.uint8)
    slope = rng.normal(0, 0.5)
    for _ in range(int(rng.integers(2, 9))):
        row, rise = rng.uniform(0, 0.6) * _GROUND, slope * _GROUND / 2
        wide_m = math.exp(rng.uniform(-2, 0.5))
        cv2.line(
            plan, (0, int(row - rise)), (_GROUND, int(row + rise)), 255,
            int(wide_m * _GROUND / _GROUND_M) + 1,
        )  # fmt: skip
    return plan


def _polygon(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A house, a bridge or a lorry: one convex polygon."""
    plan = np.zeros((_GROUND, _GROUND), np.uint8)
    count = int(rng.integers(4, 7))
    angles = (np.arange(count) + rng.random(count)) * (2 * math.pi / count)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    sizes = rng.uniform(0.1, 0.5, 2) * rng.uniform(0.6, 1, (count, 1))
    corners = (rng.uniform((0.3, 0.05), (0.7, 0.5)) + sizes * around) * _GROUND
    cv2.fillConvexPoly(plan, cv2.convexHull(corners.astype(np.int32)), 255)
    return plan
