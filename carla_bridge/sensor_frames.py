"""Brings the images of several cameras of one tick together.

Each sensor has a queue of its own, which the client's thread fills; images are matched by the
frame number of the tick. An image older than the frame that is asked for is left over from before
and dropped; one that never comes is an error that names its sensor.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from carla_bridge.connection import CarlaError

if TYPE_CHECKING:
    import carla

__all__ = ['FrameLostError', 'SensorFrames']


class FrameLostError(CarlaError):
    """A sensor sent nothing for a frame.

    Attributes:
        frame: number of the tick.
        sensors: names of those that are missing.
    """

    def __init__(self, frame: int, sensors: tuple[str, ...], timeout_s: float) -> None:
        super().__init__(
            f'expected an image of frame {frame} from each sensor, found none from '
            f'{", ".join(sensors)} within {timeout_s:g} s; is sensor_tick 0, is the machine '
            'overloaded, does somebody else tick the world?'
        )
        self.frame = frame
        self.sensors = sensors


class SensorFrames:
    """Queues of sensors that listen from now on.

    Args:
        sensors: {name: sensor}; they are kept, for a sensor without a reference is destroyed.
    """

    def __init__(self, sensors: Mapping[str, carla.Sensor]) -> None:
        self._sensors = dict(sensors)
        self._queues: dict[str, queue.SimpleQueue[carla.SensorData]] = {
            name: queue.SimpleQueue() for name in sensors
        }
        for name, sensor in self._sensors.items():
            sensor.listen(self._queues[name].put)

    def get(self, frame: int, *, timeout_s: float = 10.0) -> dict[str, carla.SensorData]:
        """Return what each sensor sent for a frame.

        Args:
            frame: number that `world.tick()` returned.
            timeout_s: for all sensors together, seconds.

        Raises:
            FrameLostError: the time ran out, or a sensor is already past that frame.
        """
        until = time.monotonic() + timeout_s
        found: dict[str, carla.SensorData] = {}
        for name, waiting in self._queues.items():
            while name not in found:
                try:
                    data = waiting.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    break
                if data.frame == frame:
                    found[name] = data
                elif data.frame > frame:
                    break
        missing = tuple(name for name in self._queues if name not in found)
        if missing:
            raise FrameLostError(frame, missing, timeout_s)
        return found

    def stop(self) -> None:
        """Stop listening; images under way are dropped."""
        for sensor in self._sensors.values():
            if sensor.is_listening():
                sensor.stop()
