"""The watch on the server, with real sockets."""

from __future__ import annotations

import socket
import threading

from carla_bridge.collect.server_watch import ServerWatch


def test_a_server_that_ends_is_noticed_even_if_another_takes_its_place() -> None:
    lost = threading.Event()
    with socket.create_server(('127.0.0.1', 0)) as server:
        watch = ServerWatch('127.0.0.1', server.getsockname()[1], lost.set, grace_s=0.5)
        connection, _ = server.accept()
        watch.tick()
        connection.close()
        assert lost.wait(30.0)


def test_a_server_that_closes_the_connection_and_still_ticks_is_not_lost() -> None:
    lost, ticking = threading.Event(), threading.Event()
    with socket.create_server(('127.0.0.1', 0)) as server:
        watch = ServerWatch('127.0.0.1', server.getsockname()[1], lost.set, grace_s=0.5)
        connection, _ = server.accept()

        def tick() -> None:
            while not ticking.wait(0.01):
                watch.tick()

        thread = threading.Thread(target=tick)
        thread.start()
        connection.close()
        assert not lost.wait(1.5)
        ticking.set()
        thread.join()
