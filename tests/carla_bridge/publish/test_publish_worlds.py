"""`carla-bridge publish` in worlds of others, with watchers who come late, and at bad ends."""

from __future__ import annotations

import csv
import importlib.util
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carla_bridge.command import main
from lane_seg.carla_tags import TAGS_0_9_14
from tests.carla_bridge.publish.listening import listening, nanoseconds, running_command
from tests.carla_bridge.servers import Server, environment, run_client, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_the_client = pytest.mark.skipif(
    importlib.util.find_spec('carla') is None, reason='needs the client'
)

# A program of somebody else's: two cameras on a car, one on no car, ticks of its own.
OTHER = """
import json, sys, threading, time
import carla
from carla_bridge.connection import connect
from carla_bridge.world_session import WorldSession

SIZE = {'image_size_x': '96', 'image_size_y': '64'}
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
with WorldSession(connect('127.0.0.1', int(sys.argv[1])), delta_s=0.1) as session:
    place = session.world.get_map().get_spawn_points()[0]
    car = session.spawn('vehicle.audi.tt', place, attributes={'role_name': 'hero'})
    def camera(kind, parent, **names):
        where = carla.Transform(carla.Location(x=1.0, z=2.0)) if parent else place
        return session.spawn(
            f'sensor.camera.{kind}', where, attach_to=parent, attributes={**SIZE, **names}
        )
    cameras = [
        camera('rgb', car, ros_name='front'),
        camera('semantic_segmentation', car, role_name='front'),
        camera('rgb', None, role_name='over the road'),
    ]
    session.tick()
    print('ready', cameras[1].id, flush=True)
    while not ended.is_set():
        session.tick()
        time.sleep(0.02)
    session.tick()
    settings = session.world.get_settings()
    print(json.dumps({
        'alive': [camera.is_alive for camera in cameras],
        'settings': [settings.synchronous_mode, settings.fixed_delta_seconds],
    }), flush=True)
"""

HANGING = """
import sys, time
from carla_bridge.connection import connect
from carla_bridge.publish.watchdog import Watchdog, clean_up_from_outside
from carla_bridge.world_session import WorldSession

port = int(sys.argv[1])
client = connect('127.0.0.1', port)
before = client.get_world().get_settings()
with WorldSession(client, delta_s=0.05) as session:
    car = session.spawn('vehicle.audi.tt', session.world.get_map().get_spawn_points()[0])
    session.tick()
    say = lambda text: print(text, flush=True)
    never = lambda: False
    with Watchdog('127.0.0.1', port, stall_s=3.0, say=say, interrupted=never) as dog:
        dog.arm(lambda: clean_up_from_outside('127.0.0.1', port, [car.id], before))
        time.sleep(300)
"""


@pytest.fixture(scope='module')
def server() -> Iterator[Server]:
    with running_server() as started:
        yield started


