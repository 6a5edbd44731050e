"""Order in which solid boxes are drawn: a box that hides another one comes after it.

Sorting by distance fails beside long walls and large houses. Two boxes that do not meet are
separated by a side of one of them, in nearly all cases, and then the one on the other side of it
than the viewer cannot hide the one on the viewer's side: an exact answer for each pair, however
long the boxes are (M. E. Newell, R. G. Newell, T. L. Sancha, 1972, for polygons).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ['depth_order']

_EXACT = 72  # boxes that are compared in pairs; the farther ones are sorted by distance alone
_TOUCH_M = 0.02


def depth_order(
    centre: NDArray[np.float64],
    axes: NDArray[np.float64],
    extent: NDArray[np.float64],
    corners: NDArray[np.float64],
    rectangles: NDArray[np.float64],
    eye: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Sort boxes so that drawing one after the other hides what must be hidden.

    Args:
        centre: (M, 3) of the boxes, metres.
        axes: (M, 3, 3), row i is the direction of the box's own axis i.
        extent: (M, 3) half sizes, metres.
        corners: (M, 8, 3).
        rectangles: (M, 4) left, top, right and bottom of the box in the image.
        eye: (3,) place of the camera.

    Returns:
        (M,) indices, the box to draw first in front.
    """
    local = np.abs(np.einsum('mij,mj->mi', axes, eye - centre)) - extent
    distance = np.linalg.norm(local.clip(min=0.0), axis=1)
    by_distance = np.argsort(-distance, kind='stable')
    far, near = by_distance[:-_EXACT], by_distance[-_EXACT:]
    hides = _may_hide(centre[near], axes[near], extent[near], corners[near], eye)
    left, top, right, bottom = rectangles[near].T
    hides &= (left[:, None] < right) & (left < right[:, None])
    hides &= (top[:, None] < bottom) & (top < bottom[:, None])
    np.fill_diagonal(hides, False)
    # Boxes that reach into each other: the nearer one, which stands later, hides the other.
    hides &= ~(hides.T & np.triu(np.ones_like(hides)))
    waiting = np.ones(len(near), np.bool_)
    hidden_left = hides.sum(axis=1)  # of the boxes still waiting, how many each may hide
    order = []
    for _ in range(len(near)):
        free = waiting & (hidden_left == 0)
        following = int((free if free.any() else waiting).argmax())
        order.append(following)
        waiting[following] = False
        hidden_left -= hides[:, following]
    return np.concatenate([far, near[np.array(order, np.intp)]])


def _may_hide(
    centre: NDArray[np.float64],
    axes: NDArray[np.float64],
    extent: NDArray[np.float64],
    corners: NDArray[np.float64],
    eye: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return (M, M): whether box a may stand between the eye and box b."""
    count = len(centre)
    flat = axes.reshape(-1, 3)
    middle = np.einsum('mij,mj->mi', axes, centre).reshape(-1)
    along = (corners.reshape(-1, 3) @ flat.T - middle).reshape(count, 8, count, 3)
    low, high = along.min(axis=1), along.max(axis=1)  # (b, a, axis): extent of b along a's axes
    here = (flat @ eye - middle).reshape(count, 3)
    beyond = low >= extent - _TOUCH_M
    before = high <= _TOUCH_M - extent
    past, short = here > extent, here < -extent
    # b lies beyond a side of a. With the eye beyond it as well a cannot hide b, otherwise b
    # cannot hide a.
    a_harmless = ((beyond & past) | (before & short)).any(axis=2).T
    b_harmless = ((beyond & ~past) | (before & ~short)).any(axis=2)
    return ~(a_harmless | b_harmless)
