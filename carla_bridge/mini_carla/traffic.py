"""Moves all vehicles by one tick and says who hit what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from carla_bridge.mini_carla.actors import Vehicle
from carla_bridge.mini_carla.collisions import Footprint, Obstacles, footprint_of, overlap
from carla_bridge.mini_carla.geometry import Box, Town, Transform
from carla_bridge.mini_carla.vehicle import STILL, Motion, step

__all__ = ['Collision', 'Traffic']


@dataclass(frozen=True)
class Collision:
    """A vehicle that ran into something in this tick.

    Attributes:
        vehicle: that was stopped.
        other: what it hit.
        impulse: on it, N s, in the world.
    """

    vehicle: Vehicle
    other: Vehicle | Box
    impulse: tuple[float, float, float]


class Traffic:
    """The vehicles of a town and what stands in their way."""

    def __init__(self, town: Town) -> None:
        """Prepare the boxes of a town."""
        self._height = town.height
        self._obstacles = Obstacles(town.boxes)

    def in_the_way(
        self, place: Transform, extent: tuple[float, float, float], others: Iterable[Vehicle]
    ) -> Vehicle | Box | None:
        """Return what a vehicle of half sizes `extent` would touch at a place, or None."""
        outline = footprint_of(place, extent, centred=False)
        for other in others:
            if overlap(outline, _outline(other)):
                return other
        return self._obstacles.hit_by(outline)

    def move(self, vehicles: list[Vehicle], delta_s: float) -> list[Collision]:
        """Move all vehicles, one after the other.

        A vehicle that would run into something stays where it was and loses its speed. One that
        is inside of something already, because a client put it there, may move on.

        Args:
            vehicles: all of the episode.
            delta_s: length of the tick, seconds.
        """
        collisions = []
        for vehicle in vehicles:
            if not vehicle.physics:
                vehicle.motion = STILL
                continue
            motion = vehicle.motion
            if vehicle.constant_speed is not None:
                motion = replace(motion, speed=vehicle.constant_speed)
            place, after = step(
                vehicle.transform, motion, vehicle.control, vehicle.model, self._height, delta_s
            )
            others = [other for other in vehicles if other is not vehicle]
            hit = self.in_the_way(place, vehicle.extent, others)
            if hit is not None and not self._touched(vehicle, others):
                collisions.append(Collision(vehicle, hit, _impulse(vehicle, after)))
                vehicle.motion = STILL
                continue
            vehicle.transform, vehicle.motion = place, after
        return collisions

    def _touched(self, vehicle: Vehicle, others: list[Vehicle]) -> bool:
        return self.in_the_way(vehicle.transform, vehicle.extent, others) is not None


def _outline(vehicle: Vehicle) -> Footprint:
    return footprint_of(vehicle.transform, vehicle.extent, centred=False)


def _impulse(vehicle: Vehicle, motion: Motion) -> tuple[float, float, float]:
    x, y, z = (-vehicle.model.mass_kg * speed for speed in motion.velocity)
    return x, y, z
