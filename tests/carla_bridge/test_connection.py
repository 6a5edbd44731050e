"""Connecting to servers that are not there, not CARLA, or of another version."""

from __future__ import annotations

import importlib.util
import socket

import pytest

from carla_bridge.connection import check_versions
from lane_seg.errors import LaneSegError
from tests.carla_bridge.servers import run_client, running_server

pytestmark = [
    pytest.mark.carla,
    pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the client'),
]

CONNECT = """
import sys
from carla_bridge.connection import connect
from lane_seg.errors import LaneSegError
try:
    client = connect('127.0.0.1', int(sys.argv[1]), timeout_s=3.0)
except LaneSegError as error:
    print('refused:', error)
else:
    print('world', client.get_world().wait_for_tick(10.0).frame > 0)
"""


def test_a_port_on_which_nothing_listens_is_named_at_once() -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
    done = run_client(CONNECT, port)
    assert f'expected a CARLA server at 127.0.0.1:{port}, found none' in done.stdout
    assert 'carla-bridge serve' in done.stdout


def test_a_server_that_is_not_carla_is_named() -> None:
    with socket.create_server(('127.0.0.1', 0)) as mute:
        done = run_client(CONNECT, mute.getsockname()[1])
    assert 'does not answer' in done.stdout


def test_a_server_of_another_version_is_refused_before_the_client_crashes() -> None:
    with running_server('--carla-version', '0.9.15') as server:
        done = run_client(CONNECT, server.port)
    assert done.returncode == 0
    assert "pip install 'carla==0.9.15'" in done.stdout


def test_a_server_of_our_version_is_connected_to() -> None:
    with running_server() as server:
        done = run_client(CONNECT, server.port)
    assert done.stdout == 'world True\n', done.stderr


def test_versions_that_differ_are_refused_before_the_client_can_crash() -> None:
    check_versions('0.9.16', '0.9.16')
    with pytest.raises(LaneSegError, match=r"found 0\.9\.15.*pip install 'carla==0\.9\.15'"):
        check_versions('0.9.16', '0.9.15')
