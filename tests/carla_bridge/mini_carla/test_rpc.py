"""The msgpack-rpc server on real sockets."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from carla_bridge.mini_carla.rpc import (
    CallError,
    RpcServer,
    calls_of,
    raw_call,
    value_call,
    void_call,
)

msgpack = pytest.importorskip('msgpack')

if TYPE_CHECKING:
    from collections.abc import Iterator


class Desk:
    """Answers of every shape."""

    def __init__(self) -> None:
        self.noted: list[object] = []

    @value_call
    def double(self, number: int) -> int:
        return 2 * number

    @value_call
    def refuse(self) -> int:
        raise CallError('not today')

    @void_call
    def note(self, word: str) -> None:
        if not word:
            raise CallError('no word')
        self.noted.append(word)

    @raw_call
    def plain(self) -> list[int]:
        return [1, 2]


class Caller:
    """A client that writes and reads whole messages."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=10)
        self._unpacker = msgpack.Unpacker(raw=False)

    def ask(self, name: str, *parameters: object) -> list[object]:
        self.socket.sendall(msgpack.packb([0, 5, name, [[False], *parameters]]))
        return self.read()

    def read(self) -> list[object]:
        while True:
            for message in self._unpacker:
                return message  # type: ignore[no-any-return]
            data = self.socket.recv(1 << 16)
            assert data, 'the server ended the connection'
            self._unpacker.feed(data)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def left() -> threading.Event:
    return threading.Event()


@pytest.fixture
def server(desk: Desk, left: threading.Event) -> Iterator[RpcServer]:
    running = RpcServer(
        socket.create_server(('127.0.0.1', 0)),
        calls_of(desk),
        around=lambda _, call: call(),
        on_last_client_left=left.set,
    )
    yield running
    running.close()


def test_every_shape_of_response(server: RpcServer, desk: Desk) -> None:
    caller = Caller(server.port)
    assert caller.ask('double', 4) == [1, 5, None, [[1, 8]]]
    assert caller.ask('refuse') == [1, 5, None, [[0, ['not today']]]]
    assert caller.ask('note', 'tea') == [1, 5, None, [[False]]]
    assert caller.ask('note', '') == [1, 5, None, [[True, ['no word']]]]
    assert caller.ask('plain') == [1, 5, None, [1, 2]]
    assert desk.noted == ['tea']


def test_an_unknown_function_is_an_error_and_the_connection_lives_on(server: RpcServer) -> None:
    caller = Caller(server.port)
    kind, number, error, result = caller.ask('fly')
    assert (kind, number, result) == (1, 5, None)
    assert 'fly' in str(error)
    assert caller.ask('double', 1)[3] == [[1, 2]]


def test_wrong_parameters_are_an_error_and_the_connection_lives_on(server: RpcServer) -> None:
    caller = Caller(server.port)
    assert caller.ask('double')[3][0][0] == 0  # type: ignore[index]
    assert caller.ask('double', 3)[3] == [[1, 6]]


def test_a_request_may_come_byte_by_byte_and_several_at_once(server: RpcServer) -> None:
    caller = Caller(server.port)
    request = msgpack.packb([0, 5, 'double', [[False], 21]])
    for i in range(len(request)):
        caller.socket.sendall(request[i : i + 1])
    assert caller.read()[3] == [[1, 42]]
    caller.socket.sendall(request * 3)
    assert [caller.read()[3] for _ in range(3)] == [[[1, 42]]] * 3


def test_a_notification_is_done_without_a_response(server: RpcServer, desk: Desk) -> None:
    caller = Caller(server.port)
    caller.socket.sendall(msgpack.packb([2, 'note', [[True], 'sugar']]))
    assert caller.ask('double', 1)[3] == [[1, 2]]
    assert desk.noted == ['sugar']


@pytest.mark.parametrize('garbage', [b'GET / HTTP/1.1\r\n\r\n', b'\xc1' * 8, b'\x93\x00\x01\x02'])
def test_what_is_no_request_ends_its_connection_alone(server: RpcServer, garbage: bytes) -> None:
    good, bad = Caller(server.port), Caller(server.port)
    bad.socket.sendall(garbage)
    assert bad.socket.recv(1) == b''
    assert good.ask('double', 1)[3] == [[1, 2]]


def test_the_last_client_to_leave_is_noticed(server: RpcServer, left: threading.Event) -> None:
    first, second = Caller(server.port), Caller(server.port)
    assert first.ask('double', 1)
    assert second.ask('double', 1)
    first.socket.close()
    assert second.ask('double', 1)
    assert not left.is_set()
    second.socket.close()
    assert left.wait(10)


def test_closing_ends_connections_and_frees_the_port(server: RpcServer) -> None:
    caller = Caller(server.port)
    assert caller.ask('double', 1)
    server.close()
    assert caller.socket.recv(1) == b''
    socket.create_server(('127.0.0.1', server.port)).close()
