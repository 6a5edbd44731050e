"""Fog, rain, shadows, glare and night do to a street what they are named after."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg_train.augment.lamps import glare, night
from lane_seg_train.augment.shadows import shadow
from lane_seg_train.augment.view import View, relit
from lane_seg_train.augment.weather import fog, rain
from tests.lane_seg_train.augment.pictures import street

Effect = Callable[[np.ndarray, View, np.random.Generator], np.ndarray]
EFFECTS = (shadow, night, glare, fog, rain)
HEIGHT, WIDTH = 96, 192
VIEW = View(HEIGHT, WIDTH, row=32.0, column=96.0)


def checkers(low: int = 60, high: int = 160) -> np.ndarray:
    """Squares of 4 pixels: contrast everywhere."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] // 4
    levels = np.where((rows + columns) % 2, high, low)
    return np.repeat(levels[..., None], 3, axis=2).astype(np.uint8)


def row_contrast(image: np.ndarray) -> np.ndarray:
    """Mean difference of neighbours of each row."""
    return np.abs(np.diff(image.astype(float).mean(axis=2), axis=1)).mean(axis=1)


def mean_of(effect: Effect, image: np.ndarray, count: int = 40) -> np.ndarray:
    """Of many draws, (H, W, 3) float."""
    return np.mean([effect(image, VIEW, np.random.default_rng(n)) for n in range(count)], axis=0)


@pytest.mark.parametrize('effect', EFFECTS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    row=st.floats(-1, 0.75),
    column=st.floats(-1, 2),
    height=st.integers(1, 80),
    width=st.integers(1, 80),
)
def test_any_picture_and_view_gives_a_picture_of_the_same_kind(
    effect: Effect, seed: int, row: float, column: float, height: int, width: int
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    before = image.copy()
    image.flags.writeable = False
    new = effect(
        image, View(height, width, row * height, column * width), np.random.default_rng(seed)
    )
    assert new.shape == image.shape
    assert new.dtype == np.uint8
    assert np.array_equal(image, before)


@pytest.mark.parametrize('effect', EFFECTS)
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1 << 32))
def test_it_always_shows(effect: Effect, seed: int) -> None:
    image = checkers()
    new = effect(image, VIEW, np.random.default_rng(seed))
    assert np.abs(new.astype(int) - image).max() >= 8


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1 << 32), st.floats(-0.5, 0.75))
def test_a_shadow_lies_on_the_street_and_never_brightens(seed: int, horizon: float) -> None:
    image = checkers()
    view = View(HEIGHT, WIDTH, horizon * HEIGHT, 90.0)
    new = shadow(image, view, np.random.default_rng(seed))
    assert (new <= image).all()
    above = max(int(view.row), 0)
    assert np.array_equal(new[:above], image[:above])


def test_shadows_have_edges_and_leave_light_between_them() -> None:
    grey = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    shares = []
    for seed in range(60):
        below = shadow(grey, VIEW, np.random.default_rng(seed))[40:, :, 1]
        shares.append((below < 180).mean())
    assert 0.1 < np.mean(shares) < 0.6
    assert np.mean(np.array(shares) < 0.95) > 0.9


def test_fog_takes_more_contrast_the_nearer_to_the_horizon() -> None:
    image = checkers()
    left = row_contrast(mean_of(fog, image)) / row_contrast(image)
    far, middle, near = left[34:40].mean(), left[50:60].mean(), left[85:].mean()
    assert far < 0.6 * middle
    assert middle < 0.95 * near
    assert near < 1


def test_night_is_dark_but_for_the_street_ahead() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    new = mean_of(night, image)
    sky, street_ahead, kerb = new[:16], new[48:80, 80:112], new[48:80, :20]
    assert sky.mean() < 20
    assert street_ahead.mean() > 4 * sky.mean()
    assert street_ahead.mean() > 1.5 * kerb.mean()


def test_a_street_at_night_can_be_seen_whatever_the_day_was() -> None:
    for level in (40, 120, 230):
        new = mean_of(night, np.full((HEIGHT, WIDTH, 3), level, np.uint8))
        assert 40 < new[48:80, 80:112].mean() < 140


def test_glare_has_a_blinding_spot_and_a_veil() -> None:
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    brightest, darkest = [], []
    for seed in range(40):
        new = glare(black, VIEW, np.random.default_rng(seed))
        brightest.append(new.max())
        darkest.append(new.max(axis=2).min())
    assert np.mean(np.array(brightest) > 200) > 0.7
    assert np.mean(darkest) > 10


def test_a_wet_street_mirrors_what_stands_above_it() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    image[:32, :96] = 250  # bright sky on the left, a dark house on the right
    image[:32, 96:] = 10
    below = mean_of(rain, image)[40:60]
    assert below[:, 20:80].mean() > below[:, 112:172].mean() + 15


def test_rain_draws_upright_streaks() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    across, down = [], []
    for seed in range(40):
        new = rain(image, VIEW, np.random.default_rng(seed))[..., 1].astype(float)
        across.append((np.abs(np.diff(new, axis=1)) > 20).mean())
        down.append((np.abs(np.diff(new, axis=0)) > 20).mean())
    assert np.mean(across) > 0.003
    assert np.mean(across) > 1.5 * np.mean(down)


def test_a_view_moves_with_the_picture() -> None:
    for seed in range(20):
        shape, still = (100, 200), np.array([[1.0, 0, 0], [0, 1.0, 0]])
        moved = np.array([[1.2, 0, -10], [0, 1.2, -15]])
        old = View.random(shape, still, np.random.default_rng(seed))
        new = View.random(shape, moved, np.random.default_rng(seed))
        assert new.row == pytest.approx(1.2 * old.row - 15)
        assert new.column == pytest.approx(1.2 * old.column - 10)


def test_depth_grows_towards_the_horizon() -> None:
    depth = VIEW.depth(0.05)[:, 24]
    assert (np.diff(depth[9:]) < 0).all()
    assert depth[-1] == pytest.approx(1, abs=0.1)
    assert depth.max() <= 25


def test_light_that_stays_and_light_that_is_added() -> None:
    image, _ = street(64, 128)
    whole = np.ones((16, 32), np.float32)
    none = np.zeros((16, 32, 3), np.float32)
    assert np.array_equal(relit(image, whole, none), image)
    assert (relit(image, 0 * whole, none + 7) == 7).all()
    assert (relit(image, whole, none + 300) == 255).all()
