"""A stay in a world: frames that belong together while there, and no trace afterwards."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING

import pytest

from tests.carla_bridge.servers import Server, run_client, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.carla,
    pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the client'),
]

# Each test's code ends up as the body of `stay`, whose result is printed as JSON together with
# what the world looks like to somebody who comes later.
FRAME = """
import json, os, sys
import carla
from carla_bridge.connection import CarlaError, connect
from carla_bridge.rig import default_rig
from carla_bridge.sensor_frames import FrameLostError, SensorFrames
from carla_bridge.world_session import WorldSession

def spawn(session, rig):
    place = session.world.get_map().get_spawn_points()[0]
    car = session.spawn(rig.vehicle, place)
    return car, {
        sensor.id: session.spawn(
            sensor.type, sensor.transform(), attach_to=car, attributes=sensor.attributes
        )
        for sensor in rig.sensors
    }

RIG = default_rig(width=64, height=48)
client = connect('127.0.0.1', int(sys.argv[1]))

def stay():
BODY

found = stay()
world = client.get_world()
world.wait_for_tick(10.0)
settings = world.get_settings()
print(json.dumps({
    'found': found,
    'synchronous': settings.synchronous_mode,
    'town': world.get_map().name.rpartition('/')[2],
    'actors': sorted(a.type_id for a in world.get_actors() if a.type_id != 'spectator'),
}))
sys.stdout.flush()
"""


@pytest.fixture(scope='module')
def server() -> Iterator[Server]:
    with running_server() as started:
        yield started


def stay(server: Server, body: str) -> dict[str, object]:
    """Run a body in a client of its own; return what it found and what it left behind."""
    code = FRAME.replace('BODY', '\n'.join(f'    {line}' for line in body.splitlines()))
    done = run_client(code, server.port)
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_images_of_one_tick_come_together_and_nothing_stays(server: Server) -> None:
    left = stay(
        server,
        """\
with WorldSession(client, delta_s=0.05) as session:
    car, sensors = spawn(session, RIG)
    frames = SensorFrames(sensors)
    together = []
    for _ in range(5):
        number = session.tick()
        images = frames.get(number)
        together.append({image.frame for image in images.values()} == {number})
    return together, sorted(images)
""",
    )
    assert left['found'] == [[True] * 5, ['rgb_front', 'semantic_segmentation_front']]
    assert left['synchronous'] is False
    assert left['actors'] == []


def test_an_error_inside_leaves_no_trace_either(server: Server) -> None:
    left = stay(
        server,
        """\
try:
    with WorldSession(client, delta_s=0.05) as session:
        spawn(session, RIG)
        raise ValueError('in the middle')
except ValueError as error:
    return str(error)
""",
    )
    assert left == {
        'found': 'in the middle',
        'synchronous': False,
        'town': 'Town_ring',
        'actors': [],
    }


def test_cars_of_the_traffic_manager_leave_without_an_abort(server: Server) -> None:
    left = stay(
        server,
        """\
with WorldSession(client, delta_s=0.05) as session:
    car, _ = spawn(session, RIG)
    session.traffic_manager(int(sys.argv[1]) + 5000, seed=1)
    session.hand_to_traffic_manager(car)
    before = car.get_location()
    for _ in range(40):
        session.tick()
    return car.get_location().distance(before) > 1.0
""",
    )
    assert left['found'] is True
    assert left['actors'] == []


def test_a_sensor_that_sends_nothing_is_named(server: Server) -> None:
    left = stay(
        server,
        """\
with WorldSession(client, delta_s=0.05) as session:
    _, sensors = spawn(session, RIG)
    frames = SensorFrames(sensors)
    frames.get(session.tick())
    sensors['rgb_front'].stop()
    try:
        frames.get(session.tick(), timeout_s=1.0)
    except FrameLostError as error:
        return error.sensors, str(error)
""",
    )
    found = left['found']
    assert isinstance(found, list)
    assert found[0] == ['rgb_front']
    assert 'rgb_front within 1 s' in found[1]


@pytest.mark.parametrize(
    ('call', 'named'),
    [
        ("session.spawn('vehicle.*', place)", "'vehicle.*'"),
        ("session.spawn(RIG.vehicle, place, attributes={'wings': '2'})", "'wings'"),
        ('[session.spawn(RIG.vehicle, place) for _ in range(2)]', 'collision'),
        ("WorldSession(client, town='Atlantis')", 'Town_ring'),
    ],
)
def test_what_cannot_be_had_is_named(server: Server, call: str, named: str) -> None:
    left = stay(
        server,
        f"""\
with WorldSession(client, delta_s=0.05) as session:
    place = session.world.get_map().get_spawn_points()[0]
    try:
        {call}
    except CarlaError as error:
        return str(error)
""",
    )
    assert named in str(left['found'])
    assert left['actors'] == []


def test_another_town_is_loaded_and_a_world_of_others_is_left_alone(server: Server) -> None:
    left = stay(
        server,
        """\
with WorldSession(client, town='Town_grid') as session:
    first = session.tick()
    return session.synchronous, session.tick() > first
""",
    )
    assert left['found'] == [False, True]
    assert left['town'] == 'Town_grid'
