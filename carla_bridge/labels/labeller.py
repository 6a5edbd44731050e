"""Tells lane lines from all other paint, by picture and map together.

CARLA's tag RoadLines covers arrows, texts, stop lines and crosswalks as well (CARLA issues 4346
and 4801); the map alone knows neither what is hidden nor what is worn. Here each painted pixel is
put back onto the road, by the depth camera or by the road surface of the map, and is a lane line
where a marked lane border runs. What the picture does not show is therefore never labelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carla_bridge.labels.ego_way import EgoWay, ego_way
from carla_bridge.labels.frame_labels import ROAD, FrameLabels, LabelOptions, SeenBorder
from carla_bridge.labels.lane_map import lane_map_of
from carla_bridge.labels.matching import BorderMatcher, Matches
from carla_bridge.labels.paint import Paint, View, paint_of
from carla_bridge.labels.road_surface import RoadSurface, SeenSurface
from carla_bridge.pinhole import PinholeCamera
from lane_seg.carla_tags import tags_of
from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    import carla

__all__ = ['LaneLabeller']

_MOST_BORDERS = 255
_EGO_NEARER_M, _OURS_NEARER_M = 6.0, 3.0
"""In junctions lanes lie on each other: ours is drawn as if it were so much nearer."""


class LaneLabeller:
    """Labels the images of one town; not for two threads at once.

    Args:
        map_: of the town. It is read once, which takes a second or a few.
        version: of the server, for the numbers of its tags: '0.9.16'.
        options: how to label.

    Raises:
        LaneSegError: the map has no lanes, or the version cannot be read.
    """

    def __init__(self, map_: carla.Map, version: str, options: LabelOptions | None = None) -> None:
        self.options = options or LabelOptions()
        self._map = map_
        tags = tags_of(version)
        self._road_tag, self._paint_tag = tags['Roads'], tags['RoadLines']
        self._lanes = lane_map_of(map_)
        self._matcher = BorderMatcher(self._lanes, self.options)
        self._surface = RoadSurface(self._lanes.lanes.values())
        self._number = {key: index for index, key in enumerate(self._surface.keys)}

    def label(
        self,
        tags: NDArray[np.uint8],
        camera: PinholeCamera,
        world_from_sensor: NDArray[np.float64],
        *,
        depth_m: NDArray[np.float32] | None = None,
        world_from_ego: carla.Transform | None = None,
    ) -> FrameLabels:
        """Label one image.

        Args:
            tags: (H, W) uint8, of the semantic camera.
            camera: that took it.
            world_from_sensor: (4, 4), `carla.Transform.get_matrix()` of the image.
            depth_m: (H, W) metres, of a depth camera at the same place. Without it the road
                surface of the map says where paint lies, which is as good where both agree.
            world_from_ego: place of the ego vehicle in the world; None takes that of the camera.

        Raises:
            LaneSegError: sizes do not agree, or the place is none.
        """
        view = View(camera, _checked(tags, camera, world_from_sensor, depth_m))
        way = self._ego_way(view, world_from_ego)
        seen = self._seen_surface(view, way)
        painted = tags == self._paint_tag
        paint = paint_of(painted, view, seen, depth_m)
        matches = self._matcher.match(paint, painted, view, seen)
        label = (tags == self._road_tag).astype(np.uint8) * np.uint8(ROAD)
        label[paint.rows, paint.columns] = matches.value
        borders, lanes = self._instances(painted.shape, paint, matches, way)
        area = self._area(tags, seen, way) if self.options.area else None
        return FrameLabels(label, lanes, borders, area)

    def _ego_way(self, view: View, ego: carla.Transform | None) -> EgoWay | None:
        import carla

        place = carla.Location(*view.origin.tolist()) if ego is None else ego.location
        return ego_way(self._map, self._lanes.lanes, place, range_m=self.options.range_m)

    def _seen_surface(self, view: View, way: EgoWay | None) -> SeenSurface:
        nearer = np.zeros(len(self._surface.keys))
        if way is not None:
            for index, (road, section, lane) in enumerate(self._surface.keys):
                if way.roads.get((road, section), 0) * lane > 0:
                    nearer[index] = _OURS_NEARER_M
            for key in way.lanes:
                nearer[self._number[key]] = _EGO_NEARER_M
        return self._surface.seen(
            view.camera, view.pose, range_m=self.options.range_m, nearer=nearer
        )

    def _instances(
        self, shape: tuple[int, ...], paint: Paint, matches: Matches, way: EgoWay | None
    ) -> tuple[tuple[SeenBorder, ...], NDArray[np.uint8]]:
        """Number the borders in the image, those with more pixels first."""
        lanes, border = np.zeros(shape, np.uint8), matches.border
        counts = np.bincount(border[border >= 0], minlength=len(self._lanes.borders))
        order = np.argsort(-counts, kind='stable')
        order = order[counts[order] > 0][:_MOST_BORDERS]
        number = np.zeros(len(counts) + 1, np.uint8)  # the last one is for -1
        number[order] = np.arange(1, len(order) + 1)
        lanes[paint.rows, paint.columns] = number[border]
        seen = []
        for index in order.tolist():
            it = self._lanes.borders[index]
            seen.append(
                SeenBorder(
                    instance=it.line,
                    road=it.key.road,
                    section=it.key.section,
                    lane=it.key.lane,
                    kind=it.kind,
                    colour=it.colour,
                    side='other' if way is None else way.side_of(it.key),
                    pixels=int(counts[index]),
                    offset_m=round(float(matches.offset_m[index]), 3),
                )
            )
        return tuple(seen), lanes

    def _area(
        self, tags: NDArray[np.uint8], seen: SeenSurface, way: EgoWay | None
    ) -> NDArray[np.uint8]:
        """Return what each pixel's lane is to the ego vehicle; hidden road is none."""
        if way is None:
            return np.zeros(tags.shape, np.uint8)
        keys, pieces = self._surface.keys, np.zeros(len(seen.lane) + 1, np.uint8)
        for lane in np.unique(seen.lane[seen.lane >= 0]).tolist():
            pieces[1:][seen.lane == lane] = way.area_of(self._lanes.lanes[keys[lane]])
        area = pieces[seen.piece]
        area[(tags != self._road_tag) & (tags != self._paint_tag)] = 0
        return area


def _checked(
    tags: NDArray[np.uint8],
    camera: PinholeCamera,
    world_from_sensor: NDArray[np.float64],
    depth_m: NDArray[np.float32] | None,
) -> NDArray[np.float64]:
    """Return the pose as an array, after a look at all sizes."""
    size = (camera.height, camera.width)
    if tags.shape != size or tags.dtype != np.uint8:
        raise LaneSegError(
            f'expected tags of shape {size} and type uint8 as the camera has, found {tags.shape} '
            f'and {tags.dtype}; take the red channel of the semantic image'
        )
    if depth_m is not None and depth_m.shape != size:
        raise LaneSegError(
            f'expected a depth image of shape {size} like the tags, found {depth_m.shape}; give '
            'both cameras one size'
        )
    pose = np.asarray(world_from_sensor, np.float64)
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        raise LaneSegError(
            f'expected a finite (4, 4) matrix as place of the camera, found {world_from_sensor}; '
            'use image.transform.get_matrix()'
        )
    return pose
