"""What to collect: the plan's YAML file, with every key and its default.

    plan = plan_from_file('plan.yaml')
    for drive in drives_of(plan):        # carla_bridge.recording.sweep
        ...

`plan.plain()` is what a recording keeps as its own plan.yaml; it reads as the same plan.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from carla_bridge.recording.plan_parts import (
    EGO_MODES,
    CameraPlan,
    EgoPlan,
    LabelPlan,
    SplitPlan,
    TrafficPlan,
    expect,
)
from carla_bridge.weathers import WEATHER_PRESETS, WEATHER_VALUES, Weather, usable_name
from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest
from lane_seg.typed import build

__all__ = [
    'EGO_MODES',
    'EXAMPLE',
    'WEATHER_PRESETS',
    'WEATHER_VALUES',
    'CameraPlan',
    'CollectPlan',
    'EgoPlan',
    'LabelPlan',
    'SplitPlan',
    'TrafficPlan',
    'Weather',
    'plan_from_file',
    'plan_from_plain',
    'plan_from_text',
]


@dataclass(frozen=True)
class CollectPlan:
    """Towns x routes x weathers."""

    towns: tuple[str, ...]
    weathers: tuple[Weather, ...] = (Weather('ClearNoon'),)
    routes: int = 1  # for each town
    frames: int = 200  # written in each drive
    every: int = 5  # ticks from one written frame to the next
    delta_s: float = 0.05  # simulated seconds a tick
    warm_up_ticks: int = 20  # before the first frame, so that cars and exposure settle
    seed: int = 0
    traffic: TrafficPlan = TrafficPlan()
    ego: EgoPlan = EgoPlan()
    camera: CameraPlan = CameraPlan()
    labels: LabelPlan = LabelPlan()
    split: SplitPlan = SplitPlan()

    def __post_init__(self) -> None:
        for key, names in (('towns', self.towns), ('weathers', self._weather_names())):
            if not names or len(set(names)) < len(names):
                raise LaneSegError(f'{key}: expected names that differ, found {list(names)}')
        for town in self.towns:
            if not usable_name(town):
                raise LaneSegError(
                    f'towns: expected the name of a map without folders, such as Town04, '
                    f'found {town!r}'
                )
        for key, least, most in (
            ('routes', 1, 1000),
            ('frames', 1, 100_000),
            ('every', 1, 10_000),
            ('delta_s', 0.001, 0.5),
            ('warm_up_ticks', 1, 10_000),
            ('seed', 0, 2**31 - 1),
        ):
            expect(key, getattr(self, key), least, most)
        expect('traffic: vehicles', self.traffic.vehicles, 0, 1000)

    def _weather_names(self) -> tuple[str, ...]:
        return tuple(weather.name for weather in self.weathers)

    @property
    def layers(self) -> tuple[str, ...]:
        """Folders of a recording that gets a file for each frame."""
        wanted = {key for key, value in dataclasses.asdict(self.labels).items() if value}
        return (
            'rgb',
            'seg',
            'label',
            *(key for key in ('lanes', 'area', 'depth') if key in wanted),
        )

    def plain(self) -> dict[str, object]:
        """The plan as `yaml.safe_dump` takes it."""
        content = dataclasses.asdict(self)
        content['towns'] = list(self.towns)
        content['weathers'] = [weather.plain() for weather in self.weathers]
        return content

    def conflicts_with(self, before: Mapping[str, object]) -> list[str]:
        """Say what forbids to go on with a recording that was begun with another plan.

        More towns, weathers, routes and frames are allowed: what was recorded stays part of what
        is asked for. Everything else decides what a frame is, or in which split it lies.

        Args:
            before: `plain()` of the other plan.

        Returns:
            A line for each difference; none if the recording may go on.
        """
        other = plan_from_plain(before, 'plan.yaml of the recording')
        lines = []
        for key in ('towns', 'weathers'):
            mine, theirs = getattr(self, key), getattr(other, key)
            if lost := [getattr(item, 'name', item) for item in theirs if item not in mine]:
                lines.append(f'{key}: expected {", ".join(lost)} as before, and any others')
        for key in ('routes', 'frames'):
            if getattr(self, key) < getattr(other, key):
                lines.append(
                    f'{key}: expected at least {getattr(other, key)}, found {getattr(self, key)}'
                )
        mine, theirs = self.plain(), other.plain()
        for key in mine.keys() - {'towns', 'weathers', 'routes', 'frames'}:
            lines += _differences(key, theirs[key], mine[key])
        return sorted(lines)


EXAMPLE: Final = """\
# carla-bridge collect: towns x routes x weathers. Keys left out have the values that stand here.
towns: [Town03, Town04, Town05]   # maps of the server, one after the other
weathers:                         # presets of carla.WeatherParameters, or values on top of one
  - ClearNoon
  - HardRainSunset
  - {name: foggy, base: CloudyNoon, fog_density: 40, fog_distance: 10}
