"""The compose files: one shared memory, one user, no open port, no plan built by a node."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

import lane_seg
from carla_bridge.command import COMMANDS as BRIDGE_COMMANDS
from lane_seg_cli.commands import COMMANDS
from tests.docker.dockerfiles import DOCKER, ROOT, read_dockerfile

FILES = sorted(path.name for path in DOCKER.glob('compose*.yaml'))
OURS = ('shared', 'bridge', 'node', 'build-plan', 'rviz')
LONG_RUNNING = ('carla', 'bridge', 'node', 'rviz')
_MEGABYTES = {'mb': 1, 'gb': 1024}
_SEGMENT_MB = 17

# What PyYAML reads: mappings, lists and texts.
Service = dict[str, Any]


def services_of(file: str) -> dict[str, Service]:
    """The services, with merged keys in their places."""
    services = yaml.safe_load((DOCKER / file).read_text(encoding='utf-8'))['services']
    assert isinstance(services, dict)
    return services


def parameters_in(command: list[str]) -> dict[str, str]:
    """The parameters that a command line gives to a node."""
    given = [b for a, b in zip(command, command[1:], strict=False) if a == '-p']
    return dict(text.split(':=') for text in given)


def accepted(command: list[str]) -> argparse.Namespace:
    """Let the command's own parser read its arguments, with texts in the places of variables."""
    program, name, *arguments = command
    table = {'lane-seg': COMMANDS, 'carla-bridge': BRIDGE_COMMANDS}[program]
    module = importlib.import_module(next(c.module for c in table if c.name == name))
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    return parser.parse_args([re.sub(r'\$\{\w+:-([^}]*)\}', r'\1', a) for a in arguments])


def test_there_are_a_file_for_the_pc_and_one_for_the_jetson() -> None:
    assert FILES == ['compose.jetson.yaml', 'compose.yaml']
    assert set(services_of('compose.yaml')) == {*OURS, 'carla'}
    assert set(services_of('compose.jetson.yaml')) == {'node', 'build-plan'}


@pytest.mark.parametrize('name', LONG_RUNNING)
def test_all_join_one_network_and_one_shared_memory(name: str) -> None:
    services = services_of('compose.yaml')
    assert services[name]['network_mode'] == 'service:shared'
    assert services[name]['ipc'] == 'service:shared'
    assert services['shared']['ipc'] == 'shareable'


def test_the_shared_memory_holds_all_of_them_many_times() -> None:
    size = services_of('compose.yaml')['shared']['shm_size']
    found = re.fullmatch(r'(\d+)([mg]b)', size)
    assert found
    megabytes = int(found[1]) * _MEGABYTES[found[2]]
    # A health check and a person's own commands are participants too.
    assert megabytes >= 8 * _SEGMENT_MB * len(LONG_RUNNING)


def test_what_holds_the_shared_memory_never_ends_by_itself() -> None:
    shared = services_of('compose.yaml')['shared']
    assert [*shared['entrypoint'], *shared['command']] == ['sleep', 'infinity']
    assert shared['restart'] == 'unless-stopped'
    assert shared['healthcheck'] == {'disable': True}


def test_nothing_listens_outside_of_this_machine() -> None:
    text = yaml.safe_load((DOCKER / 'compose.yaml').read_text())
    assert text['networks'] == {'inside': {'internal': True}}
    services = text['services']
    assert services['shared']['networks'] == ['inside']
    for name, service in services.items():
        assert 'ports' not in service, name
        assert service.get('network_mode') in (None, 'none', 'service:shared'), name


@pytest.mark.parametrize('file', FILES)
def test_no_service_has_more_rights_than_it_needs(file: str) -> None:
    for name, service in services_of(file).items():
        assert not service.keys() & {'privileged', 'cap_add', 'devices', 'pid'}, name
        assert service['security_opt'] == ['no-new-privileges:true'], name
        if name != 'carla':
            assert service['cap_drop'] == ['ALL'], name


@pytest.mark.parametrize('file', FILES)
def test_all_of_ours_run_as_one_user_for_whom_the_image_was_built(file: str) -> None:
    services = {n: s for n, s in services_of(file).items() if n != 'carla'}
    users = {service['user'] for service in services.values()}
    assert users == {'${LANE_SEG_UID:-1000}:${LANE_SEG_GID:-1000}'}
    for service in services.values():
        arguments = service['build']['args']
        assert arguments['USER_ID'] + ':' + arguments['GROUP_ID'] in users


@pytest.mark.parametrize('file', FILES)
def test_signals_arrive_and_children_are_buried(file: str) -> None:
    for name, service in services_of(file).items():
        assert service['init'] is True, name
        assert isinstance(service['command'], list), name


