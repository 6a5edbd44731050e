"""Augmentation as a whole: one generator, each key of its own, labels that stay what they are."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lane_seg_train
from lane_seg.errors import LaneSegError
from lane_seg_train.augment import augment
from lane_seg_train.config import AugmentConfig
from lane_seg_train.label_sets import ANY_ID
from tests.lane_seg_train.augment.pictures import EVERYTHING, NOTHING, street

# A value that turns each key on.
ON = {
    'flip': 1.0, 'vertical_flip': 1.0, 'scale': (1.4, 1.6), 'stretch': 0.3, 'rotate_deg': 10.0,
    'shear_deg': 10.0, 'brightness': 40.0, 'contrast': 0.4, 'colour': 0.2, 'channel_shift': 20.0,
    'gamma': 0.4, 'blur': 1.0, 'noise': 20.0, 'shadow': 1.0, 'rain': 1.0, 'fog': 1.0,
    'glare': 1.0, 'night': 1.0,
}  # fmt: skip
CHANCES = ('flip', 'vertical_flip', 'blur', 'shadow', 'rain', 'fog', 'glare', 'night')
GEOMETRY = ('flip', 'vertical_flip', 'scale', 'stretch', 'rotate_deg', 'shear_deg')


def augmented(config: AugmentConfig, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return augment(*street(), config, np.random.default_rng(seed))


def is_same(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_every_key_is_covered_here() -> None:
    assert set(ON) == {field.name for field in dataclasses.fields(AugmentConfig)}


@given(st.integers(0, 1 << 32))
def test_with_everything_off_nothing_changes(seed: int) -> None:
    assert is_same(augmented(NOTHING, seed), street())


@pytest.mark.parametrize('key', ON)
def test_each_key_alone_changes_the_picture(key: str) -> None:
    config = dataclasses.replace(NOTHING, **{key: ON[key]})
    original, label = street()
    for seed in range(10):
        image, target = augmented(config, seed)
        assert not np.array_equal(image, original)
        if key not in GEOMETRY:
            assert np.array_equal(target, label)


@pytest.mark.parametrize('key', CHANCES)
def test_a_probability_is_how_often_it_happens(key: str) -> None:
    config = dataclasses.replace(NOTHING, **{key: 0.3})
    original, _ = street()
    changed = [not np.array_equal(augmented(config, seed)[0], original) for seed in range(200)]
    assert 0.2 < np.mean(changed) < 0.4


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    ids=st.sets(st.integers(0, 255), min_size=1),
)
def test_no_label_value_appears_that_was_not_there(
    seed: int, height: int, width: int, ids: set[int]
) -> None:
    chance = np.random.default_rng(1)
    image = chance.integers(0, 256, (height, width, 3), np.uint8)
    label = chance.choice(np.array(sorted(ids), np.uint8), (height, width))
    before = image.copy(), label.copy()
    image.flags.writeable = label.flags.writeable = False
    new_image, target = augment(image, label, EVERYTHING, np.random.default_rng(seed))
    assert new_image.shape == image.shape
    assert target.shape == label.shape
    assert new_image.dtype == target.dtype == np.uint8
    assert set(np.unique(target).tolist()) <= ids | {ANY_ID}
    assert is_same((image, label), before)


def test_what_it_returns_is_not_a_view_of_what_it_was_given() -> None:
    image, label = street()
    for config in (NOTHING, dataclasses.replace(NOTHING, flip=1.0)):
        new_image, target = augment(image, label, config, np.random.default_rng(0))
        assert not np.shares_memory(new_image, image)
        assert not np.shares_memory(target, label)
        assert new_image.flags.c_contiguous
        assert target.flags.c_contiguous


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 32))
def test_the_same_generator_gives_the_same_example(seed: int) -> None:
    assert is_same(augmented(EVERYTHING, seed), augmented(EVERYTHING, seed))
    assert not is_same(augmented(EVERYTHING, seed), augmented(EVERYTHING, seed + 1))


def fingerprint() -> str:
    """Of many augmented pictures; also run by the other process below."""
    digest = hashlib.sha256()
    for seed in range(20):
        for array in augmented(EVERYTHING, seed):
            digest.update(array.tobytes())
    return digest.hexdigest()


def test_another_process_gives_the_same_examples() -> None:
    paths = [str(Path(lane_seg_train.__file__).parents[1]), str(Path(__file__).parents[3])]
    code = (
        f'import sys; sys.path[:0] = {paths!r}\n'
        'from tests.lane_seg_train.augment.test_augment import fingerprint\n'
        'import cv2; cv2.setRNGSeed(7); print(fingerprint())'
    )
    run = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, timeout=120
    )
    assert run.stdout.strip() == fingerprint()


@pytest.mark.parametrize(
    ('key', 'value'),
    [(key, value) for key in CHANCES for value in (-0.1, 1.1)]
    + [(key, -0.1) for key in ('stretch', 'rotate_deg', 'shear_deg', 'brightness', 'noise')]
    + [(key, 1.0) for key in ('stretch', 'contrast', 'colour', 'gamma')]
    + [('shear_deg', 90.0), ('flip', float('nan'))],
)
def test_a_value_out_of_range_is_refused_by_name(key: str, value: float) -> None:
    with pytest.raises(LaneSegError, match=rf'augment\.{key}: expected .* found {value}'):
        AugmentConfig(**{key: value})
