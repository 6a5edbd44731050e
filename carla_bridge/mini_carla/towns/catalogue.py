"""The towns by name."""

from __future__ import annotations

from collections.abc import Callable

from carla_bridge.mini_carla.geometry import Town
from carla_bridge.mini_carla.towns.circuits import highway, hills, ring
from carla_bridge.mini_carla.towns.grid import grid
from carla_bridge.mini_carla.towns.plan import TownPlan, build
from lane_seg.errors import LaneSegError

__all__ = ['available_towns', 'load_town']

TOWNS: dict[str, Callable[[], TownPlan]] = {
    'Town_ring': ring,
    'Town_grid': grid,
    'Town_hills': hills,
    'Town_highway': highway,
}


def available_towns() -> tuple[str, ...]:
    """Return the names that `load_town` knows; the first is what a server starts with."""
    return tuple(TOWNS)


def load_town(name: str, seed: int = 0) -> Town:
    """Build a town.

    Args:
        name: one of `available_towns()`.
        seed: decides what stands beside the road and how worn the paint is. The roads
            themselves, and with them the OpenDRIVE text, are the same for every seed.

    Raises:
        LaneSegError: there is no town of that name.
    """
    plan = TOWNS.get(name)
    if plan is None:
        raise LaneSegError(
            f'expected a town out of {", ".join(TOWNS)}, found {name!r}; '
            'mini_carla has none of the maps of CARLA itself'
        )
    return build(plan(), seed)
