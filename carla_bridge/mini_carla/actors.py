"""The actors of an episode: spectator, vehicles, sensors; who is attached to whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from carla_bridge.mini_carla.blueprints import CAMERA_KINDS
from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.mini_carla.rpc import CallError
from carla_bridge.mini_carla.vehicle import STILL, Motion, VehicleModel
from carla_bridge.mini_carla.wire import VehicleControl, bounding_box, token, transform_from_matrix

__all__ = ['Actor', 'Actors', 'Camera', 'Sensor', 'Vehicle']


@dataclass(eq=False)
class Actor:
    """Anything that has a number and a place.

    Attributes:
        id: never used twice by a server.
        description: [uid, blueprint id, [[attribute, type, value], ...]], as the client sent it.
        transform: in the world, or in the frame of the parent.
        parent: id of the actor that this one is attached to, 0 for none.
        extent: half sizes, metres.
        tags: semantic tags.
    """

    id: int
    description: list[object]
    transform: Transform
    parent: int = 0
    extent: tuple[float, float, float] = (0.1, 0.1, 0.1)
    tags: bytes = b''

    @property
    def blueprint(self) -> str:
        """Id of the blueprint, such as 'vehicle.audi.tt'."""
        return str(self.description[1])

    def attribute(self, name: str) -> str:
        """Return the value of an attribute that the blueprint has."""
        for key, _, value in self.description[2]:  # type: ignore[attr-defined]
            if key == name:
                return str(value)
        raise CallError(f'expected {self.blueprint} with the attribute {name}, found none')

    def to_wire(self, stream_port: int) -> list[object]:
        """Return the array that the client expects of an actor."""
        stream = token(self.id, stream_port) if isinstance(self, Sensor) else b''
        box = bounding_box(self.extent, self.id)
        return [self.id, self.parent, self.description, box, self.tags, stream]


@dataclass(eq=False)
class Vehicle(Actor):
    """A car.

    Attributes:
        model: how it drives.
        motion: how it moves now.
        control: what its driver does.
        physics: whether it moves by itself; otherwise it stays where it is put.
        constant_speed: m/s along its own x that it keeps whatever its driver does, or None.
        lights: `carla.VehicleLightState` as a number.
        physics_control: what a client set last; told back, without effect.
    """

    model: VehicleModel = field(default_factory=lambda: VehicleModel((2.0, 0.9, 0.7)))
    motion: Motion = STILL
    control: VehicleControl = field(default_factory=VehicleControl)
    physics: bool = True
    constant_speed: float | None = None
    lights: int = 0
    physics_control: list[object] | None = None

    @property
    def colour(self) -> tuple[int, int, int]:
        """Of the paint: blue, green, red, 0 to 255."""
        try:
            red, green, blue = (int(part) for part in self.attribute('color').split(','))
        except ValueError:
            return 128, 128, 128
        return blue, green, red


@dataclass(eq=False)
class Sensor(Actor):
    """An actor with a stream, whose number is the actor's own.

    Attributes:
        period_s: simulated seconds between two measurements; 0 for one each tick.
        due_s: simulated time from which on the next one is due; None for the first one.
    """

    period_s: float = 0.0
    due_s: float | None = None


@dataclass(eq=False)
class Camera(Sensor):
    """A camera.

    Attributes:
        width: of the image, pixels.
        height: of the image, pixels.
        fov_deg: horizontal field of view, degrees.
    """

    width: int = 800
    height: int = 600
    fov_deg: float = 90.0

    @property
    def kind(self) -> str:
        """What it shows, in the words of the renderer."""
        return CAMERA_KINDS[self.blueprint]


class Actors:
    """All actors by their number."""

    def __init__(self, first_id: int) -> None:
        self._by_id: dict[int, Actor] = {}
        self._next_id = first_id

    def __iter__(self) -> Iterator[Actor]:
        return iter(tuple(self._by_id.values()))

    def vehicles(self) -> list[Vehicle]:
        """Return the vehicles, the oldest first."""
        return [actor for actor in self._by_id.values() if isinstance(actor, Vehicle)]

    def new_id(self) -> int:
        """Return a number that no actor has had."""
        self._next_id += 1
        return self._next_id - 1

    def add(self, actor: Actor) -> None:
        """Take in an actor."""
        self._by_id[actor.id] = actor

    def find(self, actor_id: int) -> Actor | None:
        """Return the actor, or None."""
        return self._by_id.get(actor_id)

    def get(self, actor_id: int) -> Actor:
        """Return the actor.

        Raises:
            CallError: there is none of that number.
        """
        actor = self._by_id.get(actor_id)
        if actor is None:
            raise CallError(f'unable to find actor {actor_id}: it may have been destroyed')
        return actor

    def vehicle(self, actor_id: int) -> Vehicle:
        """Return the vehicle.

        Raises:
            CallError: there is none of that number.
        """
        actor = self.get(actor_id)
        if not isinstance(actor, Vehicle):
            raise CallError(f'expected a vehicle, found actor {actor_id}, a {actor.blueprint}')
        return actor

    def remove(self, actor_id: int) -> Actor | None:
        """Take an actor out; what is attached to it stays in place, as in CARLA."""
        actor = self._by_id.get(actor_id)
        if actor is None:
            return None
        for child in self._by_id.values():
            if child.parent == actor_id:
                child.transform, child.parent = self.place(child), 0
        del self._by_id[actor_id]
        return actor

    def place(self, actor: Actor) -> Transform:
        """Return the transform of an actor in the world."""
        if not actor.parent:
            return actor.transform
        parent = self.place(self._by_id[actor.parent])
        return transform_from_matrix(parent.matrix() @ actor.transform.matrix())

    def root(self, actor: Actor) -> Actor:
        """Return the actor at the end of the chain of parents."""
        while actor.parent:
            actor = self._by_id[actor.parent]
        return actor
