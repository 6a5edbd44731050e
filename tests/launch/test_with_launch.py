"""The launch files under the real `ros2 launch`: arguments, start, parameters, respawn, Ctrl-C."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Not `launch` alone: without ROS the folder launch/ of this repository would pass for it.
pytest.importorskip('launch.actions', reason='needs launch of a ROS 2 installation')
pytest.importorskip('launch_ros.actions', reason='needs launch_ros of a ROS 2 installation')
pytest.importorskip('ros2launch.api', reason='needs ros2launch of a ROS 2 installation')
pytest.importorskip('openvino')
pytest.importorskip('onnx')

from lane_seg_ros.middleware import PROFILE_PATH
from tests.carla_bridge.servers import running_server
from tests.lane_seg_ros.node_process import Client, road_msg
from tests.launch.launched import LAUNCH, PATIENCE_S, Launched, is_running, launched
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.ros, pytest.mark.slow]

FILES = ('carla_demo.launch.py', 'lane_seg.launch.py', 'mapping.launch.py')
ACTIVE = ' -> /lane_seg_node/mask'
MALLOC = 'MALLOC_MMAP_THRESHOLD_'
PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
# A robot's own launch file, in which ours is one part.
PARENT = """
from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import PushRosNamespace

def generate_launch_description():
    return LaunchDescription([
        PushRosNamespace('car'),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource('{file}'),
            launch_arguments={{'image': '/image_raw', 'model': '{model}'}}.items(),
        ),
        ExecuteProcess(cmd=['env'], output='screen'),
    ])
