"""Run all contenders over the same images: IoU where there are labels, agreement everywhere."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.postprocess import mask_from_output
from lane_seg.preprocess import tensor_from_image
from lane_seg_train.compare.process import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle
    from lane_seg_train.compare.frames import FrameSet
    from lane_seg_train.compare.process import Worker
    from lane_seg_train.metrics import SetConfusion

__all__ = ['Accuracy', 'SeenFrame', 'run_over']


@dataclass
class Accuracy:
    """What one contender found.

    Attributes:
        agreement: share of pixels with the class that the reference gives, at the model's size,
            over all images, 0..1; 1 of the reference itself.
        parity: likewise, with the class that the network gives which imitates int8 in PyTorch;
            NaN without one.
        by_set: {set: {'miou' or name of a label set: IoU 0..1}} at the images' own size.
    """

    agreement: float = float('nan')
    parity: float = float('nan')
    by_set: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class SeenFrame:
    """An image on which two contenders were compared.

    Attributes:
        frames: the set that it belongs to.
        index: its number there.
        agreement: share of pixels where both gave the same class, 0..1.
        masks: of the reference and of the other one, (height, width) uint8, compressed.
    """

    frames: FrameSet
    index: int
    agreement: float
    masks: tuple[bytes, bytes]

    @property
    def name(self) -> str:
        """Set and image."""
        return f'{self.frames.name} {self.frames.names[self.index]}'

    def mask(self, number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """One of the masks, (height, width) uint8."""
        return np.frombuffer(zlib.decompress(self.masks[number]), np.uint8).reshape(size)


def run_over(
    sets: Sequence[FrameSet],
    workers: Mapping[str, Worker],
    bundle: ModelBundle,
    *,
    reference: str,
    shown: str,
    imitation: str,
    failed: Callable[[str, WorkerError], None],
    done: Callable[[], None],
) -> tuple[dict[str, Accuracy], list[SeenFrame]]:
    """Find the masks of every contender for every image, each once.

    Args:
        sets: images.
        workers: {label: worker}, opened.
        bundle: says size and fit; every contender gets the same tensor.
        reference: label of whom the others have to agree with.
        shown: label of whose masks are kept beside those of the reference.
        imitation: label of the network that imitates int8 in PyTorch; '' without one.
        failed: is told who drops out.
        done: is called after each image.

    Returns:
        {label: accuracy} of those that came through, and all images, in their order; no images
        if one of the two did not come through.
    """
    size = (bundle.height, bundle.width)
    alive = dict(workers)
    found = {label: Accuracy() for label in workers}
    same = {who: dict.fromkeys(workers, 0) for who in (reference, imitation)}
    seen: list[SeenFrame] = []
    pixels = 0
    for frames in sets:
        counts = {label: _counts(frames) for label in alive}
        for index in range(len(frames.names)):
            image, target = frames.read(index)
            tensor = tensor_from_image(image, size, bundle.fit)
            masks: dict[str, NDArray[np.uint8]] = {}
            for label in list(alive):
                try:
                    masks[label] = alive[label].mask(tensor)
                except WorkerError as error:
                    del alive[label], found[label]
                    failed(label, error)
                    continue
                _count(counts[label], target, masks[label], bundle)
            pixels += size[0] * size[1]
            for who, counted in same.items():
                for label, mask in masks.items() if who in masks else ():
                    counted[label] += int(np.count_nonzero(mask == masks[who]))
            if {reference, shown} <= set(masks):
                seen.append(_seen(frames, index, masks[reference], masks[shown]))
            done()
        for label in alive:
            if (confusion := counts[label]) is not None:
                found[label].by_set[frames.name] = {'miou': confusion.miou(), **confusion.iou()}
    for label, accuracy in found.items():
        if reference in found and pixels:
            accuracy.agreement = same[reference][label] / pixels
        if imitation in found and pixels:
            accuracy.parity = same[imitation][label] / pixels
    return found, seen if {reference, shown} <= set(found) else []


def _counts(frames: FrameSet) -> SetConfusion | None:
    if frames.table is None:
        return None
    from lane_seg_train.metrics import SetConfusion

    return SetConfusion(frames.table)


def _count(
    counts: SetConfusion | None,
    target: NDArray[np.uint8] | None,
    mask: NDArray[np.uint8],
    bundle: ModelBundle,
) -> None:
    """Count one image at its own size, as `lane-seg evaluate` does."""
    if counts is None or target is None:
        return
    import torch

    whole = mask_from_output(mask, (target.shape[0], target.shape[1]), bundle.fit)
    counts.update(torch.from_numpy(target), torch.from_numpy(whole))


def _seen(
    frames: FrameSet, index: int, mine: NDArray[np.uint8], other: NDArray[np.uint8]
) -> SeenFrame:
    masks = zlib.compress(mine.tobytes(), 1), zlib.compress(other.tobytes(), 1)
    return SeenFrame(frames, index, float((mine == other).mean()), masks)
