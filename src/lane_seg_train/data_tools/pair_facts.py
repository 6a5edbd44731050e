"""What one image and its label hold: read once, for every question of `lane-seg data check`."""

from __future__ import annotations

import glob
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import ImageError, LaneSegError
from lane_seg.files import sha256_of
from lane_seg.sources import image_from_file
from lane_seg_train.data_tools.likeness import Fingerprint, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lane_seg_train.datasets import LaneData, Pair

__all__ = ['PairFacts', 'facts_of']


@dataclass(frozen=True)
class PairFacts:
    """Facts of one pair; what comes after a fault is absent.

    Attributes:
        pair: the pair.
        fault: key of `lane_seg_train.data_tools.findings.KINDS`, '' if there is none.
        text: what was found, if there is a fault.
        size: (height, width) of the image in pixels.
        image_sha256: of the file of the image.
        label_sha256: of the label values.
        values: how many pixels have each label value, (256,) int64.
        targets: how many pixels have each target id, (256,) int64.
        fingerprint: of the image.
    """

    pair: Pair
    fault: str = ''
    text: str = ''
    size: tuple[int, int] | None = None
    image_sha256: str = ''
    label_sha256: str = ''
    values: NDArray[np.int64] | None = None
    targets: NDArray[np.int64] | None = None
    fingerprint: Fingerprint | None = None


def facts_of(sets: Sequence[LaneData], item: tuple[int, Pair]) -> PairFacts:
    """Read one pair.

    Args:
        sets: data sets.
        item: index of its data set, and the pair.

    Returns:
        The facts, up to the first fault.
    """
    data, pair = sets[item[0]], item[1]
    try:
        image = image_from_file(pair.image)
        sha256 = sha256_of(pair.image)
    except LaneSegError as error:
        return PairFacts(pair, 'broken_image', str(error))
    except OSError as error:
        return PairFacts(pair, 'broken_image', f'{pair.image}: {error.strerror}')
    size = (image.shape[0], image.shape[1])
    seen = fingerprint(image)

    def faulty(kind: str, text: str) -> PairFacts:
        return PairFacts(pair, kind, text, size, sha256, fingerprint=seen)

    if not pair.label.is_file():
        others = sorted(pair.label.parent.glob(f'{glob.escape(pair.label.stem)}.*'))
        hint = f', but {others[0].name}, which is not read' if others else ''
        return faulty('no_label', f'{pair.label}: found no such file{hint}')
    try:
        label = data.reader.label(pair, size)
    except ImageError as error:
        return faulty('broken_label', str(error))
    except LaneSegError as error:
        return faulty('content', str(error))
    if label.shape != size:
        return faulty(
            'size',
            f'{pair.label}: expected {size[1]}x{size[0]} like the image, '
            f'found {label.shape[1]}x{label.shape[0]}',
        )
    try:
        target = data.table.target_from_label(label, str(pair.label))
    except LaneSegError as error:
        return faulty('content', str(error))
    return PairFacts(
        pair,
        size=size,
        image_sha256=sha256,
        label_sha256=hashlib.sha256(np.ascontiguousarray(label).data).hexdigest(),
        values=np.bincount(label.ravel(), minlength=256),
        targets=np.bincount(target.ravel(), minlength=256),
        fingerprint=seen,
    )
