"""Labels against the renderer's own knowledge of what is a lane line, and against geometry."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip('carla', reason='needs the carla client')

from carla_bridge.labels import LANE_MARKING, ROAD, UNLABELED, LabelOptions  # noqa: E402
from carla_bridge.mini_carla.geometry import Transform  # noqa: E402
from carla_bridge.mini_carla.render.ground import GONE  # noqa: E402
from carla_bridge.mini_carla.towns import available_towns  # noqa: E402
from carla_bridge.mini_carla.towns.catalogue import TOWNS  # noqa: E402
from carla_bridge.mini_carla.towns.paint import painted_stretches  # noqa: E402
from tests.carla_bridge.labels.scenes import (  # noqa: E402
    CAMERA,
    ROAD_LINES,
    Scene,
    labeller,
    scene,
    scenes,
    town,
)

pytestmark = pytest.mark.carla

SCENES = 5
FINE = 4  # samples per pixel and axis, so that OpenCV's own rounding is a quarter of a pixel
PIXEL = np.ones((2 * FINE + 1, 2 * FINE + 1), np.uint8)


def labels_of(name: str, seen: Scene, *, with_depth: bool) -> NDArray[np.uint8]:
    depth = seen.depth if with_depth else None
    return labeller(name).label(seen.tags, CAMERA, seen.pose.matrix(), depth_m=depth).label


@pytest.mark.parametrize('with_depth', [True, False])
@pytest.mark.parametrize('name', available_towns())
def test_lane_lines_are_told_from_all_other_paint(
    name: str, with_depth: bool, record_property: Callable[[str, object], None]
) -> None:
    hit = wrong = missed = undecided = lane = others = others_road = 0
    for seen in scenes(name, SCENES):
        label = labels_of(name, seen, with_depth=with_depth)
        found = label == LANE_MARKING
        hit += int((found & seen.lane).sum())
        wrong += int((found & ~seen.lane).sum())
        missed += int((seen.lane & (label == ROAD)).sum())
        undecided += int((seen.lane & (label == UNLABELED)).sum())
        lane += int(seen.lane.sum())
        other = (seen.tags == ROAD_LINES) & ~seen.lane
        others += int(other.sum())
        others_road += int((other & (label == ROAD)).sum())
    iou = hit / (hit + wrong + missed)
    measured = (
        f'{name}: IoU {iou:.5f}; of {lane} lane pixels {missed} missed, {undecided} unlabeled; '
        f'{wrong} of {others} pixels of other paint wrong, {others_road} road'
    )
    record_property('labels', measured)
    assert lane > 8000, measured
    assert iou > (0.997 if others else 0.999), measured
    assert undecided < 0.012 * lane, measured
    if others:
        assert wrong < 0.02 * others, measured
        assert others_road > 0.8 * others, measured


@pytest.mark.parametrize('name', available_towns())
def test_instances_are_the_borders_that_were_painted(name: str) -> None:
    stretches = list(painted_stretches(TOWNS[name]().network))
    numbers = sorted({item.instance for item in town(name).surfaces if item.kind == 'lane_mark'})
    stretch_of = dict(zip(numbers, stretches, strict=True))
    compared = 0
    for seen in scenes(name, SCENES):
        labels = labeller(name).label(seen.tags, CAMERA, seen.pose.matrix(), depth_m=seen.depth)
        for number, border in enumerate(labels.borders, 1):
            shown = labels.lanes == number
            assert shown.sum() == border.pixels
            # Farther away two borders share a pixel.
            shown &= seen.depth < 60.0
            if shown.sum() < 50:
                continue
            marks, counts = np.unique(seen.mark[shown], return_counts=True)
            stretch = stretch_of[int(marks[counts.argmax()])]
            # The rest are pixels at the very end of a stretch, where the next one begins.
            assert counts.max() > 0.97 * shown.sum()
            assert (border.road, border.lane) == (stretch.road.id, stretch.lane.id)
            assert (border.kind, border.colour) == (stretch.mark.kind, stretch.mark.colour)
            compared += 1
    assert compared > SCENES


@pytest.mark.parametrize('name', available_towns())
def test_labels_agree_with_the_analytic_projection_to_a_pixel(name: str) -> None:
    """The marks are projected a second time here, by OpenCV, from the polygons of the paint."""
    marks = [
        item.vertices
        for item in town(name).surfaces
        if item.kind == 'lane_mark' and item.wear < GONE
    ]
    checked = 0
    for seen in scenes(name, 3, seed=5):
        analytic = projected_marks(marks, seen)
        # Pieces of paint are up to 6 m long, and those that reach behind the camera left out.
        near = (seen.depth > 6.5) & (seen.depth < 30.0) & np.isin(seen.tags, (1, ROAD_LINES))
        other = (seen.tags == ROAD_LINES) & ~seen.lane
        near &= ~cv2.dilate(other.astype(np.uint8), np.ones((3, 3))).astype(bool)
        found = labels_of(name, seen, with_depth=True) == LANE_MARKING
        grown, core = (shape(analytic, PIXEL) > 0 for shape in (cv2.dilate, cv2.erode))
        grown, core = (fine[FINE // 2 :: FINE, FINE // 2 :: FINE] for fine in (grown, core))
        assert not (found & near & ~grown).any()
        assert not (core & near & ~found).any()
        checked += int((found & near).sum())
    assert checked > 1000


def projected_marks(polygons: list[NDArray[np.float32]], seen: Scene) -> NDArray[np.uint8]:
    """Project polygons near the camera, (FINE * H, FINE * W) uint8, 1 for paint."""
    pose = seen.pose.matrix()
    drawn = np.zeros((FINE * CAMERA.height, FINE * CAMERA.width), np.uint8)
    # OpenCV's camera looks along z with y down; its rotations have no mirror in them, so the world
    # becomes a right-handed one first, with y to the left.
    mirror = np.diag([1.0, -1.0, 1.0])
    optical = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    turn = optical @ pose[:3, :3].T @ mirror
    assert np.linalg.det(turn) > 0.99
    vector, _ = cv2.Rodrigues(turn)
    shift = -turn @ mirror @ pose[:3, 3]
    for polygon in polygons:
        points = polygon.astype(np.float64) @ mirror
        depth = (points @ turn.T + shift)[:, 2]
        if depth.min() < 0.1 or depth.max() > 40.0:
            continue
        uv, _ = cv2.projectPoints(points, vector, shift, CAMERA.matrix, None)
        fixed = np.rint((FINE * np.clip(uv[:, 0], -5000, 5000) - 0.5) * 256).astype(np.int32)
        cv2.fillPoly(drawn, [fixed], 1, cv2.LINE_8, 8)
    return drawn


@pytest.mark.parametrize('name', available_towns())
def test_lines_beside_their_marks_are_followed(name: str) -> None:
    """The camera is told to be 20 cm to the right: as if all paint lay beside the map's marks."""
    hit = wrong = lane = 0
    offsets = []
    for seen in scenes(name, 3, seed=2):
        moved = seen.pose.matrix()
        moved[:3, 3] += 0.2 * moved[:3, 1]
        labels = labeller(name).label(seen.tags, CAMERA, moved, depth_m=seen.depth)
        found = labels.label == LANE_MARKING
        hit += int((found & seen.lane).sum())
        wrong += int((found & ~seen.lane).sum())
        lane += int(seen.lane.sum())
        offsets += [abs(border.offset_m) for border in labels.borders if border.pixels > 400]
    assert hit > 0.85 * lane
    assert wrong < 0.01 * lane
    assert np.median(offsets) == pytest.approx(0.2, abs=0.03)


