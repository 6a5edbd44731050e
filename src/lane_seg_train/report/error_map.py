"""Where a prediction and its label differ, and in which way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lane_seg_train.label_sets import ANY_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.label_sets import LabelTable

__all__ = [
    'CONFUSED', 'ERRORS', 'FOUND', 'IGNORED', 'INVENTED', 'MISSED', 'NOTHING', 'UNKNOWN',
    'ErrorKind', 'background_of', 'error_map', 'wrong_share',
]  # fmt: skip

Colour = tuple[int, int, int]
BACKGROUND = 'background'
UNKNOWN: Colour = (110, 110, 110)  # of pixels whose label says nothing


@dataclass(frozen=True)
class ErrorKind:
    """One colour of the error map.

    Attributes:
        name: as the legend says it.
        colour: (B, G, R); told apart with any kind of colour vision (Okabe and Ito, 2008).
    """

    name: str
    colour: Colour


# By the number that `error_map` gives; 0 and 1 show the image.
ERRORS = (
    ErrorKind('not labelled', UNKNOWN),
    ErrorKind('rightly nothing', (60, 60, 60)),
    ErrorKind('found', (115, 158, 0)),
    ErrorKind('invented (false positive)', (0, 159, 230)),
    ErrorKind('missed (false negative)', (233, 180, 86)),
    ErrorKind('taken for another class', (167, 121, 204)),
)
IGNORED, NOTHING, FOUND, INVENTED, MISSED, CONFUSED = range(len(ERRORS))


def error_map(
    target: NDArray[np.uint8], mask: NDArray[np.uint8], table: LabelTable
) -> NDArray[np.uint8]:
    """Compare a prediction with labels that may be sets of classes.

    A class that the data set labels together with the background (road, where only lanes were
    drawn) counts as background, for these labels cannot tell the two apart.

    Args:
        target: (H, W) uint8 target ids of `table`.
        mask: (H, W) uint8 predicted class ids; what is no class, such as 255 of pixels that a
            model does not see, finds nothing.
        table: what the target ids mean.

    Returns:
        (H, W) uint8 index into `ERRORS`.
    """
    sets = table.sets
    background = background_of(table)
    may_be_nothing = sets[:, background] if background is not None else np.zeros(256, np.bool_)
    labelled = sets.copy()
    labelled[ANY_ID] = False
    # Classes that share a label with the background.
    is_nothing = labelled[may_be_nothing].any(axis=0)
    by_pair = np.full((256, 256), CONFUSED, np.uint8)
    classes = by_pair[:, : len(table.classes)]
    classes[:, is_nothing] = MISSED
    classes[may_be_nothing] = INVENTED
    classes[sets & may_be_nothing[:, None]] = NOTHING
    classes[sets & ~may_be_nothing[:, None]] = FOUND
    unseen = np.where(may_be_nothing, NOTHING, MISSED)
    by_pair[:, len(table.classes) :] = unseen[:, None]
    by_pair[ANY_ID] = IGNORED
    return np.asarray(by_pair[target, mask])


def background_of(table: LabelTable) -> int | None:
    """The class that means "nothing here": "background", or the first one of two; else None."""
    if BACKGROUND in table.classes:
        return table.classes.index(BACKGROUND)
    return 0 if len(table.classes) == 2 else None


def wrong_share(
    target: NDArray[np.uint8], mask: NDArray[np.uint8], table: LabelTable
) -> float | None:
    """Share of the labelled pixels that the label does not allow, 0..1; None without any."""
    kinds = error_map(target, mask, table)
    labelled = int((kinds != IGNORED).sum())
    if not labelled:
        return None
    return int(np.isin(kinds, (INVENTED, MISSED, CONFUSED)).sum()) / labelled
