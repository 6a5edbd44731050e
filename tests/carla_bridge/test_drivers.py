"""Drivers by name, and the rescue of a car that stands, in a real world."""

from __future__ import annotations

import importlib.util
import json
import socket
from typing import TYPE_CHECKING

import pytest

from tests.carla_bridge.servers import Server, run_client, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.carla,
    pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the client'),
]

FRAME = """
import json, sys
from carla_bridge.connection import CarlaError, connect
from carla_bridge.drivers import STUCK_S, Nobody, Rescuer, driver_of
from carla_bridge.world_session import WorldSession

with WorldSession(connect('127.0.0.1', int(sys.argv[1])), delta_s=0.05) as session:
    places = session.world.get_map().get_spawn_points()
    car = session.spawn('vehicle.tesla.model3', places[0])
    session.tick()
    start = car.get_location()
BODY
print(json.dumps(found), flush=True)
"""

DRIVEN = """
    found = {}
    for name in ('none', 'follower', 'autopilot'):
        start = car.get_location()
        driver = driver_of(name, session, car, speed_kmh=30.0, seed=1,
                           traffic_manager_port=int(sys.argv[2]))
        for _ in range(60):
            session.tick()
            driver.step()
        found[name] = car.get_location().distance(start)
    try:
        driver_of('chauffeur', session, car, speed_kmh=30.0, seed=1, traffic_manager_port=0)
    except CarlaError as error:
        found['refused'] = str(error)
"""

STANDING = """
    class Counting(Nobody):
        restarts = 0
        def restart(self):
            self.restarts += 1
    driver = Counting()
    rescuer = Rescuer(session.world, car, driver, seed=1, delta_s=0.05)
    moved = []
    for tick in range(round(STUCK_S / 0.05) + 5):
        session.tick()
        if rescuer.step():
            moved.append(tick)
    session.tick()
    here = car.get_location()
    found = {
        'moved': moved,
        'expected': round(STUCK_S / 0.05),
        'restarts': driver.restarts,
        'from_start': here.distance(start),
        'from_a_place': min(here.distance(place.location) for place in places),
    }
"""


@pytest.fixture(scope='module')
def server() -> Iterator[Server]:
    with running_server() as started:
        yield started


@pytest.fixture
def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as listening:
        return int(listening.getsockname()[1])


def test_a_driver_drives_by_its_name(server: Server, free_port: int) -> None:
    ended = run_client(FRAME.replace('BODY', DRIVEN), server.port, free_port)
    assert ended.returncode == 0, ended.stderr
    metres = json.loads(ended.stdout.splitlines()[-1])
    assert metres['none'] < 0.5
    assert 3.0 < metres['follower'] < 60.0
    assert 3.0 < metres['autopilot'] < 60.0
    assert 'expected a driver out of none, follower, autopilot, found' in metres['refused']


def test_a_car_that_stands_is_put_down_at_another_place_once(server: Server) -> None:
    ended = run_client(FRAME.replace('BODY', STANDING), server.port)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert len(found['moved']) == 1
    assert abs(found['moved'][0] - found['expected']) <= 1
    assert found['restarts'] == 1
    assert found['from_start'] > 12.0
    assert found['from_a_place'] < 1.5
