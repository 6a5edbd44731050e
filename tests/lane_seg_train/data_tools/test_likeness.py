"""Which pictures count as the same."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg_scene import RoadScene
from lane_seg_train.data_tools.likeness import Fingerprint, fingerprint, most_alike, repeats
from tests.lane_seg_train.data_tools.road_sets import picture

if TYPE_CHECKING:
    from numpy.typing import NDArray


@lru_cache
def street(seed: int, time_s: float) -> NDArray[np.uint8]:
    return RoadScene(seed, height=128, width=256).frame(time_s).image


def prints(*images: NDArray[np.uint8]) -> list[Fingerprint]:
    return [fingerprint(image) for image in images]


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize(
    'changed',
    [
        jpeg(street(1, 5.0), 40),
        cv2.resize(street(1, 5.0), (480, 270), interpolation=cv2.INTER_LINEAR),
        cv2.convertScaleAbs(street(1, 5.0), alpha=0.6, beta=10),
    ],
    ids=['compressed', 'scaled', 'darker'],
)
def test_a_copy_that_was_changed_a_little_is_found(changed: NDArray[np.uint8]) -> None:
    others = prints(street(2, 5.0), changed, street(3, 5.0))
    (pair,) = most_alike(prints(street(1, 5.0)), others)
    assert (pair.first, pair.second, pair.mirrored) == (0, 1, False)
    assert pair.correlation > 0.98


def test_a_mirrored_copy_is_found_and_called_mirrored() -> None:
    image = street(1, 5.0)
    (pair,) = most_alike(prints(image), prints(street(2, 5.0), cv2.flip(image, 1)))
    assert (pair.second, pair.mirrored) == (1, True)
    assert pair.difference < 1


def test_streets_of_different_worlds_and_of_a_moving_car_are_not_the_same() -> None:
    worlds = prints(*(street(seed, 5.0) for seed in range(1, 6)))
    assert most_alike(worlds[:2], worlds[2:]) == []
    drive = prints(*(street(4, 5.0 + second) for second in range(4)))
    assert repeats(drive) == []


def test_the_most_alike_of_several_is_named() -> None:
    image = street(1, 5.0)
    worse, better = jpeg(image, 5), jpeg(image, 90)
    (pair,) = most_alike(prints(image), prints(worse, better, worse))
    assert pair.second == 1


def test_pictures_without_a_pattern_are_alike_to_none() -> None:
    grey = np.full((40, 60, 3), 90, np.uint8)
    assert most_alike(prints(grey), prints(grey, street(1, 5.0))) == []


def test_nothing_is_alike_to_nothing() -> None:
    assert most_alike([], prints(street(1, 5.0))) == []
    assert most_alike(prints(street(1, 5.0)), []) == []
    assert repeats([]) == []


def test_each_repetition_is_named_once_with_the_first_that_showed_it() -> None:
    a, b = street(1, 5.0), street(2, 5.0)
    found = repeats(prints(a, b, jpeg(a, 70), jpeg(b, 70), jpeg(a, 60)))
    assert [(pair.first, pair.second) for pair in found] == [(0, 2), (1, 3), (0, 4)]


def test_slow_change_does_not_make_the_end_a_repetition_of_the_beginning() -> None:
    start, end = picture(1).astype(np.float32), picture(2).astype(np.float32)
    drive = [
        np.round(start + (end - start) * share).astype(np.uint8) for share in np.linspace(0, 1, 41)
    ]
    found = repeats(prints(*drive))
    assert len(found) > 20
    assert len({pair.first for pair in found}) > 2
    assert all(pair.correlation >= 0.98 for pair in found)
    assert {pair.first for pair in found}.isdisjoint(pair.second for pair in found)


def test_a_lower_limit_finds_more() -> None:
    image = picture(1)
    noise = np.random.default_rng(0).normal(0, 30, image.shape)
    other = np.clip(0.75 * image + 0.25 * picture(2) + noise, 0, 255).astype(np.uint8)
    assert most_alike(prints(image), prints(other), near=0.999) == []
    assert len(most_alike(prints(image), prints(other), near=0.8)) == 1


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(0.3, 0.9), offset=st.integers(0, 25), seed=st.integers(0, 50))
def test_exposure_makes_no_difference(gain: float, offset: int, seed: int) -> None:
    image = picture(seed)
    exposed = np.round(image * gain + offset).astype(np.uint8)
    (pair,) = most_alike(prints(image), prints(exposed))
    assert pair.correlation > 0.99
    assert not pair.mirrored
