"""Faces of boxes in the world."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.mini_carla.geometry import Box, BoxKind, Transform
from carla_bridge.mini_carla.render.boxes import BoxSet, above_ground, split
from carla_bridge.mini_carla.render.shapes import SHAPES, shape_name

angles = st.floats(-180.0, 180.0)
sizes = st.tuples(*[st.floats(0.1, 12.0)] * 3)
places = st.builds(
    Transform, st.floats(-90, 90), st.floats(-90, 90), st.floats(-9, 9), angles, angles, angles
)
kinds = st.sampled_from(['building', 'vehicle', 'pole', 'guard_rail', 'traffic_light', 'wall'])


@given(st.lists(st.builds(Box, kinds, places, sizes, st.just((9, 9, 9)), st.just(1)), max_size=4))
def test_faces_lie_in_their_box_and_look_outwards(boxes: list[Box]) -> None:
    made = BoxSet(boxes)
    faces = made.faces
    assert set(faces.box.tolist()) == set(range(len(boxes)))
    assert (np.diff(faces.box) >= 0).all()
    owner = np.repeat(faces.box, faces.polygons.counts)
    local = np.einsum('pij,pj->pi', made.axes[owner], faces.polygons.points - made.centre[owner])
    assert (np.abs(local) <= made.extent[owner] * 1.0001 + 1e-9).all()
    np.testing.assert_allclose(np.linalg.norm(faces.normal, axis=1), 1.0, atol=1e-6)
    for index in range(len(faces.box)):
        start = faces.polygons.starts[index]
        corners = faces.polygons.points[start : start + faces.polygons.counts[index]]
        flat = (corners - corners[0]) @ faces.normal[index]
        assert np.abs(flat).max() < 1e-3 * made.extent[faces.box[index]].max()


@pytest.mark.parametrize('name', ['block', 'car', 'van', 'signal'])
def test_every_side_of_a_shape_is_closed_but_the_bottom(name: str) -> None:
    shape = SHAPES[name]
    unit = shape.normals / np.linalg.norm(shape.normals, axis=1, keepdims=True)
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1)):
        assert (unit[:, axis] * sign > 0.7).any()


def test_a_tall_or_long_vehicle_is_a_van() -> None:
    assert shape_name('vehicle', (2.2, 0.9, 0.7)) == 'car'
    assert shape_name('vehicle', (2.7, 1.0, 1.2)) == 'van'
    assert shape_name('vehicle', (4.2, 1.2, 0.9)) == 'van'
    assert shape_name('building', (2.2, 0.9, 0.7)) == 'block'


@given(places, st.floats(0.5, 60.0), st.sampled_from(['wall', 'guard_rail']))
def test_pieces_of_a_long_wall_make_up_the_wall(
    place: Transform, half: float, kind: BoxKind
) -> None:
    wall = Box(kind, place, (half, 0.1, 0.5), (1, 2, 3), 4)
    pieces = split(wall)
    assert sum(piece.extent[0] for piece in pieces) == pytest.approx(half)
    assert all(piece.extent[0] <= 4.0 + 1e-9 for piece in pieces)
    whole, parts = BoxSet([wall]).corners[0], BoxSet(pieces).corners.reshape(-1, 3)
    np.testing.assert_allclose(parts.min(axis=0), whole.min(axis=0), atol=1e-6)
    np.testing.assert_allclose(parts.max(axis=0), whole.max(axis=0), atol=1e-6)


def test_a_foundation_below_the_ground_is_cut_off() -> None:
    house = Box('building', Transform(10.0, 0.0, 2.0), (5.0, 4.0, 6.0), (1, 2, 3), 4)
    cut = above_ground(house, lambda x, y: 0.1 * x)  # 0.5 m at the lower end
    assert cut.transform.z - cut.extent[2] == pytest.approx(0.5)
    assert cut.transform.z + cut.extent[2] == pytest.approx(8.0)
    tilted = Box('wall', Transform(pitch=10.0), (5.0, 4.0, 6.0), (1, 2, 3), 4)
    assert above_ground(tilted, lambda x, y: 0.0) is tilted
