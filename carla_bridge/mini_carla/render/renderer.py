"""The cameras of mini_carla: picture, semantic and instance label, depth of one town."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Box, Town, Transform
from carla_bridge.mini_carla.render.boxes import BoxSet
from carla_bridge.mini_carla.render.camera import View
from carla_bridge.mini_carla.render.ground import Ground
from carla_bridge.mini_carla.render.items import ItemBuffer
from carla_bridge.mini_carla.render.labels import tag_table
from carla_bridge.mini_carla.render.lens import Lens
from carla_bridge.mini_carla.render.rays import PixelRays
from carla_bridge.mini_carla.render.shading import Shader
from carla_bridge.mini_carla.render.sky import SKY
from carla_bridge.mini_carla.render.solids import Solids
from carla_bridge.mini_carla.render.weather import Light, Weather
from carla_bridge.pinhole import PinholeCamera
from lane_seg.errors import LaneSegError

__all__ = ['PICTURES', 'Renderer']

PICTURES: Final = ('rgb', 'semantic', 'instance', 'depth')
"""What `Renderer.render` can return."""


class Renderer:
    """Draws one town.

    Equal arguments give equal arrays, whatever was drawn before. A renderer belongs to one
    thread. OpenCV's own threads are of no use to it: call `cv2.setNumThreads(1)`.

    Args:
        town: what stands still.
        seed: decides textures, clouds and noise.
        version: of the CARLA server that is played, for the numbers of the semantic tags.
    """

    def __init__(self, town: Town, seed: int, version: str = '0.9.16') -> None:
        self._ground = Ground(town.surfaces)
        self._solids = Solids(town.boxes, town.height)
        self._shader = Shader(seed)
        self._lens = Lens(seed)
        self._tags = tag_table(version)

    def render(
        self,
        camera: PinholeCamera,
        transform: Transform,
        boxes: Sequence[Box],
        weather: Weather,
        kinds: Collection[str],
        frame: int,
    ) -> dict[str, NDArray[np.generic]]:
        """Draw what one camera sees; all kinds come from the same polygons.

        Args:
            camera: image size and field of view.
            transform: of the camera in the world; it looks along its x axis.
            boxes: what moves: the traffic, the ego vehicle included.
            weather: only the picture depends on it.
            kinds: out of `PICTURES`.
            frame: number of the frame within the episode; rain and noise follow it.

        Returns:
            For each of `kinds`:

            - 'rgb': (H, W, 4) uint8 BGRA, alpha 255.
            - 'semantic': (H, W) uint8, CARLA's tag of what the pixel's centre shows.
            - 'instance': (H, W, 2) uint16, that tag and the instance, 0 for sky and plain.
            - 'depth': (H, W) float32, metres along the optical axis, at most 1000.

        Raises:
            LaneSegError: a kind is unknown.
        """
        unknown = set(kinds) - set(PICTURES)
        if unknown:
            raise LaneSegError(f'expected kinds out of {PICTURES}, found {sorted(unknown)}')
        view = View(camera, transform)
        buffer = ItemBuffer(camera)
        buffer.add(SKY)
        self._ground.draw(view, buffer)
        moving = BoxSet(boxes)
        self._solids.draw(view, buffer, moving, level=self._ground.level)
        ids = buffer.pixels()
        tag = self._tags[buffer.items.kind]
        result: dict[str, NDArray[np.generic]] = {}
        if 'semantic' in kinds:
            result['semantic'] = np.take(tag, ids)
        if 'instance' in kinds:
            both = np.stack([tag.astype(np.uint16), buffer.items.instance], axis=1)
            result['instance'] = both[ids]
        if 'depth' in kinds:
            result['depth'] = PixelRays(view).depth(ids, buffer.items.plane)
        if 'rgb' in kinds:
            light = Light(weather)
            picture = self._shader.picture(view, buffer, light, (self._solids.still, moving))
            self._lens.apply(picture, light, frame)
            result['rgb'] = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
        return result