@pytest.mark.carla
@pytest.mark.ros
@needs_the_client
def test_cameras_and_ticks_of_another_program_are_published_and_left_alone(
    server: Server, tmp_path: Path
) -> None:
    other = subprocess.Popen(
        [sys.executable, '-c', OTHER, str(server.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert other.stdout is not None
        word, number = other.stdout.readline().split()
        assert word == 'ready'
        cameras = ('hero/front', f'hero/front_{number}', 'over_the_road')
        with (
            running_command(
                tmp_path, 'publish', '--port', server.port, '--attach', '--passive'
            ) as publisher,
            listening(*cameras) as listener,
        ):
            listener.wait_until(
                lambda: all(len(images) >= 10 for images in listener.images.values()),
                'ten images of each camera',
            )
            for camera, images in listener.images.items():
                assert {(m.height, m.width, m.header.frame_id) for m in images} == {
                    (64, 96, camera)
                }
                stamps = [nanoseconds(m.header.stamp) for m in images]
                assert set(np.diff(stamps).tolist()) == {100_000_000}
            assert publisher.stop(signal.SIGINT) == 0
            assert 'Traceback' not in publisher.said()
        output, _ = other.communicate(timeout=60)
        assert json.loads(output) == {'alive': [True] * 3, 'settings': [True, 0.1]}
    finally:
        other.kill()
        other.wait()


@pytest.mark.carla
@pytest.mark.ros
@needs_the_client
def test_a_camera_sleeps_while_nobody_watches_and_wakes_for_who_comes_late(
    tmp_path: Path,
) -> None:
    rgb, semantic = 'ego_vehicle/rgb_front', 'ego_vehicle/semantic_segmentation_front'
    log = tmp_path / 'ticks.csv'
    with (
        running_server('--tick-log', str(log)) as server,
        running_command(
            tmp_path,
            *('publish', '--port', server.port, '--size', '128x72', '--semantic', 'tags'),
            '--as-fast-as-possible',
        ) as publisher,
        listening(rgb) as listener,
    ):
        listener.wait_until(lambda: len(listener.images[rgb]) >= 80, 'eighty images')
        listener.listen(semantic)
        listener.wait_until(lambda: len(listener.images[semantic]) >= 5, 'five label images')
        first = nanoseconds(listener.images[rgb][0].header.stamp)
        msg = listener.images[semantic][-1]
        assert nanoseconds(msg.header.stamp) > first
        assert (msg.encoding, msg.step, len(msg.data)) == ('mono8', 128, 128 * 72)
        assert TAGS_0_9_14['Roads'] in np.frombuffer(msg.data, np.uint8)
        # camera_info never slept.
        stamps = {nanoseconds(m.header.stamp) for m in listener.infos[rgb]}
        assert publisher.stop() == 0
        assert len(stamps) >= 80
    # That the other one slept in between is seen in what was rendered.
    rendered = [int(row['images']) for row in csv.DictReader(log.open())]
    assert rendered.count(1) >= 20


@pytest.mark.carla
@needs_the_client
def test_a_client_that_hangs_is_ended_and_cleaned_up_after(server: Server) -> None:
    ended = run_client(HANGING, server.port)
    assert ended.returncode == 1
    assert 'expected a tick within 3 s' in ended.stdout
    later = run_client(
        'import sys, carla\n'
        'world = carla.Client("127.0.0.1", int(sys.argv[1])).get_world()\n'
        'world.wait_for_tick(20.0)\n'
        'print(len(world.get_actors().filter("vehicle.*")),'
        ' world.get_settings().synchronous_mode, flush=True)\n',
        server.port,
    )
    assert later.stdout == '0 False\n'


@pytest.mark.carla
@pytest.mark.ros
@needs_the_client
def test_a_server_that_dies_is_an_error_and_not_a_wait(server: Server, tmp_path: Path) -> None:
    words = ('publish', '--port', server.port, '--size', '64x48')
    with running_command(tmp_path, *words) as publisher:
        server.process.kill()  # the last test that uses it
        assert publisher.process.wait(timeout=25) == 1
        assert 'it has ended or crashed' in publisher.said()


@pytest.mark.carla
@pytest.mark.ros
@needs_the_client
def test_one_ctrl_c_for_server_and_bridge_is_no_error(tmp_path: Path) -> None:
    with (
        running_server() as both,
        running_command(tmp_path, 'publish', '--port', both.port) as publisher,
    ):
        # As a terminal and `ros2 launch` do it; the server may well be the first to go.
        both.process.send_signal(signal.SIGINT)
        assert publisher.stop(signal.SIGINT) == 0
        assert 'found none' not in publisher.said()


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (('--weather', 'Hail'), 'expected a weather out of Default, ClearNoon'),
        (('--attach', '--size', '64x48'), 'have sizes of their own'),
        (('--passive', '--town', 'Town_grid'), 'expected --passive or --town, found both'),
        (('--respawn',), 'expected a --driver with --respawn'),
        (('--sensors', 'none.yaml'), 'expected a sensor file at none.yaml'),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_touched(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['publish', '--port', '1', *words]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    'words', [('--fov', '0'), ('--speed', 'fast'), ('--fixed-delta', '0.2'), ('--traffic', '-1')]
)
def test_numbers_out_of_their_limits_are_wrong_usage(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(['publish', *words])
    assert stop.value.code == 2
