"""The waypoint follower drives in mini_carla, the client in a process of its own."""

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

HOLD = """
import json, math, sys
from carla_bridge.connection import connect
from carla_bridge.ego import WaypointFollower
from carla_bridge.world_session import WorldSession

TICKS, SPEED_KMH = 450, 30.0

def off_centre(waypoint, place):
    'Distance from the middle of the lane, to the right.'
    middle, yaw = waypoint.transform, math.radians(waypoint.transform.rotation.yaw)
    dx, dy = place.x - middle.location.x, place.y - middle.location.y
    return -dx * math.sin(yaw) + dy * math.cos(yaw)

def lane_under(path, place):
    return min(path, key=lambda waypoint: waypoint.transform.location.distance(place))

client = connect('127.0.0.1', int(sys.argv[1]))
found = {}
for town in ('Town_ring', 'Town_grid', 'Town_hills', 'Town_highway'):
    with WorldSession(client, town=town, delta_s=0.05) as session:
        map_ = session.world.get_map()
        starts = map_.get_spawn_points()
        cars = [session.spawn('vehicle.tesla.model3', starts[at]) for at in (0, 7)]
        session.tick()
        drivers = [WaypointFollower(car, map_, speed_kmh=SPEED_KMH, seed=5) for car in cars]
        worst, way, top = 0.0, 0.0, 0.0
        before = [car.get_location() for car in cars]
        for tick in range(TICKS):
            for car, driver in zip(cars, drivers):
                car.apply_control(driver.step(cars))
            session.tick()
            for at, (car, driver) in enumerate(zip(cars, drivers)):
                place = car.get_location()
                way += place.distance(before[at]) / len(cars)
                before[at] = place
                top = max(top, 3.6 * car.get_velocity().length())
                # That of the lane which the driver chose: lanes cross in junctions.
                lane = lane_under(driver.path[:8], place)
                worst = max(worst, abs(off_centre(lane, place)))
        found[town] = {'worst_m': worst, 'way_m': way, 'top_kmh': top}
print(json.dumps(found))
sys.stdout.flush()
"""

QUEUE = """
import json, sys
from carla_bridge.connection import connect
from carla_bridge.ego import WaypointFollower
from carla_bridge.world_session import WorldSession

client = connect('127.0.0.1', int(sys.argv[1]))
with WorldSession(client, town='Town_ring', delta_s=0.05) as session:
    map_ = session.world.get_map()
    start = map_.get_spawn_points()[0]
    ahead = map_.get_waypoint(start.location).next(45.0)[0].transform
    ahead.location.z += 0.3
    standing = session.spawn('vehicle.audi.tt', ahead)
    car = session.spawn('vehicle.tesla.model3', start)
    crash = session.spawn('sensor.other.collision', type(start)(), attach_to=car)
    hits = []
    crash.listen(hits.append)
    session.tick()
    driver = WaypointFollower(car, map_, speed_kmh=50.0)
    for _ in range(400):
        car.apply_control(driver.step([standing]))
        session.tick()
    found = {
        'between_m': car.get_location().distance(standing.get_location())
        - car.bounding_box.extent.x - standing.bounding_box.extent.x,
        'speed': car.get_velocity().length(),
        'hits': len(hits),
    }
    crash.stop()
print(json.dumps(found))
sys.stdout.flush()
"""

AGAIN = """
import json, sys
from carla_bridge.connection import connect
from carla_bridge.ego import WaypointFollower
from carla_bridge.world_session import WorldSession

client = connect('127.0.0.1', int(sys.argv[1]))
ends = []
for seed in (1, 1):
    with WorldSession(client, town='Town_grid', delta_s=0.05) as session:
        map_ = session.world.get_map()
        start = map_.get_spawn_points()[3]
        # A little beside the lane and askew, as whoever takes over finds a car.
        start.location += 0.8 * start.get_right_vector()
        start.rotation.yaw += 12.0
        car = session.spawn('vehicle.tesla.model3', start)
        session.tick()
        driver = WaypointFollower(car, map_, seed=seed)
        for _ in range(300):
            car.apply_control(driver.step())
            session.tick()
        place = car.get_location()
        lane = map_.get_waypoint(place).transform.location
        ends.append([place.x, place.y, place.distance(lane)])
print(json.dumps(ends))
sys.stdout.flush()
"""


@pytest.fixture(scope='module')
def server() -> Iterator[Server]:
    with running_server() as started:
        yield started


def run(server: Server, code: str) -> object:
    done = run_client(code, server.port)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_it_holds_the_middle_of_the_lane_in_every_town(server: Server) -> None:
    found = run(server, HOLD)
    assert isinstance(found, dict)
    assert len(found) == 4
    for town, drive in found.items():
        assert drive['worst_m'] < 0.3, town
        assert drive['way_m'] > 130.0, town
        assert drive['top_kmh'] < 33.0, town


def test_it_stops_behind_what_stands_in_its_way(server: Server) -> None:
    found = run(server, QUEUE)
    assert isinstance(found, dict)
    assert found['hits'] == 0
    assert found['speed'] < 0.1
    assert 1.0 < found['between_m'] < 6.0


def test_it_comes_back_to_the_lane_and_drives_the_same_way_again(server: Server) -> None:
    ends = run(server, AGAIN)
    assert isinstance(ends, list)
    assert ends[0] == ends[1]
    assert ends[0][2] < 0.3
