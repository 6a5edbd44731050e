"""The drives of a plan: every route of every town in every weather."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from carla_bridge.recording.plan import CollectPlan, Weather

__all__ = ['Drive', 'drives_of', 'route_seed']

_SEED_BITS = 31  # what random, numpy and the Traffic Manager all take


@dataclass(frozen=True)
class Drive:
    """One drive without a change of town, weather or route.

    Attributes:
        town: name of the map.
        weather: that is set before it starts.
        route: number of the way within the town, from 0.
        seed: of the way and of the traffic; the same for a route in every weather.
        prefix: of the names of its frames.
    """

    town: str
    weather: Weather
    route: int
    seed: int
    prefix: str

    def frame_name(self, index: int) -> str:
        """Name of a frame, 'Town04_r002_ClearNoon_00017'; `index` counts written frames."""
        return f'{self.prefix}_{index:05d}'


def drives_of(plan: CollectPlan) -> tuple[Drive, ...]:
    """Return the drives of a plan, town by town.

    Within a town all weathers of a route come before the next route, so that a collection that is
    ended early has seen each weather. Adding towns, routes or weathers to a plan leaves the other
    drives as they were.
    """
    return tuple(
        Drive(
            town=town,
            weather=weather,
            route=route,
            seed=route_seed(plan.seed, town, route),
            prefix=f'{town}_r{route:03d}_{weather.name}',
        )
        for town in plan.towns
        for route in range(plan.routes)
        for weather in plan.weathers
    )


def route_seed(seed: int, town: str, route: int) -> int:
    """Derive the seed of a route, 0 to 2**31 - 1, which no other part of a plan changes."""
    digest = hashlib.sha256(f'{seed}/{town}/{route}'.encode()).digest()
    return int.from_bytes(digest[:4], 'big') >> (32 - _SEED_BITS)