"""
needs_carla = pytest.mark.skipif(
    importlib.util.find_spec('carla') is None, reason='needs the CARLA client'
)


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f'model:={make_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")}'


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / 'launch.log'


def environment_of(pid: int) -> dict[str, str]:
    """The environment with which a process was started."""
    items = Path(f'/proc/{pid}/environ').read_text().split('\0')
    return dict(item.split('=', 1) for item in items if item)


def free_ports() -> int:
    """A port that is free, as is the one above it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(('127.0.0.1', 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(('127.0.0.1', port + 1))
            except (OSError, OverflowError):
                continue
            return port


def assert_ctrl_c_leaves_nothing(it: Launched) -> None:
    assert it.interrupt() == 0
    assert [pid for pid in it.pids if is_running(pid)] == []


@pytest.mark.parametrize('file', FILES)
def test_show_args_lists_every_argument_with_its_description(file: str, log: Path) -> None:
    with launched(file, '--show-args', log=log) as it:
        assert it.wait() == 0
    shown = re.sub(r'\s+', ' ', it.log)
    for argument in runpy.run_path(str(LAUNCH / file))['ARGUMENTS']:
        assert f"'{argument.name}': {argument.help} (default:" in shown


def test_the_node_starts_by_itself_gets_its_parameters_and_ends_with_ctrl_c(
    model: str, client: Client, log: Path, tmp_path: Path
) -> None:
    params = tmp_path / 'mine.yaml'
    params.write_text(
        '/**:\n  ros__parameters:\n    overlay_alpha: 0.25\n    model: nowhere\n    lasy: true\n'
    )
    with launched(
        'lane_seg.launch.py', model, f'params_file:={params}', 'engin:=openvino', log=log
    ) as it:
        it.wait_for(ACTIVE)
        assert client.mask_of(road_msg(3)).encoding == 'mono8'
        assert client.parameter('model') == model.removeprefix('model:=')
        assert client.parameter('overlay_alpha') == 0.25
        assert client.parameter('engine') == 'auto'
        assert 'engin is no argument of this launch file; did you mean engine?' in it.log
        assert 'lasy is no parameter of lane_seg_node' in it.log
        assert_ctrl_c_leaves_nothing(it)
        assert 'process has finished cleanly' in it.log


def test_name_namespace_and_topic_arrive(model: str, log: Path) -> None:
    arguments = ('name:=lanes', 'namespace:=/car/front', 'image:=/cam/image_raw')
    with launched('lane_seg.launch.py', model, *arguments, log=log) as it:
        it.wait_for('/cam/image_raw -> /car/front/lanes/mask')
        assert '[car.front.lanes]' in it.log
        assert_ctrl_c_leaves_nothing(it)


def test_the_log_level_is_that_of_the_node(model: str, client: Client, log: Path) -> None:
    with launched('lane_seg.launch.py', model, 'log_level:=error', log=log) as it:
        end_s = time.monotonic() + PATIENCE_S
        while client.state() != 'active' and time.monotonic() < end_s:
            time.sleep(0.05)
        assert client.state() == 'active'
        assert [line for line in it.log.splitlines() if '[lane_seg_node]' in line] == []


def test_several_cameras_arrive_with_names_that_yaml_would_take_for_something_else(
    model: str, client: Client, log: Path
) -> None:
    cameras = 'cameras:=on,rear=/cam_r/image_raw'
    with launched('lane_seg.launch.py', model, cameras, log=log) as it:
        it.wait_for('/on/image -> /lane_seg_node/on/mask')
        it.wait_for('/cam_r/image_raw -> /lane_seg_node/rear/mask')
        assert client.parameter('cameras') == ['on', 'rear']
        node = client.node
        client.wait_until(
            lambda: bool(node.get_subscriptions_info_by_topic('/cam_r/camera_info')),
            'a subscription of the calibration beside the image',
        )


def test_autostart_false_leaves_the_node_unconfigured(
    model: str, client: Client, log: Path
) -> None:
    with launched('lane_seg.launch.py', model, 'autostart:=false', log=log) as it:
        assert client.state() == 'unconfigured'
        assert_ctrl_c_leaves_nothing(it)


def test_a_killed_node_is_started_again(model: str, log: Path) -> None:
    arguments = ('respawn:=true', 'respawn_delay:=0.2')
    with launched('lane_seg.launch.py', model, *arguments, log=log) as it:
        it.wait_for(ACTIVE)
        os.kill(it.pids[0], signal.SIGKILL)
        it.wait_for(ACTIVE, times=2)
        assert len(it.pids) == 2
        assert_ctrl_c_leaves_nothing(it)


def test_without_respawn_launch_ends_with_the_node(model: str, log: Path) -> None:
    with launched('lane_seg.launch.py', model, log=log) as it:
        it.wait_for(ACTIVE)
        os.kill(it.pids[0], signal.SIGKILL)
        it.wait()
        assert len(it.pids) == 1


@pytest.mark.parametrize('profile', ['true', 'false'])
def test_the_profile_is_in_the_environment_of_the_node_unless_it_is_not_wanted(
    profile: str, model: str, log: Path
) -> None:
    with launched('lane_seg.launch.py', model, f'profile:={profile}', log=log) as it:
        it.wait_for('process started with pid')
        environment = environment_of(it.pids[0])
    wanted = (str(PROFILE_PATH), '1073741824') if profile == 'true' else (None, None)
    assert (environment.get(PROFILE), environment.get(MALLOC)) == wanted


def test_what_the_user_has_set_in_the_environment_stays(model: str, log: Path) -> None:
    mine = {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4', 'MALLOC_TOP_PAD_': '65536'}
    with launched('lane_seg.launch.py', model, log=log, environment=mine) as it:
        it.wait_for('process started with pid')
        environment = environment_of(it.pids[0])
    assert {name: environment.get(name) for name in mine} == mine
    assert PROFILE not in environment
    assert MALLOC not in environment


@pytest.mark.parametrize(
    ('file', 'arguments', 'complaint'),
    [
        ('lane_seg.launch.py', ['params_file:=/nowhere/a.yaml'], 'found /nowhere/a.yaml'),
        ('lane_seg.launch.py', ['cameras:=front,9x'], 'expected cameras to be names'),
        ('lane_seg.launch.py', ['cameras:=a,b', 'image:=/c'], 'expected image'),
        ('lane_seg.launch.py', ['engine:=tensorflow'], 'expected engine to be one of auto'),
        ('mapping.launch.py', ['depth:=/a b'], 'expected depth to be a topic'),
        ('carla_demo.launch.py', ['size:=large'], "'large' is no size"),
        ('carla_demo.launch.py', ['publish_options:=--sped 3'], '--sped'),
        ('carla_demo.launch.py', ['publish_options:="'], 'expected publish_options as in a shell'),
    ],
)
def test_a_wrong_argument_is_named_before_anything_starts(
    file: str, arguments: list[str], complaint: str, log: Path
) -> None:
    with launched(file, *arguments, log=log) as it:
        assert it.wait() == 1
    assert complaint in it.log
    assert it.pids == []


def test_without_rviz_the_rest_starts_and_the_log_says_why(
    model: str, log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    with launched('lane_seg.launch.py', model, 'rviz:=true', log=log) as it:
        it.wait_for(ACTIVE)
        assert 'rviz2 is not installed' in it.log


def test_rviz_is_started_with_the_topics_of_the_node(
    model: str, log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # rviz itself cannot run without a screen: a program of its name notes how it is called.
    noted = tmp_path / 'noted'
    program = tmp_path / 'rviz2'
    program.write_text(f'#!/bin/sh\necho "$@" > {noted}.part\n/bin/mv {noted}.part {noted}\n')
    program.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    arguments = ('namespace:=car', 'cameras:=front=/cam_f/image_raw,rear', 'use_sim_time:=true')
    with launched('lane_seg.launch.py', model, *arguments, 'rviz:=true', log=log):
        end_s = time.monotonic() + PATIENCE_S
        while not noted.exists() and time.monotonic() < end_s:
            time.sleep(0.05)
    called = noted.read_text()
    assert f'-d {LAUNCH / "rviz" / "lane_seg.rviz"}' in called
    assert '-r /lane_seg_node/overlay:=/car/lane_seg_node/front/overlay' in called
    assert '-r /image:=/cam_f/image_raw' in called
    (parameters,) = re.findall(r'--params-file (\S+)', called)
    assert 'use_sim_time: true' in Path(parameters).read_text()


def test_mapping_makes_bundles_of_image_and_depth(model: str, client: Client, log: Path) -> None:
    with launched('mapping.launch.py', model, 'depth:=/cam/depth/image', log=log) as it:
        it.wait_for(ACTIVE)
        assert client.parameter('publish_bundle') is True
        node = client.node
        for topic in ('/cam/depth/image', '/cam/depth/camera_info', '/camera_info'):
            client.wait_until(
                lambda topic=topic: bool(node.get_subscriptions_info_by_topic(topic)),
                f'a subscription of {topic}',
            )
        topics = {name for name, _ in node.get_topic_names_and_types()}
        outputs = {'mask', 'camera_info', 'depth', 'depth_camera_info'}
        assert {f'/lane_seg_node/bundle/{name}' for name in outputs} <= topics
        assert_ctrl_c_leaves_nothing(it)


def test_a_launch_file_that_includes_ours_gives_it_a_namespace_and_gets_the_environment(
    model: str, log: Path, tmp_path: Path
) -> None:
    parent = tmp_path / 'parent.launch.py'
    path = model.removeprefix('model:=')
    parent.write_text(PARENT.format(file=LAUNCH / 'lane_seg.launch.py', model=path))
    with launched(str(parent), log=log) as it:
        it.wait_for('/image_raw -> /car/lane_seg_node/mask')
        it.wait_for('process has finished cleanly')  # that which prints its environment
        assert f'{PROFILE}={PROFILE_PATH}' in it.log
        assert 'is no argument of this launch file' not in it.log


@needs_carla
def test_the_demo_starts_mini_carla_says_so_and_segments_its_camera(
    model: str, client: Client, log: Path
) -> None:
    port = f'port:={free_ports()}'
    with launched(
        'carla_demo.launch.py', model, port, 'size:=64x48', 'rviz:=false', log=log
    ) as it:
        it.wait_for('THIS IS NOT CARLA')
        it.wait_for('ready: publishing')
        # The bridge is started when the server is ready and not before.
        assert it.log.index('ready: mini_carla') < it.log.index('[carla_bridge')
        client.wait_until(lambda: bool(client.received.masks), 'a mask')
        assert client.received.masks[0].header.frame_id == 'ego_vehicle/rgb_front'
        assert client.parameter('use_sim_time') is True
        assert len(it.pids) == 3
        assert_ctrl_c_leaves_nothing(it)
        assert 'process has died' not in it.log


@needs_carla
def test_the_demo_takes_the_server_that_is_there_and_ends_with_it(model: str, log: Path) -> None:
    with running_server() as server:
        port = f'port:={server.port}'
        with launched(
            'carla_demo.launch.py', model, port, 'size:=64x48', 'rviz:=false', log=log
        ) as it:
            it.wait_for('ready: publishing')
            assert 'NOT CARLA' not in it.log
            assert len(it.pids) == 2
            server.process.kill()
            server.process.wait()
            it.wait()
            assert [pid for pid in it.pids if is_running(pid)] == []
