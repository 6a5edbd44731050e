"""Find the ranges of activations on images of the training sets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.quantization.calibrators import BINS, CALIBRATORS, Histogram, amax_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.fake_quantization.quantized_net import QuantizedNet
    from lane_seg_train.quantization.calibrators import Calibrator

__all__ = ['calibrate', 'calibration_images', 'calibration_sha256', 'histograms', 'set_ranges']

BATCH = 8


def calibration_images(
    config: TrainConfig, data_root: Path, count: int, *, offset: float = 0.0
) -> list[NDArray[np.uint8]]:
    """Draw images of the training sets, as many of each, evenly over its length.

    Validation images never take part: with them, the validation would no longer say how well the
    ranges fit images that nobody has seen.

    Args:
        config: the recipe.
        data_root: folder that holds the data sets.
        count: how many, over all sets.
        offset: 0 to 1: where between two drawn images to draw instead; other offsets give other
            images, where there are enough.

    Returns:
        Each (H, W, 3) uint8 BGR at the network's size, not augmented.

    Raises:
        LaneSegError: `count` is below 1, or the data cannot be read.
    """
    from lane_seg_train.datasets import open_data, resized

    if count < 1:
        raise LaneSegError(f'expected 1 calibration image or more, found {count}')
    sets = open_data(config.train, config.classes, (config.height, config.width), data_root)
    share = max(1, count // len(sets))
    images: list[NDArray[np.uint8]] = []
    for data in sets:
        total = len(data)
        places = (np.arange(share) + offset) * total // share
        images += [
            resized(*data.read(data.pairs[place]), data.size)[0]
            for place in np.unique(np.minimum(places, total - 1)).astype(int)
        ]
    return images


def calibration_sha256(images: Sequence[NDArray[np.uint8]]) -> str:
    """Hash the calibration images, in order: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(image.tobytes())
    return digest.hexdigest()


def calibrate(
    net: QuantizedNet,
    images: Sequence[NDArray[np.uint8]],
    calibrator: Calibrator = 'max',
    *,
    percentile: float = 99.99,
    on_image: Callable[[int], None] | None = None,
) -> None:
    """Choose all scales: of weights by their maxima, of activations as `calibrator` says.

    Args:
        net: the network; its scales change.
        images: of `calibration_images`.
        calibrator: one of CALIBRATORS.
        percentile: see `amax_of`.
        on_image: called with the number of images that were run since the last call.
    """
    set_ranges(net, histograms(net, images, on_image), calibrator, percentile=percentile)


def set_ranges(
    net: QuantizedNet,
    seen: Sequence[Histogram],
    calibrator: Calibrator,
    *,
    percentile: float = 99.99,
) -> None:
    """Choose all scales from what was seen; see `calibrate`.

    Raises:
        LaneSegError: no such calibrator, or a percentile out of range.
    """
    if calibrator not in CALIBRATORS:
        raise LaneSegError(
            f'expected a calibrator out of {", ".join(CALIBRATORS)}, found {calibrator!r}'
        )
    if not 50 < percentile <= 100:
        raise LaneSegError(f'percentile: expected above 50 and up to 100, found {percentile}')
    net.set_weight_ranges()
    for number, quantizer in enumerate(net.activation_quantizers()):
        if number != net.placement.image:  # its scale is exact
            amax = amax_of(
                seen[number], calibrator, percentile=percentile, code_max=quantizer.code_max
            )
            quantizer.set_amax(amax)


def histograms(
    net: QuantizedNet,
    images: Sequence[NDArray[np.uint8]],
    on_image: Callable[[int], None] | None = None,
) -> list[Histogram]:
    """Run the network in float, and count the magnitudes of every activation to be quantized.

    Runs twice over the images: for the largest magnitudes, then for the bins below them.

    Args:
        net: the network; stays as it is.
        images: each (H, W, 3) uint8 BGR.
        on_image: called with the number of images that were run since the last call; each image
            counts twice.

    Returns:
        One for each activation quantizer, by number.

    Raises:
        LaneSegError: no image, or weights or activations that are not finite.
    """
    if not images:
        raise LaneSegError('quantization: expected calibration images, found none')
    broken = [name for name, item in net.net.state_dict().items() if not item.isfinite().all()]
    if broken:
        raise LaneSegError(
            f'quantization: expected finite weights, found NaN or infinity in {broken[0]}; train '
            'again, with a lower learning rate'
        )
    count = net.placement.activations
    largest, least = np.zeros(count), np.zeros(count)
    counts = np.zeros((count, BINS), np.int64)

    def extremes(number: int, tensor: torch.Tensor) -> None:
        low, high = (float(value) for value in tensor.aminmax())
        least[number] = min(least[number], low)
        # Not max(), which would drop NaN.
        largest[number] = np.max([largest[number], abs(low), abs(high)])

    def bins(number: int, tensor: torch.Tensor) -> None:
        if largest[number]:
            found = torch.histc(tensor.abs().float(), BINS, 0.0, float(largest[number]))
            counts[number] += found.cpu().numpy().astype(np.int64)

    for look in (extremes, bins):
        _run(net, images, look, on_image)
        if not np.isfinite(largest).all():
            raise LaneSegError(
                'quantization: expected finite activations, found NaN or infinity; the weights of '
                'this checkpoint are too large'
            )
    return [
        Histogram(counts[number], float(largest[number]), bool(least[number] < 0))
        for number in range(count)
    ]


def _run(
    net: QuantizedNet,
    images: Sequence[NDArray[np.uint8]],
    look: Callable[[int, torch.Tensor], None],
    on_image: Callable[[int], None] | None,
) -> None:
    def observer(number: int) -> Callable[[torch.Tensor], torch.Tensor]:
        def observe(tensor: torch.Tensor) -> torch.Tensor:
            look(number, tensor)
            return tensor

        return observe

    observers = [observer(number) for number in range(net.placement.activations)]
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(np.stack(images[start : start + BATCH])).to(device)
        with torch.inference_mode():
            net.run(normalized(batch).permute(0, 3, 1, 2), observers, quantize_weights=False)
        if on_image is not None:
            on_image(len(batch))
    net.train(was_training)
