"""What is asked of the demo; without ROS, so that it can be checked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

__all__ = ['MINI_CARLA', 'Request', 'carla_missing']

MINI_CARLA = 'mini_carla'
"""The input that is our stand-in for CARLA."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        input: 'mini_carla', 'scene', or a path to an image, a folder of images or a video.
        rate_hz: frames per second.
        height: in pixels; 0: as it is.
        width: in pixels; 0: as it is.
        seed: which road, or which way through the towns.
        seconds: how long to measure in all.
        towns: of mini_carla; the scenes take them in turn.
        weathers: names of CARLA's presets; the scenes take them in turn.
    """

    input: str
    rate_hz: float
    height: int
    width: int
    seed: int
    seconds: float
    towns: tuple[str, ...] = ()
    weathers: tuple[str, ...] = ()


def carla_missing() -> str:
    """Name what the world of mini_carla needs and is not installed; '' where nothing is."""
    missing = [name for name in ('carla', 'carla_bridge', 'msgpack') if find_spec(name) is None]
    return ', '.join(missing)
