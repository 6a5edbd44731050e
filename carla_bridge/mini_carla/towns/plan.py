"""From the plan of a town to the town: text, surfaces, borders, boxes and spawn points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Surface, Town, Transform
from carla_bridge.mini_carla.towns.network import Network, evaluate
from carla_bridge.mini_carla.towns.numbering import Numbers
from carla_bridge.mini_carla.towns.opendrive import opendrive_text
from carla_bridge.mini_carla.towns.paint import borders, painted_surfaces
from carla_bridge.mini_carla.towns.scenery import Scenery, scenery_boxes
from carla_bridge.mini_carla.towns.surfaces import ground_surfaces
from carla_bridge.mini_carla.towns.terrain import (
    HillyGround,
    RoadSamples,
    terrain_cells,
    verges,
)

__all__ = ['TownPlan', 'build', 'spawn_points']

_SPAWN_STEP_M = 25.0
_SPAWN_UP_M = 0.3
"""CARLA's spawn points hover a little, too: a car falls onto its wheels."""


@dataclass(frozen=True)
class TownPlan:
    """What a town is described by.

    Attributes:
        network: its roads and junctions.
        scenery: what stands beside them.
        hilly: whether the land follows the height of the roads; a flat town needs no more than
            large cells at height 0.
    """

    network: Network
    scenery: Scenery
    hilly: bool = False


def build(plan: TownPlan, seed: int) -> Town:
    """Build the town; the same plan and seed give the same town, number by number."""
    network, numbers, rng = plan.network, Numbers(), np.random.default_rng(seed)
    samples = RoadSamples(network)
    number = numbers.next()
    height: Callable[[float, float], float] = _level
    land: list[Surface] = []
    if plan.hilly:
        height = ground = HillyGround(samples)
        land += terrain_cells(samples, ground.sunk, cell=16.0, margin=240.0, number=number)
        land += verges(network, number)
    else:
        land += terrain_cells(samples, _level_all, cell=60.0, margin=300.0, number=number)
    surfaces = (
        *land,
        *ground_surfaces(network, numbers),
        *painted_surfaces(network, numbers, rng),
    )
    boxes = tuple(scenery_boxes(samples, plan.scenery, height, numbers, rng))
    return Town(
        name=network.name,
        opendrive=opendrive_text(network),
        surfaces=surfaces,
        boxes=boxes,
        borders=borders(network),
        spawn_points=tuple(spawn_points(network)),
        ground=height,
    )


def spawn_points(network: Network) -> Iterator[Transform]:
    """Yield a place every 25 m on every driving lane outside junctions, in its direction."""
    for road in network.roads:
        if road.junction != -1:
            continue
        count = max(1, int((road.curve.length - _SPAWN_STEP_M) / _SPAWN_STEP_M))
        first = (road.curve.length - (count - 1) * _SPAWN_STEP_M) / 2
        for s in (first + np.arange(count) * _SPAWN_STEP_M).tolist():
            at = np.array([s])
            section = road.section_at(s)
            heading = math.degrees(float(road.curve.at(at)[2][0]))
            slope = math.degrees(math.atan(float(evaluate(road.elevation, at, derivative=1)[0])))
            for lane in section.lanes:
                if lane.kind != 'driving' or lane.id == 0:
                    continue
                t = (section.inner_t(lane.id, at) + section.outer_t(lane.id, at)) / 2
                x, y, z = road.points(at, t)[0].tolist()
                # Keep right: left lanes run against s.
                back = lane.id > 0
                yaw = -heading + 180 * back
                yield Transform(
                    x,
                    -y,
                    z + _SPAWN_UP_M,
                    pitch=-slope if back else slope,
                    yaw=(yaw + 180) % 360 - 180,
                )


def _level(x: float, y: float) -> float:
    """Height in metres of a flat land."""
    return 0.0


def _level_all(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights in metres of a flat land at x, y (P,)."""
    return np.zeros_like(x)
