"""The warp: image and target move together, by whole conventions of pixel centres."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lane_seg.preprocess import LETTERBOX_GREY
from lane_seg_train.augment.geometry import random_warp, warped
from lane_seg_train.config import AugmentConfig
from lane_seg_train.label_sets import ANY_ID
from tests.lane_seg_train.augment.pictures import NOTHING, street

HEIGHT, WIDTH = 48, 96
configs = st.builds(
    replace,
    st.just(NOTHING),
    flip=st.sampled_from([0.0, 0.5, 1.0]),
    vertical_flip=st.sampled_from([0.0, 0.5, 1.0]),
    scale=st.tuples(st.floats(0.5, 1), st.floats(1, 2.5)),
    stretch=st.floats(0, 0.4),
    rotate_deg=st.floats(0, 45),
    shear_deg=st.floats(0, 25),
)
seeds = st.integers(0, 1 << 32)


def marker() -> tuple[np.ndarray, np.ndarray]:
    """A bright block on dark ground, its target 4 on 3."""
    image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    target = np.full((HEIGHT, WIDTH), 3, np.uint8)
    image[15:35, 30:60] = 220
    target[15:35, 30:60] = 4
    return image, target


def drawn(config: AugmentConfig, seed: int) -> np.ndarray:
    return random_warp((HEIGHT, WIDTH), config, np.random.default_rng(seed))


@settings(max_examples=200, deadline=None)
@given(configs, seeds)
def test_a_painted_marker_stays_on_its_label(config: AugmentConfig, seed: int) -> None:
    image, target = warped(*marker(), drawn(config, seed))
    bright = (image[..., 0] > 130).astype(np.uint8)
    label = (target == 4).astype(np.uint8)
    # Each lies within the other, grown by one pixel.
    grown = np.ones((3, 3), np.uint8)
    assert (bright <= cv2.dilate(label, grown)).all()
    assert (label <= cv2.dilate(bright, grown)).all()


def test_image_and_label_are_not_shifted_against_each_other() -> None:
    config = replace(NOTHING, flip=0.5, scale=(0.7, 1.8), stretch=0.2, rotate_deg=5.0)
    offsets = []
    for seed in range(300):
        image, target = warped(*marker(), drawn(replace(config, shear_deg=5.0), seed))
        light = np.clip((image[..., 0].astype(float) - 40) / 180, 0, 1)
        label = target == 4
        at_edge = label[[0, -1]].any() or label[:, [0, -1]].any()
        if (target == ANY_ID).any() or not label.any() or at_edge:
            continue
        offsets.append(
            [
                (light.sum(axis=1 - axis) @ np.arange(light.shape[axis])) / light.sum()
                - np.nonzero(label)[axis].mean()
                for axis in (0, 1)
            ]
        )
    assert len(offsets) > 20
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.1


@settings(max_examples=100, deadline=None)
@given(configs, seeds)
def test_the_void_is_what_the_warp_brings_from_outside(config: AugmentConfig, seed: int) -> None:
    matrix = drawn(config, seed)
    image, target = warped(*marker(), matrix)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    back = cv2.invertAffineTransform(matrix)
    old_columns, old_rows = np.tensordot(back, np.stack([columns, rows, np.ones_like(rows)]), 1)
    # How far an old place lies outside the outermost pixels; the nearest pixel is half a one off.
    out = np.maximum(
        np.abs(old_columns - (WIDTH - 1) / 2) - WIDTH / 2,
        np.abs(old_rows - (HEIGHT - 1) / 2) - HEIGHT / 2,
    )
    assert (target[out > 0.1] == ANY_ID).all()
    assert (target[out < -0.1] != ANY_ID).all()
    assert (image[out > 1] == LETTERBOX_GREY).all()


@given(seeds)
def test_flips_are_exact_mirrors(seed: int) -> None:
    image, target = marker()
    for key, mirror in (('flip', np.fliplr), ('vertical_flip', np.flipud)):
        matrix = drawn(replace(NOTHING, **{key: 1.0}), seed)
        new_image, new_target = warped(image, target, matrix)
        assert np.array_equal(new_image, mirror(image))
        assert np.array_equal(new_target, mirror(target))


@settings(deadline=None)
@given(seeds)
def test_a_nearly_exact_flip_shows_the_same_as_the_exact_one(seed: int) -> None:
    """The short cut for flips follows the conventions of the warp that it avoids."""
    matrix = drawn(replace(NOTHING, flip=0.5, vertical_flip=0.5), seed)
    almost = matrix.copy()
    almost[0, 1] = 1e-9
    pair = street(HEIGHT, WIDTH)
    for exact, near in zip(warped(*pair, matrix), warped(*pair, almost), strict=True):
        assert np.array_equal(exact, near)


def test_a_smaller_picture_lies_anywhere_in_the_frame() -> None:
    corners = []
    for seed in range(100):
        _, target = warped(*marker(), drawn(replace(NOTHING, scale=(0.5, 0.5)), seed))
        outside = target == ANY_ID
        assert 0.7 < outside.mean() < 0.8
        rows, columns = np.nonzero(~outside)
        corners.append((rows.min(), columns.min()))
    assert np.min(corners, axis=0).max() <= 3
    assert (np.max(corners, axis=0) >= (HEIGHT / 2 - 3, WIDTH / 2 - 3)).all()


@pytest.mark.parametrize(('zoom', 'margin'), [(2.0, 24), (3.0, 32)])
def test_a_larger_picture_shows_any_part_and_the_middle_on_average(
    zoom: float, margin: int
) -> None:
    columns = np.broadcast_to(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, WIDTH))
    image = np.repeat(columns[..., None], 3, axis=2).copy()
    config = replace(NOTHING, scale=(zoom, zoom))
    means = [warped(image, marker()[1], drawn(config, seed))[0].mean() for seed in range(400)]
    assert abs(np.mean(means) - (WIDTH - 1) / 2) < 0.15 * margin
    assert min(means) < (WIDTH - 1) / 2 - 0.7 * margin
    assert max(means) > (WIDTH - 1) / 2 + 0.7 * margin


@given(configs, seeds)
def test_zoom_and_angles_stay_in_their_ranges(config: AugmentConfig, seed: int) -> None:
    linear = drawn(replace(config, stretch=0.0, shear_deg=0.0), seed)[:, :2]
    zoom = np.sqrt(abs(np.linalg.det(linear)))
    assert config.scale[0] - 1e-9 <= zoom <= config.scale[1] + 1e-9
    # A rotation keeps what a flip may have turned round: the sine between a row and its axis.
    assert abs(linear[1, 0]) / zoom <= np.sin(np.radians(config.rotate_deg)) + 1e-9


@given(st.floats(1, 45), seeds)
def test_a_shear_keeps_level_lines_level(degrees: float, seed: int) -> None:
    linear = drawn(replace(NOTHING, shear_deg=degrees), seed)[:, :2]
    assume(linear[0, 1] != 0)
    assert linear[1].tolist() == [0, 1]
    assert linear[0, 0] == 1
    assert abs(linear[0, 1]) <= np.tan(np.radians(degrees)) + 1e-9


def test_what_shrinks_a_lot_is_averaged_and_not_sampled() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, ::2] = 255  # stripes of one pixel
    for seed in range(10):
        matrix = drawn(replace(NOTHING, scale=(0.45, 0.45)), seed)
        small, target = warped(image, np.zeros((HEIGHT, WIDTH), np.uint8), matrix)
        inside = cv2.erode((target != ANY_ID).astype(np.uint8), np.ones((3, 3))) == 1
        assert small[inside].std() < 30