def test_without_following_such_lines_are_unlabeled_and_never_road() -> None:
    stubborn = labeller('Town_ring', LabelOptions(follow_m=0.0))
    for seen in scenes('Town_ring', 2, seed=2):
        moved = seen.pose.matrix()
        moved[:3, 3] += 0.25 * moved[:3, 1]
        label = stubborn.label(seen.tags, CAMERA, moved, depth_m=seen.depth).label
        near = seen.lane & (seen.depth < 20.0)
        assert (label[near] == UNLABELED).mean() > 0.4
        assert (label[near] == ROAD).mean() < 0.05


def test_hidden_borders_are_never_labelled() -> None:
    """A wall of cars: not one pixel of label on them, whatever lies behind."""
    for seen in scenes('Town_ring', 4, seed=9):
        labels = labeller('Town_ring').label(seen.tags, CAMERA, seen.pose.matrix())
        unpainted = seen.tags != ROAD_LINES
        assert not (labels.label[unpainted] == LANE_MARKING).any()
        assert not labels.lanes[unpainted].any()


def test_a_view_across_a_crest_takes_the_near_road() -> None:
    """Without depth the road of the map itself hides what lies behind the hill."""
    name = 'Town_hills'
    for at in town(name).spawn_points[::53]:
        pose = Transform(at.x, at.y, town(name).height(at.x, at.y) + 1.5, at.pitch, at.yaw)
        seen = scene(name, pose)
        by_map = labels_of(name, seen, with_depth=False)
        assert not ((by_map == LANE_MARKING) & ~seen.lane).any()
        assert ((by_map == LANE_MARKING) & seen.lane).sum() > 0.98 * seen.lane.sum()
