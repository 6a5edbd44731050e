"""What a vehicle carries: sensors with their places, read from a file.

Two kinds of file are read. Ours is YAML, in CARLA's own frame (x forward, y RIGHT, z up; degrees):

    vehicle: vehicle.tesla.model3
    id: ego_vehicle
    sensors:
      - {id: rgb_front, type: sensor.camera.rgb, x: 0.65, z: 2.0, image_size_x: 804, fov: 90}

The other is ros-bridge's objects.json, in the frame of ROS (x forward, y LEFT, z up), whose y,
pitch and yaw change their sign on the way to CARLA.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from carla_bridge.connection import CarlaError

if TYPE_CHECKING:
    import carla

__all__ = ['Rig', 'SensorSpec', 'default_rig', 'rig_from_file', 'rig_from_mapping']

_PLACE = ('x', 'y', 'z', 'roll', 'pitch', 'yaw')
_OPTIONS = ('id', 'type', 'spawn_point', *_PLACE)


@dataclass(frozen=True)
class SensorSpec:
    """One sensor.

    Attributes:
        id: name within the rig; that of its topics and files.
        type: CARLA's blueprint, 'sensor.camera.rgb'.
        x: metres forward of the vehicle's origin.
        y: metres to the right.
        z: metres up.
        roll: degrees, in CARLA's sense.
        pitch: degrees, nose up is positive.
        yaw: degrees, clockwise seen from above is positive.
        attributes: {blueprint attribute: value}.
    """

    id: str
    type: str
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    roll: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_camera(self) -> bool:
        """Whether it sends images."""
        return self.type.startswith('sensor.camera.')

    def transform(self) -> carla.Transform:
        """Its place relative to the vehicle."""
        import carla

        return carla.Transform(
            carla.Location(self.x, self.y, self.z),
            carla.Rotation(pitch=self.pitch, yaw=self.yaw, roll=self.roll),
        )


@dataclass(frozen=True)
class Rig:
    """A vehicle and what it carries.

    Attributes:
        vehicle: its blueprint.
        id: its role name, part of the names of topics.
        sensors: what it carries.
        ignored: types of sensors of the file that are none of CARLA's (ros-bridge's pseudo
            sensors, for example).
    """

    vehicle: str
    id: str
    sensors: tuple[SensorSpec, ...]
    ignored: tuple[str, ...] = ()


def default_rig(*, width: int = 1280, height: int = 720, fov_deg: float = 90.0) -> Rig:
    """A car with an RGB and a semantic camera at one place, behind the windscreen."""
    attributes = {'image_size_x': str(width), 'image_size_y': str(height), 'fov': f'{fov_deg:g}'}
    return Rig(
        vehicle='vehicle.tesla.model3',
        id='ego_vehicle',
        sensors=tuple(
            SensorSpec(name, f'sensor.camera.{kind}', x=0.65, z=2.0, attributes=attributes)
            for name, kind in (
                ('rgb_front', 'rgb'),
                ('semantic_segmentation_front', 'semantic_segmentation'),
            )
        ),
    )


def rig_from_file(path: str | Path) -> Rig:
    """Read a sensor file, ours or ros-bridge's objects.json.

    Raises:
        CarlaError: it cannot be read as either.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding='utf-8')
        content = json.loads(text) if path.suffix == '.json' else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise CarlaError(f'expected a sensor file at {path}, found: {error}') from error
    if not isinstance(content, dict):
        raise CarlaError(f'expected names and values in {path}, found {type(content).__name__}')
    return rig_from_mapping(content, source=str(path))


def rig_from_mapping(content: Mapping[str, object], *, source: str) -> Rig:
    """Read a rig from what a sensor file holds.

    Args:
        content: of the file.
        source: its name, for messages.

    Raises:
        CarlaError: a value is missing or wrong.
    """
    if 'objects' in content:
        vehicles = [
            item
            for item in _list(content, 'objects', source)
            if str(item.get('type', '')).startswith('vehicle.')
        ]
        if len(vehicles) != 1:
            raise CarlaError(
                f'expected one vehicle among the objects of {source}, found {len(vehicles)}; '
                'leave one'
            )
        return _rig(vehicles[0], str(vehicles[0]['type']), source, from_ros=True)
    vehicle = content.get('vehicle', 'vehicle.tesla.model3')
    return _rig(content, str(vehicle), source, from_ros=False)


def _rig(content: Mapping[str, object], vehicle: str, source: str, *, from_ros: bool) -> Rig:
    entries = _list(content, 'sensors', source)
    types = [str(entry.get('type', '')) for entry in entries]
    real = [
        _sensor(entry, source, from_ros=from_ros)
        for entry, kind in zip(entries, types, strict=True)
        if kind.startswith('sensor.') and not kind.startswith('sensor.pseudo.')
    ]
    ids = [sensor.id for sensor in real]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise CarlaError(f'expected ids that differ in {source}, found {sorted(twice)} twice')
    if not real:
        raise CarlaError(f'expected a sensor of CARLA in {source}, found none: {types}')
    return Rig(
        vehicle=vehicle,
        id=str(content.get('id', 'ego_vehicle')),
        sensors=tuple(real),
        ignored=tuple(
            kind for kind in types if not kind.startswith('sensor.') or '.pseudo.' in kind
        ),
    )


def _sensor(entry: Mapping[str, object], source: str, *, from_ros: bool) -> SensorSpec:
    kind, name = str(entry['type']), entry.get('id')
    if not isinstance(name, str) or not name:
        raise CarlaError(f'expected an id for each sensor of {source}, found none for {kind}')
    place = entry.get('spawn_point', entry)
    if not isinstance(place, Mapping):
        raise CarlaError(
            f'{source}: expected x, y, z, ... as spawn_point of {name}, found {place}'
        )
    numbers = {key: _number(place.get(key, 0.0), key, name, source) for key in _PLACE}
    if from_ros:
        for key in ('y', 'pitch', 'yaw'):
            numbers[key] = -numbers[key] + 0.0  # not -0.0
    return SensorSpec(
        id=name,
        type=kind,
        **numbers,
        attributes={
            key: _attribute(value)
            for key, value in entry.items()
            if key not in _OPTIONS and not isinstance(value, dict | list)
        },
    )


def _list(content: Mapping[str, object], key: str, source: str) -> list[Mapping[str, object]]:
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise CarlaError(f'{source}: expected a list of objects as {key!r}, found {entries!r}')
    return entries


def _number(value: object, key: str, name: str, source: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CarlaError(f'{source}: expected a number as {key} of {name}, found {value!r}')
    return float(value)


def _attribute(value: object) -> str:
    """Write a value as CARLA's blueprints want it."""
    if isinstance(value, bool):
        return 'true' if value else 'false'
    return f'{value:g}' if isinstance(value, float) else str(value)
