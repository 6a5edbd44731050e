"""Road geometry: arc length, gentle curves, markings inside the carriageway."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg_scene.road import CentreLine, road_layout


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), s=st.floats(-1e5, 1e5))
def test_a_piece_of_road_keeps_its_length_and_never_turns_back(seed: int, s: float) -> None:
    line = CentreLine.random(np.random.default_rng(seed), min_radius_m=130.0)
    piece = line.piece(s)
    steps = np.hypot(np.diff(piece.x), np.diff(piece.y))
    np.testing.assert_allclose(steps, np.diff(piece.s), rtol=1e-9)
    assert (np.diff(piece.x) > 0).all()
    turn = np.abs(np.diff(piece.heading) / np.diff(piece.s))
    assert turn.max() <= 1 / 130.0 * 1.001


def test_a_piece_of_road_starts_at_the_origin_of_its_frame() -> None:
    piece = CentreLine.random(np.random.default_rng(3), min_radius_m=200.0).piece(123.4)
    x, y, heading = piece.at(np.array([123.4]))
    np.testing.assert_allclose([x[0], y[0], heading[0]], 0.0, atol=1e-9)


def test_two_pieces_of_one_road_have_the_same_shape_where_they_overlap() -> None:
    line = CentreLine.random(np.random.default_rng(5), min_radius_m=150.0)
    s = np.array([40.0, 60.0, 80.0])
    chords = []
    for start in (0.0, 30.0):
        x, y, _ = line.piece(start).at(s)
        chords.append(np.hypot(np.diff(x), np.diff(y)))
    np.testing.assert_allclose(chords[0], chords[1], atol=1e-3)


def test_positive_t_is_left_of_the_road() -> None:
    piece = CentreLine.random(np.random.default_rng(1), min_radius_m=300.0).piece(0.0)
    _, y, _ = piece.at(np.array([0.0]), 3.0)
    assert y[0] == pytest.approx(3.0)


@pytest.mark.parametrize('urban', [False, True])
@pytest.mark.parametrize('seed', range(40))
def test_lanes_and_markings_lie_inside_the_carriageway(seed: int, urban: bool) -> None:
    layout = road_layout(np.random.default_rng(seed), urban=urban)
    assert 1 <= layout.lanes_left + layout.lanes_right <= 4
    assert 2.8 <= layout.lane_width <= 3.7
    assert layout.right < layout.ego_t < (0.0 if layout.lanes_left else layout.left)
    assert layout.markings
    for marking in layout.markings:
        assert layout.right <= marking.right < marking.left <= layout.left
        assert 0 < marking.on <= marking.period
    for t, direction in layout.lane_centres:
        assert layout.right < t < layout.left
        assert direction == (1 if t < 0 else -1)
