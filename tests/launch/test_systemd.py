"""The systemd unit and the parameters of a vehicle: read by systemd, by bash and by the node."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('openvino')

import rclpy
import yaml
from rclpy.context import Context
from rclpy.node import Node

from lane_seg_ros.parameters import LaneSegParameters, declare_parameters
from tests.tiny_bundle import make_tiny_bundle

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / 'launch' / 'systemd' / 'lane_seg.service'
ENVIRONMENT = UNIT.with_name('lane_seg.env')
PARAMETERS = ROOT / 'launch' / 'params' / 'vehicle.yaml'


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser


@pytest.mark.skipif(
    shutil.which('systemd-analyze') is None, reason='needs systemd-analyze of systemd'
)
def test_systemd_accepts_the_unit() -> None:
    done = subprocess.run(
        ['systemd-analyze', 'verify', '--man=no', str(UNIT)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 'lane_seg.service' not in done.stderr


def test_the_unit_never_gives_up_and_leaves_gpu_and_shared_memory_alone() -> None:
    service = unit()['Service']
    assert unit()['Unit']['StartLimitIntervalSec'] == '0'
    assert (service['Restart'], service['Type']) == ('always', 'notify')
    assert float(service['WatchdogSec']) > 2 * LaneSegParameters().diagnostics_period_s
    assert service['EnvironmentFile'].endswith(f'/{ENVIRONMENT.name}')
    for taken_away in ('PrivateDevices', 'PrivateIPC', 'DevicePolicy', 'MemoryDenyWriteExecute'):
        assert taken_away not in service


def test_the_command_of_the_unit_starts_the_node_as_its_main_process(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / 'tiny')
    setup = tmp_path / 'setup.bash'
    setup.write_text(f'export PATH={Path(sys.executable).parent}:$PATH\n', encoding='utf-8')
    # systemd splits as a shell does, and makes $ of $$.
    command = [word.replace('$$', '$') for word in shlex.split(unit()['Service']['ExecStart'])]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / 'notify'))
        manager.settimeout(60.0)
        manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with (tmp_path / 'node.log').open('wb') as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    'NODE_ARGUMENTS': f'--ros-args --params-file {PARAMETERS} '
                    f'-p model:={bundle} -p engine:=openvino',
                    'NOTIFY_SOCKET': str(tmp_path / 'notify'),
                    'PYTHONPATH': os.pathsep.join(path for path in sys.path if path),
                    'SETUP_FILES': str(setup),
                },
            )
        try:
            text, credentials, *_ = manager.recvmsg(4096, 100)
            assert b'READY=1' in text
            # NotifyAccess=main: systemd listens to the process alone that it has started.
            assert int.from_bytes(credentials[0][2][:4], sys.byteorder) == process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (tmp_path / 'node.log').read_text()


def test_the_settings_name_files_that_are_shared() -> None:
    lines = ENVIRONMENT.read_text(encoding='utf-8').splitlines()
    settings = dict(line.split('=', 1) for line in lines if line and not line.startswith('#'))
    assert settings['NODE_ARGUMENTS'].startswith('--ros-args ')
    assert f'/{PARAMETERS.name} ' in settings['NODE_ARGUMENTS']
    assert {'SETUP_FILES', 'ROS_DOMAIN_ID', 'PYTHONFAULTHANDLER'} <= set(settings)


def test_the_node_takes_every_parameter_of_the_vehicle() -> None:
    stated = yaml.safe_load(PARAMETERS.read_text(encoding='utf-8'))['/**']['ros__parameters']
    context = Context()
    rclpy.init(context=context)
    node = Node(
        'lane_seg_node',
        context=context,
        cli_args=['--ros-args', '--params-file', str(PARAMETERS)],
    )
    try:
        read = declare_parameters(node)
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
    assert {name: getattr(read, name) for name in stated} == stated
    assert read.autostart
    assert read.autostart_retry_s > 0
    assert read.engine != 'auto'
