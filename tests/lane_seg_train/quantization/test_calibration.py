"""Ranges come from training images only, and finding them leaves the network as it was."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.config import DataConfig
from lane_seg_train.fake_quantization.quantized_net import INPUT_SCALE, QuantizedNet
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.quantization.calibration import (
    calibrate,
    calibration_images,
    calibration_sha256,
    histograms,
    set_ranges,
)
from lane_seg_train.quantization.calibrators import BINS, CALIBRATORS, Calibrator, amax_of
from tests.lane_seg_train.tiny_training import (
    HEIGHT,
    WIDTH,
    pairs,
    random_checkpoint,
    tiny_config,
    write_pairs,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg_train.config import TrainConfig

SIZE = (HEIGHT, WIDTH)
IMAGES = [image for image, _ in pairs(9)]  # more than a batch, and no multiple of it


def net() -> QuantizedNet:
    return QuantizedNet(random_checkpoint().net, SIZE)  # type: ignore[arg-type]


def planes(images: list[np.ndarray]) -> torch.Tensor:
    return normalized(torch.from_numpy(np.stack(images))).permute(0, 3, 1, 2)


def write_numbered(folder: Path, count: int, *, size: tuple[int, int] = SIZE) -> DataConfig:
    """Images whose grey level is their number, in a data set named like the folder."""
    for name, dtype in (('images', 3), ('labels', 0)):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            grey = np.full((*size, 3) if dtype else size, index if dtype else 1, np.uint8)
            cv2.imwrite(str(folder / name / f'{index:03}.png'), grey)
    return dataclasses.replace(
        tiny_config().train[0],
        name=folder.name,
        images=f'{folder.name}/images',
        masks=f'{folder.name}/labels',
    )


def recipe(*train: DataConfig) -> TrainConfig:
    """A run on these sets; whoever reads its validation set fails."""
    nowhere = dataclasses.replace(tiny_config().val[0], images='nowhere', masks='nowhere')
    return dataclasses.replace(tiny_config(), train=train, val=(nowhere,))


def numbers(images: list[np.ndarray]) -> list[int]:
    assert all(image.shape == (*SIZE, 3) and image.dtype == np.uint8 for image in images)
    assert all((image == image[0, 0, 0]).all() for image in images)
    return [int(image[0, 0, 0]) for image in images]


# The images.


def test_images_are_drawn_evenly_from_the_training_set_alone(tmp_path: Path) -> None:
    config = recipe(write_numbered(tmp_path / 'first', 12))
    assert numbers(calibration_images(config, tmp_path, 4)) == [0, 3, 6, 9]
    assert numbers(calibration_images(config, tmp_path, 4)) == [0, 3, 6, 9]
    assert numbers(calibration_images(config, tmp_path, 4, offset=0.5)) == [1, 4, 7, 10]
    assert numbers(calibration_images(config, tmp_path, 5)) == [0, 2, 4, 7, 9]


def test_each_training_set_gives_as_many(tmp_path: Path) -> None:
    sets = write_numbered(tmp_path / 'first', 10), write_numbered(tmp_path / 'second', 4)
    config = recipe(*sets)
    assert numbers(calibration_images(config, tmp_path, 4)) == [0, 5, 0, 2]
    # What a small set lacks is not made up for.
    assert numbers(calibration_images(config, tmp_path, 10)) == [0, 2, 4, 6, 8, 0, 1, 2, 3]


@pytest.mark.parametrize('offset', [0.0, 0.5, 0.99, 1.0])
def test_no_image_is_drawn_twice_and_no_more_than_there_are(tmp_path: Path, offset: float) -> None:
    config = recipe(write_numbered(tmp_path / 'first', 7))
    for count in (1, 3, 6, 7, 8, 50):
        drawn = numbers(calibration_images(config, tmp_path, count, offset=offset))
        assert 1 <= len(drawn) <= min(count, 7)
        assert len(set(drawn)) == len(drawn)
    assert numbers(calibration_images(config, tmp_path, 50)) == list(range(7))


def test_with_half_an_offset_no_image_is_drawn_that_is_drawn_without(tmp_path: Path) -> None:
    config = recipe(write_numbered(tmp_path / 'first', 20))
    for count in (1, 3, 7, 10):
        first, second = (
            set(numbers(calibration_images(config, tmp_path, count, offset=offset)))
            for offset in (0.0, 0.5)
        )
        assert len(first) == len(second) == count
        assert not first & second


def test_images_of_another_size_come_at_the_size_of_the_network(tmp_path: Path) -> None:
    config = recipe(write_numbered(tmp_path / 'first', 3, size=(90, 160)))
    assert numbers(calibration_images(config, tmp_path, 3)) == [0, 1, 2]


@pytest.mark.parametrize('count', [0, -1])
def test_a_count_below_1_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(LaneSegError, match=f'expected 1 calibration image or more, found {count}'):
        calibration_images(tiny_config(), tmp_path, count)


def test_they_are_the_images_on_disk_not_augmented(tmp_path: Path) -> None:
    write_pairs(tmp_path, 3)
    drawn = calibration_images(tiny_config(), tmp_path, 3)
    assert all(np.array_equal(a, b) for a, (b, _) in zip(drawn, pairs(3), strict=True))


def test_the_hash_depends_on_content_and_order() -> None:
    first, second = IMAGES[:2]
    digest = calibration_sha256([first, second])
    assert len(digest) == 64
    assert digest == calibration_sha256([first.copy(), second])
    assert digest != calibration_sha256([second, first])
    assert digest != calibration_sha256([first])
    changed = first.copy()
    changed[-1, -1, -1] ^= 1
    assert digest != calibration_sha256([changed, second])


# The histograms.


def test_histograms_count_every_value_between_zero_and_the_largest() -> None:
    quantized = net()
    seen = histograms(quantized, IMAGES)
    values: list[list[np.ndarray]] = [[] for _ in seen]

    def keeping(number: int) -> torch.nn.Module:
        class Keep(torch.nn.Module):
            def forward(self, tensor: torch.Tensor) -> torch.Tensor:
                values[number].append(tensor.numpy().ravel())
                return tensor

        return Keep()

    quantized.eval()
    with torch.no_grad():
        for image in IMAGES:
            keepers = [keeping(number) for number in range(len(seen))]
            quantized.run(planes([image]), keepers, quantize_weights=False)
    for histogram, parts in zip(seen, values, strict=True):
        all_values = np.concatenate(parts)
        assert histogram.counts.shape == (BINS,)
        assert histogram.counts.sum() == all_values.size
        assert histogram.largest == pytest.approx(np.abs(all_values).max(), rel=1e-4)
        assert histogram.is_signed == (all_values.min() < 0)
        expected = np.histogram(np.abs(all_values), BINS, (0, histogram.largest))[0]
        # One by one and in batches differ in the last bits: only neighbouring bins may.
        difference = np.cumsum(histogram.counts) - np.cumsum(expected)
        assert np.abs(difference).max() <= 0.002 * all_values.size


def test_the_order_of_the_images_does_not_matter() -> None:
    quantized = net()
    forwards, backwards = histograms(quantized, IMAGES[:8]), histograms(quantized, IMAGES[7::-1])
    for first, second in zip(forwards, backwards, strict=True):
        assert np.array_equal(first.counts, second.counts)
        assert (first.largest, first.is_signed) == (second.largest, second.is_signed)


@pytest.mark.parametrize('training', [False, True])
def test_histograms_leave_the_network_as_it_was(training: bool) -> None:
    quantized = net().train(training)
    before = copy.deepcopy(quantized.state_dict())
    histograms(quantized, IMAGES)
    assert all(part.training == training for part in quantized.modules())
    assert all(torch.equal(value, before[key]) for key, value in quantized.state_dict().items())
    # Its weights are no inference tensors: it can still learn.
    quantized(planes(IMAGES[:2])).sum().backward()


def test_every_image_is_reported_once_for_each_of_two_looks() -> None:
    reported: list[int] = []
    histograms(net(), IMAGES, reported.append)
    assert sum(reported) == 2 * len(IMAGES)


def test_no_image_is_refused() -> None:
    with pytest.raises(LaneSegError, match='expected calibration images, found none'):
        histograms(net(), [])


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('name', ['stem.0.weight', 'stem.1.running_var', 'head.bias'])
def test_weights_that_are_not_finite_are_refused_by_name(value: float, name: str) -> None:
    quantized = net()
    quantized.net.state_dict()[name].view(-1)[0] = value
    with pytest.raises(LaneSegError, match=f'expected finite weights, found .* in {name}; train'):
        histograms(quantized, IMAGES)


@pytest.mark.parametrize('value', [1e38, -1e38])
def test_activations_that_overflow_are_refused(value: float) -> None:
    quantized = net()
    with torch.no_grad():
        quantized.net.get_parameter('up.0.0.weight').fill_(value)
    with pytest.raises(LaneSegError, match='expected finite activations, found NaN or infinity'):
        histograms(quantized, IMAGES)


# The scales.


@pytest.mark.parametrize('calibrator', CALIBRATORS)
def test_every_range_but_that_of_the_image_is_what_the_calibrator_says(
    calibrator: Calibrator,
) -> None:
    quantized = net()
    reported: list[int] = []
    calibrate(quantized, IMAGES, calibrator, percentile=99.0, on_image=reported.append)
    assert sum(reported) == 2 * len(IMAGES)
    for number, (quantizer, histogram) in enumerate(
        zip(quantized.activation_quantizers(), histograms(quantized, IMAGES), strict=True)
    ):
        if number == quantized.placement.image:
            assert float(quantizer.scale) == INPUT_SCALE
        else:
            amax = amax_of(histogram, calibrator, percentile=99.0)
            assert float(quantizer.scale) == pytest.approx(amax / 127)


def test_the_scale_of_the_image_stays_exact_on_dark_images_too() -> None:
    quantized = net()
    calibrate(quantized, [np.full((*SIZE, 3), 120, np.uint8)])
    assert quantized.placement.image is not None
    assert quantized.activation_quantizers()[quantized.placement.image].scale == INPUT_SCALE


def test_ranges_follow_changed_weights() -> None:
    quantized = net()
    calibrate(quantized, IMAGES)
    _, weight, quantizer = next(quantized.weight_quantizers())
    before = quantizer.scale.clone()
    with torch.no_grad():
        weight *= 2
    set_ranges(quantized, histograms(quantized, IMAGES), 'max')
    assert torch.allclose(quantizer.scale, 2 * before)


def test_an_unknown_calibrator_is_refused_with_those_there_are() -> None:
    with pytest.raises(LaneSegError, match="out of max, percentile, mse, entropy, found 'best'"):
        calibrate(net(), IMAGES[:1], 'best')  # type: ignore[arg-type]


@pytest.mark.parametrize('percentile', [50, 0, -1, 100.1, float('nan')])
def test_a_percentile_out_of_range_is_refused(percentile: float) -> None:
    with pytest.raises(LaneSegError, match='percentile: expected above 50 and up to 100, found'):
        calibrate(net(), IMAGES[:1], 'percentile', percentile=percentile)
