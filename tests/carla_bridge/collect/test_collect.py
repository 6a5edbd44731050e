"""Collecting with the real client from a real server: complete, whole, and once only."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from tests.carla_bridge.collect.collecting import check_whole, started, write_plan
from tests.carla_bridge.servers import Server, environment, run_client, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.carla,
    pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the client'),
]

LEFT = """
import json, sys
from carla_bridge.connection import connect

world = connect('127.0.0.1', int(sys.argv[1])).get_world()
world.wait_for_tick(20.0)
print(json.dumps({
    'synchronous': world.get_settings().synchronous_mode,
    'actors': [actor.type_id for actor in world.get_actors() if actor.type_id != 'spectator'],
}))
sys.stdout.flush()
"""


@pytest.fixture(scope='module')
def server() -> Iterator[Server]:
    with running_server() as shared:
        yield shared


def left_in(server: Server) -> dict[str, object]:
    """What somebody finds who connects afterwards."""
    done = run_client(LEFT, server.port)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_two_towns_in_two_weathers_are_recorded_and_read_for_training(
    server: Server, tmp_path: Path
) -> None:
    plan = write_plan(
        tmp_path,
        towns=['Town_ring', 'Town_grid'],
        weathers=['ClearNoon', {'name': 'gloomy', 'base': 'HardRainSunset', 'fog_density': 30}],
        frames=50,
        ego={'mode': 'teleport'},
        traffic={'vehicles': 3},
        camera={'width': 160, 'height': 96},
    )
    folder = tmp_path / 'recording'
    with started(plan, folder, server.port) as collection:
        code, stdout, stderr = collection.end()
    assert code == 0, stderr
    records = check_whole(folder)
    assert len(records) == 200
    assert '200 frames' in stdout
    assert {(record['town'], record['weather']) for record in records} == {
        (town, weather)
        for town in ('Town_ring', 'Town_grid')
        for weather in ('ClearNoon', 'gloomy')
    }
    assert {record['weather_values']['fog_density'] for record in records} == {2.0, 30.0}
    assert len({record['split'] for record in records}) > 1
    sheet = cv2.imread(str(folder / 'contact_sheet.jpg'))
    assert sheet is not None
    assert sheet.std() > 20
    for record in records[::20]:
        name = f'{record["split"]}/{record["name"]}.png'
        tags = cv2.imread(str(folder / 'seg' / name), cv2.IMREAD_UNCHANGED)
        label = cv2.imread(str(folder / 'label' / name), cv2.IMREAD_UNCHANGED)
        # The road under the car: Roads or RoadLines.
        assert np.isin(tags[-1, 60:100], (1, 24)).all()
        assert np.isin(label[tags == 1], (1, 255)).all()
    same_way = {}
    for record in records:
        place = tuple(record['ego_transform'].values())
        same_way.setdefault((record['town'], record['weather']), []).append(place)
    assert same_way['Town_ring', 'ClearNoon'][:10] == same_way['Town_ring', 'gloomy'][:10]
    assert left_in(server) == {'synchronous': False, 'actors': []}


def test_a_drive_by_the_follower_and_one_by_the_traffic_manager_move(
    server: Server, tmp_path: Path
) -> None:
    for mode in ('follower', 'traffic_manager'):
        (tmp_path / mode).mkdir()
        plan = write_plan(tmp_path / mode, frames=15, every=2, ego={'mode': mode})
        folder = tmp_path / mode / 'recording'
        with started(plan, folder, server.port, '--watchdog', '30') as collection:
            code, _, stderr = collection.end()
        assert code == 0, stderr
        records = check_whole(folder)
        places = [record['ego_transform'] for record in records]
        steps = [
            np.hypot(b['x'] - a['x'], b['y'] - a['y'])
            for a, b in zip(places, places[1:], strict=False)
        ]
        # Standing is skipped, and each of these frames is two ticks from the next.
        assert min(steps) >= 0.19
        assert sum(steps) > 5.0
    assert left_in(server) == {'synchronous': False, 'actors': []}


def test_two_servers_are_collected_from_at_a_time(server: Server, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, frames=10)
    with (
        running_server('--seed', '5') as other,
        started(plan, tmp_path / 'one', server.port) as first,
        started(plan, tmp_path / 'two', other.port) as second,
    ):
        ends = [first.end(), second.end()]
    assert [code for code, _, _ in ends] == [0, 0], ends
    one, two = check_whole(tmp_path / 'one'), check_whole(tmp_path / 'two')
    assert [r['ego_transform'] for r in one] == [r['ego_transform'] for r in two]


HOLDS = """
import sys, time
from carla_bridge.connection import connect

client = connect('127.0.0.1', int(sys.argv[1]))
world = client.get_world()
world.wait_for_tick(20.0)
settings = world.get_settings()
settings.synchronous_mode = True
settings.fixed_delta_seconds = 0.05
world.apply_settings(settings)
world.tick(20.0)
model = world.get_blueprint_library().find('vehicle.audi.tt')
model.set_attribute('role_name', 'lane_seg_ego')
car = world.spawn_actor(model, world.get_map().get_spawn_points()[len(sys.argv[2])])
print('there', flush=True)
while True:
    if sys.argv[2] == 'ticks':
        world.tick(20.0)
    time.sleep(0.02)
"""


@contextlib.contextmanager
def held(server: Server, mode: str) -> Iterator[None]:
    """Hold a server in synchronous mode with a car of ours in it, and 'ticks' or 'sleeps'."""
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLDS, str(server.port), mode],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == 'there\n'
        yield
    finally:
        holder.kill()
        holder.communicate()


def test_what_a_killed_collection_left_is_cleared_away_and_a_world_in_use_is_refused(
    tmp_path: Path,
) -> None:
    plan = write_plan(tmp_path, frames=3)
    with running_server() as server:
        with held(server, 'ticks'), started(plan, tmp_path / 'r', server.port) as collection:
            code, _, stderr = collection.end()
        assert code == 1
        assert 'another program ticks' in stderr
        with held(server, 'sleeps'), started(plan, tmp_path / 'r', server.port) as collection:
            code, _, stderr = collection.end()
        assert code == 0, stderr
        assert 'left in synchronous mode' in stderr
        assert 'destroying 2 actors' in stderr  # the car of either
        assert left_in(server) == {'synchronous': False, 'actors': []}
    check_whole(tmp_path / 'r')


def test_a_drive_that_goes_on_takes_the_places_that_it_would_have_taken(
    server: Server, tmp_path: Path
) -> None:
    def places(folder: Path, *counts: int) -> list[object]:
        for count in counts:
            plan = write_plan(
                tmp_path, frames=count, ego={'mode': 'teleport'}, traffic={'vehicles': 0}
            )
            with started(plan, folder, server.port) as collection:
                code, _, stderr = collection.end()
            assert code == 0, stderr
        return [record['ego_transform'] for record in check_whole(folder)]

    assert places(tmp_path / 'in_parts', 4, 9) == places(tmp_path / 'at_once', 9)
