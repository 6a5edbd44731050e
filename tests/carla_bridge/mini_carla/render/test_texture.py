"""Textures of the ground."""

from __future__ import annotations

import numpy as np
import pytest

from carla_bridge.mini_carla.render.texture import (
    MipTexture,
    SmoothTexture,
    cracked,
    spectral_noise,
)

NOISE = spectral_noise(np.random.default_rng(0), 256, 0.5)


def test_noise_is_normalised_and_continues_over_its_border() -> None:
    assert NOISE.mean() == pytest.approx(0.0, abs=1e-4)
    assert NOISE.std() == pytest.approx(1.0, abs=1e-4)
    soft = spectral_noise(np.random.default_rng(0), 256, 1.5)
    across = np.abs(soft[:, 0] - soft[:, -1]).mean()
    within = np.abs(np.diff(soft, axis=1)).mean()
    assert across < 2 * within


def test_a_steeper_spectrum_is_softer() -> None:
    def roughness(slope: float) -> float:
        noise = spectral_noise(np.random.default_rng(0), 256, slope)
        return float(np.abs(np.diff(noise, axis=0)).mean())

    assert roughness(0.2) > 2 * roughness(1.5)


def test_cracks_only_lower_some_of_the_tile() -> None:
    changed = cracked(np.random.default_rng(1), NOISE, 3, 2.0)
    assert (changed <= NOISE).all()
    assert 0.0 < (changed < NOISE).mean() < 0.1


def test_a_near_pixel_sees_its_texel_and_the_tile_repeats() -> None:
    texture = MipTexture(NOISE, 0.5)
    x, y = np.array([3.6, 3.6 + 128.0], np.float32), np.array([10.2, 10.2], np.float32)
    found = texture.at(texture.index(x, y, np.full(2, 0.1, np.float32)))
    np.testing.assert_array_equal(found, NOISE[20, 7])


def test_a_far_pixel_sees_the_mean_of_many_texels() -> None:
    texture = MipTexture(NOISE, 1.0)
    x, y = np.full(1, 17.0, np.float32), np.full(1, 33.0, np.float32)
    found = texture.at(texture.index(x, y, np.full(1, 9.0, np.float32)))
    assert found[0] == pytest.approx(NOISE[32:40, 16:24].mean(), abs=1e-5)


def test_a_smooth_texture_passes_through_its_texels() -> None:
    texture = SmoothTexture(NOISE, 2.0)
    y, x = np.mgrid[0:8, 0:8].astype(np.float32) * 2.0
    found = texture.at(x, y)
    assert found.shape == (8, 8)
    assert found[0, 0] == pytest.approx(NOISE[0, 0], abs=1e-3)
    assert texture.period_m == 512.0
