"""The stream server on real sockets."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest

from carla_bridge.mini_carla.streams import StreamServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[StreamServer]:
    running = StreamServer(socket.create_server(('127.0.0.1', 0)))
    yield running
    running.close()


def subscribe(server: StreamServer, stream_id: int) -> socket.socket:
    connection = socket.create_connection(('127.0.0.1', server.port), timeout=10)
    connection.sendall(struct.pack('<I', stream_id))
    wait_until(lambda: server.has_subscribers(stream_id))
    return connection


def wait_until(holds: object) -> None:
    for _ in range(500):
        if holds():  # type: ignore[operator]
            return
        time.sleep(0.01)
    raise AssertionError('waited for five seconds')


def read_exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part, 'the server ended the connection'
        data += part
    return bytes(data)


def read_frame(connection: socket.socket) -> bytes:
    return read_exactly(connection, struct.unpack('<I', read_exactly(connection, 4))[0])


def test_a_frame_reaches_all_subscribers_of_its_stream_alone(server: StreamServer) -> None:
    first, second, other = (subscribe(server, i) for i in (5, 5, 6))
    # The second one of stream 5 may come later than `has_subscribers` says.
    wait_until(lambda: len(server._subscriptions[5]) == 2)
    server.send(5, (b'head', memoryview(b'body')))
    server.send(6, (b'other',))
    assert read_frame(first) == read_frame(second) == b'headbody'
    assert read_frame(other) == b'other'


def test_frames_come_in_their_order(server: StreamServer) -> None:
    reader = subscribe(server, 1)
    for i in range(200):
        server.send(1, (struct.pack('<I', i),))
    assert [struct.unpack('<I', read_frame(reader))[0] for _ in range(200)] == list(range(200))


def test_a_client_that_reads_no_more_blocks_nobody_and_loses_the_oldest(
    server: StreamServer,
) -> None:
    stuck, reader = subscribe(server, 1), subscribe(server, 2)
    image = bytes(4 << 20)
    for i in range(40):  # 160 MB, which no socket buffer takes
        server.send(1, (struct.pack('<I', i), image))
    server.send(2, (b'alive',))
    assert read_frame(reader) == b'alive'
    seen = []
    while not seen or seen[-1] != 39:
        seen.append(struct.unpack_from('<I', read_frame(stuck))[0])
    assert len(seen) < 20
    assert seen == sorted(seen)


def test_a_tick_waits_for_an_announced_subscription(server: StreamServer) -> None:
    server.announce(9)
    arrived = threading.Event()

    def wait() -> None:
        server.wait_for_announced(20.0)
        arrived.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert not arrived.wait(0.1)
    connection = subscribe(server, 9)
    assert arrived.wait(10)
    waiter.join()
    connection.close()


def test_a_subscription_that_never_comes_is_forgotten(server: StreamServer) -> None:
    server.announce(9)
    server.wait_for_announced(0.01)
    assert not server._announced
    server.announce(8)
    server.drop(8)
    assert not server._announced


def test_a_client_that_leaves_is_no_subscriber_any_more(server: StreamServer) -> None:
    connection = subscribe(server, 4)
    connection.close()
    wait_until(lambda: not server.has_subscribers(4))
    server.send(4, (b'nobody',))


def test_dropping_a_stream_ends_its_connections(server: StreamServer) -> None:
    dropped, kept = subscribe(server, 4), subscribe(server, 5)
    server.drop(4)
    assert dropped.recv(1) == b''
    server.send(5, (b'still here',))
    assert read_frame(kept) == b'still here'


def test_closing_ends_connections_and_frees_the_port(server: StreamServer) -> None:
    reader = subscribe(server, 4)
    server.close()
    assert reader.recv(1) == b''
    socket.create_server(('127.0.0.1', server.port)).close()