routes: 4          # for each town; a route is the same way in every weather
frames: 200        # written in each drive: 3 towns x 4 routes x 3 weathers x 200 = 7200
every: 5           # ticks from one frame to the next
delta_s: 0.05      # simulated seconds a tick
warm_up_ticks: 20  # before the first frame
seed: 0            # of routes, traffic, splits
traffic:
  vehicles: 20
ego:
  mode: follower   # or traffic_manager, or teleport: from place to place with noise
  speed_kmh: 30
  lateral_m: 0.3   # teleport: standard deviation beside the lane's centre
  yaw_deg: 5       # teleport: standard deviation of the heading
camera:
  width: 1280
  height: 720
  fov_deg: 90      # horizontal
  x: 0.65          # metres forward of the vehicle's origin
  z: 2.0           # metres up
  pitch: 0         # degrees, nose up is positive
  vehicle: vehicle.tesla.model3
labels:            # besides rgb, seg and label
  lanes: true      # which lane border a pixel belongs to
  area: false      # ego lane, other lanes
  depth: false
split:             # shares; towns are cut into squares, so that no road is in two splits
  train: 0.7
  val: 0.15
  test: 0.15
  block_m: 100     # side of a square
  gap_m: 20        # nearer to a road of another split nothing is written
"""


def plan_from_file(path: str | Path) -> CollectPlan:
    """Read a plan.

    Raises:
        LaneSegError: no such file, no YAML, an unknown key or a wrong value.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise LaneSegError(
            f'expected a plan at {path}, found: {error}; '
            '`carla-bridge collect --example > plan.yaml` writes one'
        ) from error
    return plan_from_text(text, str(path))


def plan_from_text(text: str, where: str) -> CollectPlan:
    """Read a plan from YAML; `where` is named in messages.

    Raises:
        LaneSegError: no YAML, an unknown key or a wrong value.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise LaneSegError(f'{where}: expected YAML, found: {error}') from error
    return plan_from_plain(content, where)


def plan_from_plain(content: object, where: str) -> CollectPlan:
    """Read a plan from what YAML gave; `where` is named in messages.

    Raises:
        LaneSegError: an unknown key or a wrong value.
    """
    try:
        if isinstance(content, Mapping) and isinstance(content.get('weathers'), list):
            weathers = [_weather(item, where) for item in content['weathers']]
            content = {**content, 'weathers': weathers}
        return build(CollectPlan, content, where)
    except LaneSegError as error:
        text = str(error)
        raise LaneSegError(text if text.startswith(where) else f'{where}: {text}') from error


def _weather(item: object, where: str) -> dict[str, object]:
    """Sort the words of a weather: its name, its base, and values."""
    if isinstance(item, str):
        if item not in WEATHER_PRESETS:
            raise LaneSegError(
                f'{where}: weathers: expected a preset of carla.WeatherParameters, or a mapping '
                f'with name and values, found {item!r}{nearest(item, WEATHER_PRESETS)}'
            )
        return {'name': item}
    if not isinstance(item, Mapping):
        raise LaneSegError(f'{where}: weathers: expected a name or a mapping, found {item!r}')
    known = {key: item[key] for key in ('name', 'base') if key in item}
    return {**known, 'values': {key: item[key] for key in item if key not in known}}


def _differences(key: str, before: object, now: object) -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            line
            for inner in before
            for line in _differences(f'{key}.{inner}', before[inner], now[inner])
        ]
    return [] if before == now else [f'{key}: expected {before} as before, found {now}']
