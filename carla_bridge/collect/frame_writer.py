"""Labels a frame and adds it to the recording, while the world goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from carla_bridge.camera_images import (
    metres_from_depth,
    pixels_of,
    plain_transform,
    tags_of_image,
)
from carla_bridge.pinhole import PinholeCamera

if TYPE_CHECKING:
    import carla

    from carla_bridge.labels import LaneLabeller
    from carla_bridge.recording.recording import Recording
    from carla_bridge.recording.sweep import Drive

__all__ = ['FrameWriter', 'Shot']


@dataclass(frozen=True)
class Shot:
    """A frame as the simulator gave it.

    Attributes:
        drive: that it belongs to.
        index: among the written frames of the drive.
        split: that it belongs to.
        data: images of the cameras 'rgb', 'seg' and 'depth', all of one tick.
        ego: where the car was.
        place: number of the place, for a drive that goes on later.
        weather: {attribute: value}.
    """

    drive: Drive
    index: int
    split: str
    data: dict[str, carla.SensorData]
    ego: carla.Transform
    place: int
    weather: dict[str, float]


class FrameWriter:
    """Writes frames of one town.

    Args:
        recording: to write to.
        labeller: of the town.
        layers: of the plan.
        on_frame: called with name and split after each written frame.
    """

    def __init__(
        self,
        recording: Recording,
        labeller: LaneLabeller,
        layers: tuple[str, ...],
        on_frame: Callable[[str, str], None],
    ) -> None:
        self._recording = recording
        self._labeller = labeller
        self._layers = layers
        self._on_frame = on_frame

    def write(self, shot: Shot) -> None:
        """Label a frame and add it to the recording.

        Raises:
            LaneSegError: there is no room for it.
        """
        rgb, seg, depth = (shot.data[name] for name in ('rgb', 'seg', 'depth'))
        tags = tags_of_image(seg)
        labels = self._labeller.label(
            tags,
            PinholeCamera(rgb.width, rgb.height, rgb.fov),
            np.array(seg.transform.get_matrix()),
            depth_m=metres_from_depth(pixels_of(depth)),
            world_from_ego=shot.ego,
        )
        images = {
            'rgb': pixels_of(rgb)[..., :3],
            'seg': tags,
            'label': labels.label,
            'lanes': labels.lanes,
            'depth': pixels_of(depth)[..., :3],
        }
        if labels.area is not None:
            images['area'] = labels.area
        drive = shot.drive
        facts: dict[str, object] = {
            'town': drive.town,
            'weather': drive.weather.name,
            'weather_values': shot.weather,
            'seed': drive.seed,
            'route': drive.route,
            'index': shot.index,
            'place': shot.place,
            'frame': rgb.frame,
            'timestamp': rgb.timestamp,
            'ego_transform': plain_transform(shot.ego),
            'camera_transform': plain_transform(rgb.transform),
            'fov': rgb.fov,
            'width': rgb.width,
            'height': rgb.height,
            'version': self._recording.version,
            'borders': [asdict(border) for border in labels.borders],
        }
        name = drive.frame_name(shot.index)
        layers = {layer: images[layer] for layer in self._layers}
        self._recording.add(name, shot.split, layers, facts)
        self._on_frame(name, shot.split)