@pytest.mark.parametrize('file', FILES)
def test_images_have_versions_and_are_built_from_targets_that_exist(file: str) -> None:
    for name, service in services_of(file).items():
        if name == 'carla':
            assert service['image'] == 'carlasim/carla:0.9.16'
            continue
        build = service['build']
        assert build['context'] == '..'
        dockerfile = read_dockerfile(Path(build['dockerfile']).name)
        target = build.get('target', dockerfile.targets()[-1])
        assert target in dockerfile.targets()
        kind = 'jetson' if 'jetson' in file else target
        assert service['image'] == f'lane_seg_ros:{lane_seg.__version__}-{kind}'
        declared = {i.text.split('=')[0] for i in dockerfile.lineage(target) if i.name == 'ARG'}
        assert set(build['args']) <= declared | set(dockerfile.arguments)


@pytest.mark.parametrize('file', FILES)
def test_a_plan_is_built_when_asked_for_and_at_no_other_time(file: str) -> None:
    services = services_of(file)
    build, node = services['build-plan'], services['node']
    assert build['profiles'] == ['build-plan']
    assert 'restart' not in build
    asked = accepted(build['command'])
    # The engine looks beside the model that the node is told to take.
    assert asked.model == '/models/default'
    assert build['command'][3] == parameters_in(node['command'])['model']
    assert str(asked.timing_cache).startswith(asked.model)
    assert build['volumes'] == ['${LANE_SEG_MODELS:-../models}:/models']
    assert node['volumes'] == ['${LANE_SEG_MODELS:-../models}:/models:ro']
    assert (ROOT / 'models' / 'default' / 'model.yaml').is_file()
    assert 'build-engine' not in ' '.join(node['command'])
    for name, service in services.items():
        assert 'build-plan' not in service.get('depends_on', {}), name


@pytest.mark.parametrize('file', FILES)
def test_the_node_gets_parameters_that_it_has(file: str) -> None:
    pytest.importorskip('rclpy')
    from lane_seg_ros.parameters import LaneSegParameters

    known = {field.name for field in dataclasses.fields(LaneSegParameters)} | {'use_sim_time'}
    command = services_of(file)['node']['command']
    assert command[:2] == ['lane_seg_node', '--ros-args']
    assert set(parameters_in(command)) <= known


def test_the_node_hears_the_camera_that_the_bridge_publishes() -> None:
    from carla_bridge.rig import default_rig

    services = services_of('compose.yaml')
    asked = accepted(services['bridge']['command'])
    assert asked.driver == 'follower'
    assert (asked.host, asked.port) == ('127.0.0.1', 2000)
    rig = default_rig()
    topic = f'/carla/{rig.id}/{rig.sensors[0].id}'
    command = ' '.join(services['node']['command'])
    assert f'image:=${{LANE_SEG_IMAGE:-{topic}/image}}' in command
    assert f'camera_info:=${{LANE_SEG_CAMERA_INFO:-{topic}/camera_info}}' in command


def test_who_needs_a_gpu_reserves_one() -> None:
    for name in ('carla', 'node', 'build-plan', 'rviz'):
        service = services_of('compose.yaml')[name]
        (device,) = service['deploy']['resources']['reservations']['devices']
        assert device == {'driver': 'nvidia', 'count': 1, 'capabilities': ['gpu']}, name
    for service in services_of('compose.jetson.yaml').values():
        assert service['runtime'] == 'nvidia'
        assert 'video' in service['group_add']


def test_ros_stays_on_this_machine_in_a_domain_that_can_be_chosen() -> None:
    for name in ('bridge', 'node', 'rviz'):
        environment = services_of('compose.yaml')[name]['environment']
        assert environment['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST', name
        assert environment['ROS_DOMAIN_ID'] == '${ROS_DOMAIN_ID:-0}', name
    environment = services_of('compose.jetson.yaml')['node']['environment']
    assert environment == {'ROS_DOMAIN_ID': '${ROS_DOMAIN_ID:-0}'}


def test_the_bridge_waits_for_carla_and_rviz_for_somebody_who_wants_it() -> None:
    services = services_of('compose.yaml')
    assert services['bridge']['depends_on'] == {'carla': {'condition': 'service_healthy'}}
    assert '/dev/tcp/127.0.0.1/2000' in services['carla']['healthcheck']['test'][-1]
    assert services['rviz']['profiles'] == ['rviz']


def test_rviz_opens_a_view_that_is_installed() -> None:
    seen: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('setuptools.setup', lambda **arguments: seen.update(arguments))
        runpy.run_path(str(ROOT / 'setup.py'))
    installed = {
        f'/opt/lane_seg/{folder}/{Path(name).name}'
        for folder, names in seen['data_files']
        for name in names
    }
    command = services_of('compose.yaml')['rviz']['command']
    assert command[command.index('--display-config') + 1] in installed


@pytest.mark.parametrize('file', FILES)
def test_every_variable_is_explained_in_the_docs(file: str) -> None:
    names = set(re.findall(r'\$\{(\w+)', (DOCKER / file).read_text())) - {'DISPLAY'}
    page = (ROOT / 'docs' / 'docker.md').read_text()
    assert [name for name in sorted(names) if f'`{name}`' not in page] == []
