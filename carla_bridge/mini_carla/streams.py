"""What flows to the client: sensor frames and the state of the world, over TCP.

A client connects once for each stream, writes the stream's number as uint32 and then only reads
frames: uint32 length, payload. Every connection has a writer thread and a bounded queue of its
own, so a client that reads slowly, or no more, loses frames and delays nobody.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence

from carla_bridge.mini_carla.sockets import accepted, end

__all__ = ['Buffer', 'StreamServer']

LOG = logging.getLogger(__name__)

Buffer = bytes | memoryview

# About two seconds of a 640x360 camera at 20 Hz, or a thousand states of the world.
_MAX_QUEUED_BYTES = 32 << 20
_MAX_QUEUED_FRAMES = 1024


class _Subscription:
    """One connection: frames wait here until the client has read the earlier ones."""

    def __init__(self, connection: socket.socket, stream_id: int) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self._frames: deque[tuple[Buffer, ...]] = deque()
        self._bytes = 0
        self._dropped = 0
        self._ready = threading.Condition()
        self._ended = False
        self.writer = threading.Thread(
            target=self._write, name=f'stream-{stream_id}-writer', daemon=True
        )
        self.writer.start()

    def put(self, frame: tuple[Buffer, ...]) -> None:
        """Queue a frame; the oldest ones give way where the client does not keep up."""
        size = sum(len(part) for part in frame)
        with self._ready:
            while self._frames and (
                self._bytes + size > _MAX_QUEUED_BYTES or len(self._frames) >= _MAX_QUEUED_FRAMES
            ):
                self._bytes -= sum(len(part) for part in self._frames.popleft())
                self._dropped += 1
                if self._dropped & (self._dropped - 1) == 0:  # 1, 2, 4, 8, ...
                    LOG.warning(
                        'stream %d: the client does not keep up, %d frames dropped',
                        self.stream_id,
                        self._dropped,
                    )
            self._frames.append(frame)
            self._bytes += size
            self._ready.notify()

    def end(self) -> None:
        """Stop the writer and end the connection."""
        with self._ready:
            self._ended = True
            self._ready.notify()
        with contextlib.suppress(OSError):  # ended by the client already
            self.connection.shutdown(socket.SHUT_RDWR)

    def _write(self) -> None:
        while True:
            with self._ready:
                while not self._frames and not self._ended:
                    self._ready.wait()
                if self._ended:
                    return
                frame = self._frames.popleft()
                self._bytes -= sum(len(part) for part in frame)
            try:
                for part in frame:
                    self.connection.sendall(part)
            except OSError:
                return


class StreamServer:
    """Sends frames to whoever subscribed to a stream.

    Attributes:
        port: the TCP port that it listens on.
    """

    def __init__(self, listener: socket.socket) -> None:
        """Start to accept subscriptions on a listening socket, which `close` closes."""
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        # Guards what follows, and wakes whoever waits for an announced subscription.
        self._changed = threading.Condition()
        self._subscriptions: dict[int, list[_Subscription]] = {}
        self._announced: Counter[int] = Counter()
        self._readers: set[threading.Thread] = set()
        self._closed = False
        self._acceptor = threading.Thread(target=self._accept, name='stream-accept', daemon=True)
        self._acceptor.start()

    def has_subscribers(self, stream_id: int) -> bool:
        """Say whether anybody would read a frame of this stream."""
        with self._changed:
            return bool(self._subscriptions.get(stream_id))

    def send(self, stream_id: int, parts: Sequence[Buffer]) -> None:
        """Queue a frame for every subscriber; never waits.

        Args:
            stream_id: of the stream.
            parts: the payload in pieces of contiguous bytes, which must not change any more.
        """
        frame = (struct.pack('<I', sum(len(part) for part in parts)), *parts)
        with self._changed:
            subscriptions = list(self._subscriptions.get(stream_id, ()))
        for subscription in subscriptions:
            subscription.put(frame)

    def announce(self, stream_id: int) -> None:
        """Note that a client is about to connect to a stream.

        `listen()` of the client asks for the stream's token and connects later, from another
        thread. A tick in between would be lost on it.
        """
        with self._changed:
            self._announced[stream_id] += 1

    def wait_for_announced(self, timeout_s: float) -> None:
        """Wait until the announced subscriptions have come; those that do not are forgotten."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._announced and not self._closed:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    LOG.warning('no client connected to %s', sorted(self._announced))
                    self._announced.clear()
                    return
                self._changed.wait(left_s)

    def drop(self, stream_id: int) -> None:
        """End all connections of a stream whose sensor is gone."""
        with self._changed:
            subscriptions = self._subscriptions.pop(stream_id, [])
            self._announced.pop(stream_id, None)
            self._changed.notify_all()
        for subscription in subscriptions:
            subscription.end()

    def close(self) -> None:
        """End all connections and free the port."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            stream_ids = list(self._subscriptions)
        end(self._listener)
        for stream_id in stream_ids:
            self.drop(stream_id)
        self._acceptor.join(timeout=5.0)
        for thread in list(self._readers):
            thread.join(timeout=5.0)

    def _accept(self) -> None:
        for connection in accepted(self._listener):
            thread = threading.Thread(
                target=self._serve, args=(connection,), name='stream-client', daemon=True
            )
            self._readers.add(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        """Read the number of the stream, then wait until the client goes."""
        subscription: _Subscription | None = None
        try:
            raw = connection.recv(4, socket.MSG_WAITALL)
            if len(raw) == 4:
                subscription = self._subscribe(connection, struct.unpack('<I', raw)[0])
                while connection.recv(64):
                    pass
        except OSError:  # the client went away
            pass
        finally:
            if subscription is not None:
                self._unsubscribe(subscription)
            connection.close()
            self._readers.discard(threading.current_thread())

    def _subscribe(self, connection: socket.socket, stream_id: int) -> _Subscription:
        subscription = _Subscription(connection, stream_id)
        with self._changed:
            self._subscriptions.setdefault(stream_id, []).append(subscription)
            if self._announced[stream_id] > 0:
                self._announced[stream_id] -= 1
            self._announced += Counter()  # drops what has come down to zero
            closed = self._closed
            self._changed.notify_all()
        if closed:
            subscription.end()
        return subscription

    def _unsubscribe(self, subscription: _Subscription) -> None:
        subscription.end()
        subscription.writer.join(timeout=5.0)
        with self._changed:
            others = self._subscriptions.get(subscription.stream_id, [])
            if subscription in others:
                others.remove(subscription)
