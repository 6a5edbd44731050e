"""A whole server in this process, asked over its own sockets without the client."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('msgpack')

import msgpack

from carla_bridge.mini_carla.absent import ABSENT
from carla_bridge.mini_carla.blueprints import blueprints
from carla_bridge.mini_carla.calls import WorldCalls
from carla_bridge.mini_carla.server import MiniCarla

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope='module')
def server() -> Iterator[MiniCarla]:
    with MiniCarla(town='Town_ring') as running:
        yield running


@pytest.fixture
def caller(server: MiniCarla) -> Iterator[socket.socket]:
    with socket.create_connection(('127.0.0.1', server.port), timeout=20) as connection:
        yield connection


def ask(caller: socket.socket, name: str, *parameters: object) -> list[object]:
    """Make a call; the error and the result of the response."""
    caller.sendall(msgpack.packb([0, 1, name, [[False], *parameters]]))
    unpacker = msgpack.Unpacker(max_buffer_size=1 << 26)
    while True:
        unpacker.feed(caller.recv(1 << 16))
        for _, _, error, result in unpacker:
            return [error, result]


def episode(caller: socket.socket) -> tuple[int, int]:
    """Number of the episode, and of the stream that tells its state."""
    _, ((_, (number, (token,))),) = ask(caller, 'get_episode_info')  # type: ignore[misc]
    return number, struct.unpack('<I', token[:4])[0]  # type: ignore[has-type]


def next_state(stream: socket.socket) -> int:
    """Number of the episode that the next frame of a stream is about."""
    (size,) = struct.unpack('<I', stream.recv(4, socket.MSG_WAITALL))
    frame = stream.recv(size, socket.MSG_WAITALL)
    return int(struct.unpack_from('<Q', frame, 48)[0])


def test_each_episode_has_a_stream_of_its_own_and_the_old_one_tells_of_it(
    server: MiniCarla, caller: socket.socket
) -> None:
    number, stream_id = episode(caller)
    assert ask(caller, 'get_sensor_token', stream_id)[0] is None
    with socket.create_connection(('127.0.0.1', server.stream_port), timeout=20) as stream:
        stream.sendall(struct.pack('<I', stream_id))
        assert next_state(stream) == number
        assert ask(caller, 'load_new_episode', '', True, 65535) == [None, [[False]]]
        following, other_id = episode(caller)
        assert (following, other_id) == (number + 1, stream_id + 1)
        while (told := next_state(stream)) == number:
            pass
        assert told == following
    # Nobody hears the first one any more: the next episode ends it.
    ask(caller, 'load_new_episode', '', True, 65535)
    for _ in range(200):
        error, result = ask(caller, 'get_sensor_token', stream_id)
        assert error is None
        if result[0][0] == 0:  # type: ignore[index]
            break
        ask(caller, 'load_new_episode', '', True, 65535)
    assert 'unable to find actor' in result[0][1][0]  # type: ignore[index]


@pytest.mark.parametrize('name', ['start_recorder', 'get_light_boxes', 'cast_ray'])
def test_a_missing_call_that_answers_with_a_value_says_what_is_missing(
    caller: socket.socket, name: str
) -> None:
    error, [[shape, [text]]] = ask(caller, name, 1, 2)  # type: ignore[misc]
    assert (error, shape) == (None, 0)
    assert 'mini_carla has no' in text


@pytest.mark.parametrize('name', ['enable_gbuffers', 'add_actor_impulse', 'set_walker_state'])
def test_a_missing_call_that_answers_with_nothing_says_what_is_missing(
    caller: socket.socket, name: str
) -> None:
    error, [[shape, [text]]] = ask(caller, name, 1)  # type: ignore[misc]
    assert (error, shape) == (None, True)
    assert 'mini_carla has no' in text


def test_nothing_is_both_there_and_missing() -> None:
    assert not [name for name in ABSENT if hasattr(WorldCalls, name)]


@pytest.mark.parametrize(
    'name', [name for name, blueprint in blueprints().items() if blueprint.missing]
)
def test_what_cannot_be_spawned_is_in_the_library_and_refused(
    caller: socket.socket, name: str
) -> None:
    place = [[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]]
    _, [[shape, [text]]] = ask(caller, 'spawn_actor', [1, name, []], place)  # type: ignore[misc]
    assert shape == 0
    assert f'{name}: mini_carla has no' in text
