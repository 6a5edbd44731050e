"""Exposure, colours, blur and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg_train.augment.photometric import blur, light, noise
from lane_seg_train.config import AugmentConfig
from tests.lane_seg_train.augment.pictures import NOTHING, street

seeds = st.integers(0, 1 << 32)
RAMP = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


def lit(config: AugmentConfig, seed: int, image: np.ndarray = RAMP) -> np.ndarray:
    return light(image, config, np.random.default_rng(seed)).astype(int)


@given(seeds)
def test_with_every_range_0_the_light_stays(seed: int) -> None:
    assert np.array_equal(lit(NOTHING, seed), RAMP)


@given(seeds, st.floats(0, 0.9), st.floats(0, 100))
def test_contrast_and_brightness_are_a_line_through_128_plus_b(
    seed: int, contrast: float, brightness: float
) -> None:
    new = lit(replace(NOTHING, contrast=contrast, brightness=brightness), seed)[0, :, 0]
    shift = new[128] - 128
    assert abs(shift) <= brightness + 0.5
    free = (new > 0) & (new < 255)
    levels = np.arange(256)
    rise = (new[free] - 128 - shift)[levels[free] != 128] / (levels - 128)[free & (levels != 128)]
    far = np.abs(levels - 128)[free & (levels != 128)] > 40
    assert np.all(np.abs(rise[far] - 1) <= contrast + 0.03)
    assert np.ptp(rise[far]) < 0.06 if far.any() else True


@given(seeds, st.floats(0, 0.9))
def test_gamma_keeps_black_and_white_and_the_order_of_levels(seed: int, gamma: float) -> None:
    new = lit(replace(NOTHING, gamma=gamma), seed)[0, :, 0]
    assert (new[0], new[255]) == (0, 255)
    assert (np.diff(new) >= 0).all()


@given(seeds, st.floats(1, 40))
def test_a_channel_shift_adds_one_number_to_each_channel(seed: int, most: float) -> None:
    change = (lit(replace(NOTHING, channel_shift=most), seed) - RAMP)[0, 60:190]
    assert (np.ptp(change, axis=0) <= 1).all()  # rounding
    assert np.abs(change).max() <= most + 0.5


def test_channels_shift_and_gain_apart_from_each_other() -> None:
    for config in (replace(NOTHING, channel_shift=30.0), replace(NOTHING, colour=0.3)):
        changes = np.array([lit(config, seed)[0, 128] - 128 for seed in range(200)])
        assert (changes.std(axis=0) > 5).all()
        together = np.corrcoef(changes.T)[np.triu_indices(3, 1)]
        assert np.abs(together).max() < 0.3


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_blur_keeps_a_point_where_it_is_and_its_light(seed: int) -> None:
    image = np.zeros((21, 21, 3), np.uint8)
    image[10, 10] = 255
    new = blur(image, np.random.default_rng(seed))[..., 0].astype(float)
    assert new[10, 10] < 255
    assert new.sum() == pytest.approx(255, abs=8)
    assert new.sum(axis=0) @ np.arange(21) / new.sum() == pytest.approx(10, abs=0.05)
    assert new.sum(axis=1) @ np.arange(21) / new.sum() == pytest.approx(10, abs=0.05)


def test_blur_is_round_or_drawn_out_in_any_direction() -> None:
    image = np.zeros((21, 21, 3), np.uint8)
    image[10, 10] = 255
    offsets = np.arange(21) - 10
    ratios = []
    for seed in range(100):
        new = blur(image, np.random.default_rng(seed))[..., 0].astype(float)
        ratios.append((new.sum(axis=1) @ offsets**2 + 1) / (new.sum(axis=0) @ offsets**2 + 1))
    assert min(ratios) < 0.3
    assert max(ratios) > 3
    assert np.mean(np.abs(np.log(ratios)) < 0.1) > 0.3


@pytest.mark.parametrize('spread', [2.0, 8.0, 20.0])
def test_noise_is_in_every_channel_and_as_strong_as_asked(spread: float) -> None:
    grey = np.full((64, 128, 3), 128, np.uint8)
    new = noise(grey, spread, np.random.default_rng(0)).astype(float) - 128
    assert np.allclose(new.std(axis=(0, 1)), spread, rtol=0.05)
    assert np.abs(new.mean(axis=(0, 1))).max() < 0.05 * spread + 0.05
    channels = np.corrcoef(new.reshape(-1, 3).T)[np.triu_indices(3, 1)]
    assert np.abs(channels).max() < 0.05
    assert abs(np.corrcoef(new[:, 1:, 0].ravel(), new[:, :-1, 0].ravel())[0, 1]) < 0.05


def test_noise_differs_from_picture_to_picture() -> None:
    image, _ = street()
    first, second = (noise(image, 10.0, np.random.default_rng(seed)) for seed in (0, 1))
    differences = first.astype(float) - second
    assert differences.std() == pytest.approx(10 * np.sqrt(2), rel=0.1)


def test_no_noise_changes_nothing() -> None:
    image, _ = street()
    assert np.array_equal(noise(image, 0.0, np.random.default_rng(0)), image)
