"""When cameras take an image, and how it is encoded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

pytest.importorskip('msgpack')

from carla_bridge.mini_carla.actors import Camera
from carla_bridge.mini_carla.cameras import bgra_of, due
from carla_bridge.mini_carla.geometry import Transform


def camera(period_s: float) -> Camera:
    description = [1, 'sensor.camera.rgb', []]
    return Camera(1, description, Transform(), period_s=period_s)  # type: ignore[arg-type]


@pytest.mark.parametrize(('period_s', 'images'), [(0.0, 100), (0.05, 100), (0.1, 50), (0.5, 10)])
def test_a_camera_takes_an_image_each_period(period_s: float, images: int) -> None:
    eye = camera(period_s)
    shots = sum(len(due([eye], 0.05 * tick)) for tick in range(100))
    assert shots == images


def test_after_a_pause_a_camera_does_not_make_up_for_what_it_missed() -> None:
    eye = camera(0.2)
    assert due([eye], 0.0)
    assert due([eye], 50.0)
    assert not due([eye], 50.05)
    assert due([eye], 50.2)


@given(arrays.arrays(np.float32, (3, 4), elements=st.floats(0.0, 1000.0, width=32)))
def test_depth_is_decoded_as_carla_documents_it(metres: np.ndarray) -> None:
    image = bgra_of('depth', metres)
    blue, green, red = (image[..., i].astype(np.float64) for i in range(3))
    decoded = (red + 256 * green + 65536 * blue) / (2**24 - 1) * 1000
    assert np.abs(decoded - metres).max() <= 1000 / 2**24
    assert (image[..., 3] == 255).all()


def test_what_is_farther_than_the_farthest_is_white() -> None:
    assert (bgra_of('depth', np.full((1, 1), 5000, np.float32)) == 255).all()


def test_tags_stand_in_red_and_instances_in_green_and_blue() -> None:
    tags = np.array([[24, 1]], np.uint8)
    assert bgra_of('semantic', tags).tolist() == [[[0, 0, 24, 255], [0, 0, 1, 255]]]
    numbers = np.array([[[14, 0x1234]]], np.uint16)
    assert bgra_of('instance', numbers).tolist() == [[[0x12, 0x34, 14, 255]]]


def test_a_picture_stays_as_it_is() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert (bgra_of('rgb', picture) == picture).all()
