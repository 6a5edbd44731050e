"""The cameras to publish: those of a rig of ours, or those that another client has spawned."""

from __future__ import annotations

import logging
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carla_bridge.connection import CarlaError
from carla_bridge.rig import Rig
from carla_bridge.world_session import WorldSession

if TYPE_CHECKING:
    import carla
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    'CAMERA_KINDS',
    'PublishedCamera',
    'PublishedVehicle',
    'Scene',
    'found',
    'spawned',
    'topic_part',
]

LOG = logging.getLogger(__name__)

CAMERA_KINDS = ('rgb', 'semantic_segmentation', 'instance_segmentation', 'depth', 'normals')
"""Cameras that send pictures which sensor_msgs/Image has an encoding for."""

_CAMERA = 'sensor.camera.'
_NOT_IN_A_NAME = re.compile(r'[^A-Za-z0-9_]')


@dataclass(frozen=True)
class PublishedVehicle:
    """A vehicle whose place is published.

    Attributes:
        name: of its topics and its frame: its role.
        actor: itself.
    """

    name: str
    actor: carla.Vehicle


@dataclass(frozen=True)
class PublishedCamera:
    """A camera whose images are published.

    Attributes:
        name: of its topics and its frame, 'role/id', or 'id' for one that no vehicle carries.
        kind: one of `CAMERA_KINDS`.
        actor: itself.
        vehicle: name of the vehicle that it is rigidly fixed to, where `mount` is known.
        mount: (4, 4) vehicle from camera in CARLA's frames; None: its place in the world is
            taken from its images.
    """

    name: str
    kind: str
    actor: carla.Sensor
    vehicle: str = ''
    mount: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Scene:
    """Everything that is published of a world."""

    vehicles: tuple[PublishedVehicle, ...]
    cameras: tuple[PublishedCamera, ...]


def spawned(session: WorldSession, rig: Rig, *, seed: int) -> Scene:
    """Spawn a rig at a place that the seed chooses.

    Raises:
        CarlaError: the town has no free place for it, or a name in it is none of CARLA's.
    """
    import numpy as np

    left_out = [spec.id for spec in rig.sensors if _kind(spec.type) not in CAMERA_KINDS]
    if left_out or rig.ignored:
        LOG.warning(
            'not published: %s; of the sensors, cameras are (%s)',
            *(', '.join((*left_out, *rig.ignored)), ', '.join(CAMERA_KINDS)),
        )
    specs = [spec for spec in rig.sensors if _kind(spec.type) in CAMERA_KINDS]
    if not specs:
        raise CarlaError(
            f'expected a camera ({", ".join(CAMERA_KINDS)}) among the sensors, found none; '
            'add one to the sensor file'
        )
    role = topic_part(rig.id)
    vehicle = _spawned_vehicle(session, rig, seed=seed)
    cameras = []
    for spec in specs:
        place = spec.transform()
        actor = session.spawn(
            spec.type,
            place,
            attach_to=vehicle,
            attributes={**spec.attributes, 'role_name': spec.id},
        )
        cameras.append(
            PublishedCamera(
                name=f'{role}/{topic_part(spec.id)}',
                kind=_kind(spec.type),
                actor=actor,
                vehicle=role,
                mount=np.array(place.get_matrix()),
            )
        )
    return Scene((PublishedVehicle(role, vehicle),), tuple(cameras))


def found(world: carla.World, *, role: str | None) -> Scene:
    """Find the cameras that are there.

    A camera is called by its `ros_name`, else its `role_name`, else its kind; where two would be
    called the same, the later one's number in the simulator is added.

    Args:
        world: at least one tick after the client connected.
        role: of the vehicle whose cameras are wanted; None takes all cameras of the world.

    Raises:
        CarlaError: there are none.
    """
    vehicles: dict[str, PublishedVehicle] = {}
    cameras: dict[str, PublishedCamera] = {}
    for actor in sorted(world.get_actors().filter(f'{_CAMERA}*'), key=lambda actor: actor.id):
        if _kind(actor.type_id) not in CAMERA_KINDS:
            continue
        carrier = actor.parent
        if role is not None and (carrier is None or carrier.attributes.get('role_name') != role):
            continue
        name = topic_part(_name_of(actor))
        if carrier is not None:
            of_carrier = topic_part(carrier.attributes.get('role_name') or f'actor_{carrier.id}')
            known = vehicles.setdefault(of_carrier, PublishedVehicle(of_carrier, carrier))
            if known.actor.id != carrier.id:  # two vehicles of one role: 'autopilot', mostly
                of_carrier = f'{of_carrier}_{carrier.id}'
                vehicles.setdefault(of_carrier, PublishedVehicle(of_carrier, carrier))
            name = f'{of_carrier}/{name}'
        if name in cameras:
            name = f'{name}_{actor.id}'
        cameras[name] = PublishedCamera(name=name, kind=_kind(actor.type_id), actor=actor)
    if not cameras:
        whose = 'in the world' if role is None else f'on a vehicle with the role_name {role!r}'
        raise CarlaError(
            f'expected cameras {whose}, found none ({_present(world)}); start the program that '
            'spawns them first, or leave --attach out to spawn some'
        )
    return Scene(tuple(vehicles.values()), tuple(cameras.values()))


def topic_part(name: str) -> str:
    """Return a name as ROS allows it: letters, digits, _; a digit does not come first."""
    allowed = _NOT_IN_A_NAME.sub('_', name)
    return f'_{allowed}' if not allowed or allowed[0].isdigit() else allowed


def _spawned_vehicle(session: WorldSession, rig: Rig, *, seed: int) -> carla.Vehicle:
    """Spawn the vehicle at the first place, in an order that the seed chooses, which is free."""
    places = session.world.get_map().get_spawn_points()
    random.Random(seed).shuffle(places)
    problem: CarlaError | None = None
    for place in places:
        try:
            return session.spawn(rig.vehicle, place, attributes={'role_name': rig.id})
        except CarlaError as error:
            problem = error
    raise problem or CarlaError('expected places to spawn a vehicle at, found a town without any')


def _kind(type_id: str) -> str:
    """Return 'rgb' of 'sensor.camera.rgb', '' of what is no camera."""
    return type_id[len(_CAMERA) :] if type_id.startswith(_CAMERA) else ''


def _name_of(actor: carla.Sensor) -> str:
    """Return the name that somebody gave a camera, or else its kind."""
    # 0.9.16 fills ros_name with the blueprint's id where nobody did.
    for attribute in ('ros_name', 'role_name'):
        name = actor.attributes.get(attribute, '')
        if name and not name.startswith('sensor.'):
            return name
    return _kind(actor.type_id)


def _present(world: carla.World) -> str:
    """Say which vehicles and sensors a world has."""
    vehicles = [
        f'{actor.type_id} as {actor.attributes.get("role_name", "?")!r}'
        for actor in world.get_actors().filter('vehicle.*')
    ]
    sensors = [actor.type_id for actor in world.get_actors().filter('sensor.*')]
    return f'vehicles: {", ".join(vehicles) or "none"}; sensors: {", ".join(sensors) or "none"}'
