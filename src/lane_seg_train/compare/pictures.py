"""Image, float, int8 and their difference side by side, of the images that differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.overlay import draw_mask
from lane_seg.postprocess import mask_from_output
from lane_seg_train.compare.tables import file_name
from lane_seg_train.report.snapshots import write_snapshot
from lane_seg_train.report.text import draw_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle
    from lane_seg_train.compare.accuracy import SeenFrame

__all__ = ['PICTURES', 'chosen', 'difference', 'write_pictures']

PICTURES = 'pictures'
TYPICAL = 2  # images of median agreement beside those that differ most
PANEL_WIDTH = 480
GAP = 6
TITLE, CAPTION = 34, 30  # heights in pixels
PAPER, INK, FAINT = (27, 22, 18), (242, 237, 233), (174, 162, 152)
# (B, G, R) that no class has by default: what only one of the two sees.
DIFFERENT = (0, 220, 255)


def chosen(seen: Sequence[SeenFrame], count: int) -> list[SeenFrame]:
    """The images that differ most, the worst first, then some of median agreement."""
    order = sorted(seen, key=lambda one: one.agreement)
    worst = order[:count]
    middle = (len(order) - TYPICAL) // 2
    typical = order[max(middle, 0) :][:TYPICAL] if count else []
    return [*worst, *(one for one in typical if one not in worst)]


def difference(
    image: NDArray[np.uint8], mine: NDArray[np.uint8], other: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Mark the pixels where two masks differ on a dark grey image.

    Args:
        image: (H, W, 3) uint8 BGR.
        mine: (H, W) uint8 class ids.
        other: likewise.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) // 2
    marked = np.repeat(grey[..., None], 3, axis=2)
    marked[mine != other] = DIFFERENT
    return np.asarray(marked, np.uint8)


def write_pictures(
    frames: Sequence[SeenFrame],
    labels: tuple[str, str],
    bundle: ModelBundle,
    folder: Path,
) -> list[Path]:
    """Draw each image with the masks of two contenders.

    Args:
        frames: to draw.
        labels: of the two contenders.
        bundle: says classes, colours, size and fit.
        folder: gets pictures/<rank>_<name>.jpg; those of an earlier comparison go.

    Returns:
        The files.
    """
    for old in (folder / PICTURES).glob('[0-9][0-9]_*.jpg'):
        old.unlink()
    paths = []
    for rank, frame in enumerate(frames, 1):
        sheet = _sheet(frame, labels, bundle)
        path = folder / PICTURES / f'{rank:02}_{file_name(frame.name)[-80:]}.jpg'
        paths.append(write_snapshot(path, sheet))
    return paths


def _sheet(frame: SeenFrame, labels: tuple[str, str], bundle: ModelBundle) -> NDArray[np.uint8]:
    image, _ = frame.frames.read(frame.index)
    size = (bundle.height, bundle.width)
    height = max(1, round(PANEL_WIDTH * image.shape[0] / image.shape[1]))
    small = np.asarray(
        cv2.resize(image, (PANEL_WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8
    )
    masks = [
        mask_from_output(frame.mask(number, size), (height, PANEL_WIDTH), bundle.fit)
        for number in range(2)
    ]
    panels = [
        small,
        *(draw_mask(small, mask, bundle.classes, alpha=0.6) for mask in masks),
        difference(small, *masks),
    ]
    width = len(panels) * PANEL_WIDTH + (len(panels) - 1) * GAP
    title, caption = _strip(width, TITLE), _strip(width, CAPTION)
    body = _strip(width, height)
    names = ('image', *labels, f'difference: {100 * (1 - frame.agreement):.2f} % of pixels')
    for number, (panel, name) in enumerate(zip(panels, names, strict=True)):
        left = number * (PANEL_WIDTH + GAP)
        body[:, left : left + PANEL_WIDTH] = panel
        draw_text(title, name, (TITLE // 2, left + 8), colour=INK, size=17, bold=True)
    draw_text(caption, frame.name, (CAPTION // 2, 8), colour=FAINT, size=15)
    return np.concatenate([title, body, caption])


def _strip(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), PAPER, np.uint8)
