"""Where images come from: cameras of a world that we tick, or of one that somebody else ticks."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from carla_bridge.sensor_frames import FrameLostError, SensorFrames

if TYPE_CHECKING:
    import carla

__all__ = ['PassingImages', 'WatchedCameras']

_T = TypeVar('_T')
_WAITING = 4
_IMAGE_S = 10.0
# listen() returns before the connection stands: the first ticks may go by without an image.
_FIRST_TICKS, _FIRST_IMAGE_S = 5, 0.2
_UNWATCHED_TICKS = 40


@dataclass
class _Listening:
    frames: SensorFrames
    came: bool = False
    ticks: int = 0
    unwatched_ticks: int = 0


class WatchedCameras:
    """Cameras of a synchronous world, of which those that nobody watches are not rendered.

    A camera without a listener costs the simulator nothing: one that nobody watches for a while
    is not listened to until somebody does.

    Args:
        sensors: {name: camera}.
        watched: whether somebody wants the images of a camera.
    """

    def __init__(
        self, sensors: Mapping[str, carla.Sensor], watched: Callable[[str], bool]
    ) -> None:
        self._sensors = dict(sensors)
        self._watched = watched
        self._listening = {
            name: _Listening(SensorFrames({name: sensor})) for name, sensor in sensors.items()
        }

    def get(self, frame: int) -> tuple[dict[str, carla.Image], list[FrameLostError]]:
        """Return the images of a tick by camera, and which of them did not come.

        Args:
            frame: number of the tick that has just been done.
        """
        images: dict[str, carla.Image] = {}
        lost: list[FrameLostError] = []
        for listening in self._listening.values():
            listening.ticks += 1
            first = not listening.came and listening.ticks <= _FIRST_TICKS
            try:
                images |= listening.frames.get(
                    frame, timeout_s=_FIRST_IMAGE_S if first else _IMAGE_S
                )
                listening.came = True
            except FrameLostError as error:
                if not first:
                    lost.append(error)
        return images, lost

    def look_who_watches(self) -> None:
        """Begin or cease to listen, between two ticks."""
        for name, sensor in self._sensors.items():
            listening = self._listening.get(name)
            if self._watched(name):
                if listening is None:
                    self._listening[name] = _Listening(SensorFrames({name: sensor}))
                else:
                    listening.unwatched_ticks = 0
            elif listening is not None:
                listening.unwatched_ticks += 1
                # A stream that is given up while it is still being connected crashes the client.
                if listening.came and listening.unwatched_ticks > _UNWATCHED_TICKS:
                    listening.frames.stop()
                    del self._listening[name]

    def stop(self) -> None:
        """Stop listening."""
        for listening in self._listening.values():
            listening.frames.stop()
        self._listening.clear()


class PassingImages:
    """Keeps what has come and was not taken yet: the last few images of each camera.

    Nobody waits for us in such a world: what comes faster than it is taken away is dropped, the
    oldest first, and counted. The client's threads do no more than put it there.

    Args:
        world: whose ticks are wanted.
        sensors: {name: camera}; they are kept, for a sensor without a reference is destroyed.
    """

    def __init__(self, world: carla.World, sensors: Mapping[str, carla.Sensor]) -> None:
        self._world = world
        self._sensors = dict(sensors)
        self._something = threading.Event()
        self._lock = threading.Lock()
        self._ticks: collections.deque[carla.WorldSnapshot] = collections.deque(maxlen=_WAITING)
        self._images: dict[str, collections.deque[carla.Image]] = {
            name: collections.deque(maxlen=_WAITING) for name in sensors
        }
        self.dropped = 0
        self._on_tick = world.on_tick(lambda tick: self._put(self._ticks, tick))
        for name, sensor in self._sensors.items():
            waiting = self._images[name]
            sensor.listen(lambda image, waiting=waiting: self._put_image(waiting, image))

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is something to take; False if the time ran out."""
        return self._something.wait(timeout_s)

    def take(self) -> tuple[list[carla.WorldSnapshot], list[tuple[str, carla.Image]]]:
        """Return ticks, and images with their cameras' names, each in the order of time."""
        with self._lock:
            self._something.clear()
            ticks = list(self._ticks)
            self._ticks.clear()
            images = [(name, image) for name, some in self._images.items() for image in some]
            for waiting in self._images.values():
                waiting.clear()
        images.sort(key=lambda item: item[1].timestamp)
        return ticks, images

    def stop(self) -> None:
        """Stop listening; the cameras and the world go on."""
        self._world.remove_on_tick(self._on_tick)
        for sensor in self._sensors.values():
            if sensor.is_alive and sensor.is_listening():
                sensor.stop()

    def _put_image(self, waiting: collections.deque[carla.Image], image: carla.Image) -> None:
        with self._lock:
            self.dropped += len(waiting) == waiting.maxlen
        self._put(waiting, image)

    def _put(self, waiting: collections.deque[_T], item: _T) -> None:
        with self._lock:
            waiting.append(item)
            self._something.set()
