"""Which cameras take an image in a tick, and what goes on the wire of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.actors import Actors, Camera, Sensor
from carla_bridge.mini_carla.geometry import Box, Transform
from carla_bridge.mini_carla.wire import camera_body_header
from carla_bridge.pinhole import PinholeCamera

if TYPE_CHECKING:
    from carla_bridge.mini_carla.render.renderer import Renderer
    from carla_bridge.mini_carla.render.weather import Weather

__all__ = ['bgra_of', 'due', 'shoot']

FAR_M = 1000.0
_TOLERANCE_S = 1e-6
_Sensor = TypeVar('_Sensor', bound=Sensor)


def due(sensors: Iterable[_Sensor], elapsed_s: float) -> list[_Sensor]:
    """Return the sensors whose next measurement is due, and note when the one after that is.

    Args:
        sensors: to look at.
        elapsed_s: simulated seconds.
    """
    found = []
    for sensor in sensors:
        if sensor.due_s is not None and elapsed_s + _TOLERANCE_S < sensor.due_s:
            continue
        # From the time that was asked for, so that the periods do not add up their rounding;
        # after a pause there is one measurement, and not all those missed.
        following_s = elapsed_s if sensor.due_s is None else sensor.due_s
        following_s += sensor.period_s
        sensor.due_s = following_s if following_s > elapsed_s else elapsed_s + sensor.period_s
        found.append(sensor)
    return found


def shoot(
    cameras: Iterable[Camera],
    actors: Actors,
    renderer: Renderer,
    weather: Weather,
    frame: int,
    send: Callable[[Camera, Transform, tuple[bytes, memoryview]], None],
) -> None:
    """Render and send one image of each camera.

    Cameras of one place, size and field of view, such as those for a picture and its labels, are
    rendered together. A car never sees itself: a camera inside of its body would see nothing else.

    Args:
        cameras: that are due.
        actors: of the episode.
        renderer: of the town.
        weather: of the episode.
        frame: number of the tick in its episode; decides the noise.
        send: is handed each camera, its place, and the body of its frame in two pieces.
    """
    together: dict[tuple[int, Transform, PinholeCamera], list[Camera]] = {}
    for camera in cameras:
        spec = PinholeCamera(camera.width, camera.height, camera.fov_deg)
        key = (actors.root(camera).id if camera.parent else 0, actors.place(camera), spec)
        together.setdefault(key, []).append(camera)
    for (own_id, place, spec), group in together.items():
        boxes = _boxes(actors, without=own_id)
        kinds = {camera.kind for camera in group}
        layers = renderer.render(spec, place, boxes, weather, kinds, frame)
        head = camera_body_header(spec.width, spec.height, spec.fov_deg)
        for camera in group:
            image = bgra_of(camera.kind, layers[camera.kind])
            send(camera, place, (head, memoryview(image.data).cast('B')))


def bgra_of(kind: str, layer: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return a layer of the renderer as CARLA encodes it.

    Args:
        kind: 'rgb', 'semantic', 'instance' or 'depth'.
        layer: (H, W, 4) uint8 BGRA; (H, W) uint8 tags; (H, W, 2) uint16 tag and number; (H, W)
            float32 metres.

    Returns:
        (H, W, 4) uint8 BGRA, contiguous. Tags stand in red; the number of an instance in green
        (low byte) and blue (high byte); depth is (R + 256 G + 65536 B) / (2^24 - 1) kilometres.
    """
    if kind == 'rgb':
        return np.ascontiguousarray(layer, np.uint8)
    image = np.zeros((*layer.shape[:2], 4), np.uint8)
    image[..., 3] = 255
    if kind == 'semantic':
        image[..., 2] = layer
    elif kind == 'instance':
        numbers = layer[..., 1].astype(np.uint16)
        image[..., 2] = layer[..., 0]
        image[..., 1] = numbers & 255
        image[..., 0] = numbers >> 8
    else:
        steps = np.clip(layer.astype(np.float64) / FAR_M, 0.0, 1.0) * (2**24 - 1)
        little = np.rint(steps).astype('<u4').view(np.uint8).reshape(*layer.shape, 4)
        image[..., :3] = little[..., 2::-1]
    return image


def _boxes(actors: Actors, *, without: int) -> list[Box]:
    """Return the vehicles as boxes, but for one."""
    boxes = []
    for vehicle in actors.vehicles():
        if vehicle.id == without:
            continue
        centre = vehicle.transform.matrix() @ (0.0, 0.0, vehicle.extent[2], 1.0)
        x, y, z = (float(value) for value in centre[:3])
        angles = vehicle.transform
        place = Transform(x, y, z, angles.pitch, angles.yaw, angles.roll)
        number = 1 + vehicle.id % 65535
        boxes.append(Box('vehicle', place, vehicle.extent, vehicle.colour, number))
    return boxes
