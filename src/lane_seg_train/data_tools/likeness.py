"""How alike pictures are: fingerprints to find candidates, correlation to decide.

A difference hash compares neighbouring pixels of a tiny grey picture and keeps only which of the
two is brighter (N. Krawetz, "Kind of Like That", 2013, hackerfactor.com). It is insensitive to
scale, compression and exposure, and comparing two of them costs next to nothing. Road scenes share
their layout, so the hash alone says too much; what it finds is decided by the correlation of small
pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ['NEAR', 'Alike', 'Fingerprint', 'fingerprint', 'most_alike', 'repeats']

# Pictures of a standing camera correlate with 0.99 and more, those of a moving one a second apart
# with 0.9 and less: measured on CARLA drives and CamVid.
NEAR = 0.98
HASH_SIDE = 16  # bits on a side
THUMB_SIDE = 64  # pixels on a side
# Bits of 256 that may differ. Near-duplicates differ in up to 25, unrelated pictures in 128.
MOST_BITS = 56
# A picture that varies less, in grey levels, has no pattern that could be alike.
FLAT = 1.0
_ROWS = 1024  # compared at a time


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a picture to compare it.

    Attributes:
        bits: difference hash, (256,) bool.
        thumb: (64, 64) uint8 grey.
    """

    bits: NDArray[np.bool_]
    thumb: NDArray[np.uint8]


@dataclass(frozen=True)
class Alike:
    """Two pictures that show the same.

    Attributes:
        first: index into the first list.
        second: index into the second list.
        correlation: Pearson's, of their small grey pictures; 1 but for brightness and contrast.
        difference: mean absolute difference of these, in grey levels 0..255.
        mirrored: the second shows the first in a mirror.
    """

    first: int
    second: int
    correlation: float
    difference: float
    mirrored: bool = False


def fingerprint(image: NDArray[np.uint8]) -> Fingerprint:
    """Make the fingerprint of an image, (H, W, 3) uint8 BGR."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (HASH_SIDE + 1, HASH_SIDE), interpolation=cv2.INTER_AREA)
    thumb = cv2.resize(grey, (THUMB_SIDE, THUMB_SIDE), interpolation=cv2.INTER_AREA)
    bits = np.asarray(small[:, 1:] > small[:, :-1]).ravel()
    return Fingerprint(bits, np.asarray(thumb, np.uint8))


def most_alike(
    first: Sequence[Fingerprint], second: Sequence[Fingerprint], *, near: float = NEAR
) -> list[Alike]:
    """For each picture of the first list the one of the second that is most alike, if any is.

    Copies that were mirrored, as augmentation makes them, are found as well.

    Args:
        first: pictures.
        second: pictures.
        near: correlation from which on two count as alike.

    Returns:
        The pairs, by rising `first`.
    """
    best: dict[int, Alike] = {}
    for mirrored in (False, True):
        others = [_mirrored(item) for item in second] if mirrored else second
        for index, candidates in _candidates(first, others):
            values = _correlations(first[index], [others[place] for place in candidates])
            most = int(values.argmax())
            is_better = index not in best or values[most] > best[index].correlation
            if values[most] >= near and is_better:
                best[index] = _pair(first, others, index, candidates[most], values[most], mirrored)
    return [best[index] for index in sorted(best)]


def repeats(pictures: Sequence[Fingerprint], *, near: float = NEAR) -> list[Alike]:
    """The pictures of a list that show again what an earlier one shows.

    An earlier one that is itself such a repetition does not count, so that slow change does not
    make a whole drive alike.

    Args:
        pictures: in the order of recording.
        near: correlation from which on two count as alike.

    Returns:
        For each repetition the earlier picture as `first` and itself as `second`, by rising
        `second`.
    """
    found: dict[int, Alike] = {}
    for index, near_ones in _candidates(pictures, pictures):
        later = [place for place in near_ones if place > index and place not in found]
        if index in found or not later:
            continue
        values = _correlations(pictures[index], [pictures[place] for place in later])
        for place, value in zip(later, values.tolist(), strict=True):
            if value >= near:
                found[place] = _pair(pictures, pictures, index, place, value, False)
    return [found[index] for index in sorted(found)]


def _mirrored(picture: Fingerprint) -> Fingerprint:
    """The fingerprint of the picture in a mirror: 'right is brighter' becomes 'left is'."""
    bits = ~picture.bits.reshape(HASH_SIDE, HASH_SIDE)[:, ::-1]
    return Fingerprint(bits.ravel(), picture.thumb[:, ::-1])


def _candidates(
    first: Sequence[Fingerprint], second: Sequence[Fingerprint]
) -> Iterator[tuple[int, list[int]]]:
    """For each of the first those whose hashes differ in few bits, if there are any.

    Comparing all of them is one product of matrices.
    """
    if not first or not second:
        return
    columns = _signs(second).T
    for top in range(0, len(first), _ROWS):
        rows = _signs(first[top : top + _ROWS])
        is_near = (rows.shape[1] - rows @ columns) / 2 <= MOST_BITS
        for row in np.flatnonzero(is_near.any(axis=1)).tolist():
            yield top + row, np.flatnonzero(is_near[row]).tolist()


def _signs(pictures: Sequence[Fingerprint]) -> NDArray[np.float32]:
    """+1 and -1: the product of two rows is the number of equal bits less that of others."""
    bits = np.stack([picture.bits for picture in pictures])
    return np.where(bits, np.float32(1), np.float32(-1))


def _correlations(picture: Fingerprint, others: Sequence[Fingerprint]) -> NDArray[np.float32]:
    """Pearson correlation of a picture with each of the others, (N,), -1..1."""
    return _standard([picture.thumb])[0] @ _standard([other.thumb for other in others]).T


def _standard(thumbs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Grey levels with mean 0 and sum of squares 1; all 0 of a picture without a pattern."""
    levels = np.stack(thumbs).reshape(len(thumbs), -1).astype(np.float32)
    levels -= levels.mean(axis=1, keepdims=True)
    norm = np.sqrt((levels**2).sum(axis=1, keepdims=True))
    is_flat = norm < FLAT * THUMB_SIDE
    return np.where(is_flat, np.float32(0), levels / np.where(is_flat, np.float32(1), norm))


def _pair(
    first: Sequence[Fingerprint],
    second: Sequence[Fingerprint],
    i: int,
    j: int,
    value: float,
    mirrored: bool,
) -> Alike:
    levels = np.abs(first[i].thumb.astype(np.int16) - second[j].thumb).mean()
    return Alike(i, j, min(1.0, float(value)), float(levels), mirrored)
