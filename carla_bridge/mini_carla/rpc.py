"""The calls of the client: msgpack-rpc over TCP, as CARLA's rpclib speaks it.

A request is the msgpack array [0, id, name, parameters], a response [1, id, error, result], one
after the other on the connection without a length in front. The first parameter is always the
array [is asynchronous]; an asynchronous call carries an id as well, and its response is ignored.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import msgpack

from carla_bridge.mini_carla.sockets import accepted, end

__all__ = ['Call', 'CallError', 'RpcServer', 'calls_of', 'raw_call', 'value_call', 'void_call']

LOG = logging.getLogger(__name__)

_RESPONSE = 1
# An OpenDRIVE text of `generate_opendrive_world` is the longest thing that a client sends.
_MAX_REQUEST_BYTES = 1 << 28


class CallError(Exception):
    """The call cannot be done; its text becomes the client's RuntimeError."""


@dataclass(frozen=True)
class Call:
    """A function that answers calls.

    Attributes:
        function: takes the parameters of the call.
        response: shape of the response: 'value', 'void' or 'raw'.
    """

    function: Callable[..., object]
    response: str


def value_call(function: Callable[..., object]) -> Callable[..., object]:
    """Mark a method as a call that answers `Response<T>`."""
    function.response = 'value'  # type: ignore[attr-defined]
    return function


def void_call(function: Callable[..., None]) -> Callable[..., None]:
    """Mark a method as a call that answers `Response<void>`."""
    function.response = 'void'  # type: ignore[attr-defined]
    return function


def raw_call(function: Callable[..., object]) -> Callable[..., object]:
    """Mark a method as a call whose result goes on the wire as it is."""
    function.response = 'raw'  # type: ignore[attr-defined]
    return function


def calls_of(owner: object) -> dict[str, Call]:
    """Return {name of the method: call} of all marked methods of an object."""
    functions = {name: getattr(owner, name) for name in dir(type(owner))}
    return {
        name: Call(function, function.response)
        for name, function in functions.items()
        if hasattr(function, 'response')
    }


class RpcServer:
    """Answers the calls of all clients, one thread for each connection.

    Attributes:
        port: the TCP port that it listens on.
    """

    def __init__(
        self,
        listener: socket.socket,
        calls: dict[str, Call],
        *,
        around: Callable[[str, Callable[[], object]], object],
        on_last_client_left: Callable[[], None],
    ) -> None:
        """Start to answer.

        Args:
            listener: a listening socket; closed by `close`.
            calls: {name: what answers}.
            around: is handed the name of each call and what does it, and returns its result:
                the place for locks.
            on_last_client_left: called when the last open connection has ended.
        """
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._calls = calls
        self._around = around
        self._on_last_client_left = on_last_client_left
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._closed = False
        self._acceptor = threading.Thread(target=self._accept, name='rpc-accept', daemon=True)
        self._acceptor.start()

    @property
    def clients(self) -> int:
        """Number of open connections; a `carla.Client` has one."""
        with self._lock:
            return len(self._connections)

    def close(self) -> None:
        """End all connections and free the port."""
        with self._lock:
            self._closed = True
            connections = dict(self._connections)
        end(self._listener)
        for connection in connections:
            end(connection)
        for thread in (self._acceptor, *connections.values()):
            thread.join(timeout=5.0)

    def _accept(self) -> None:
        for connection in accepted(self._listener):
            thread = threading.Thread(
                target=self._serve, args=(connection,), name='rpc-client', daemon=True
            )
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                # The thread of a client that has left may not have noticed it yet.
                before = list(self._connections)
                first = bool(before) and all(_has_left(other) for other in before)
                self._connections[connection] = thread
            if first:
                self._on_last_client_left()
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        unpacker = msgpack.Unpacker(
            raw=False, strict_map_key=False, max_buffer_size=_MAX_REQUEST_BYTES
        )
        try:
            while data := connection.recv(1 << 16):
                unpacker.feed(data)
                for message in unpacker:
                    response = self._respond(message)
                    if response is not None:
                        connection.sendall(msgpack.packb(response))
        except OSError:  # the client went away
            pass
        except (ValueError, msgpack.UnpackException) as error:
            LOG.warning('a client sent what is no msgpack-rpc, connection ended: %s', error)
        finally:
            connection.close()
            with self._lock:
                self._connections.pop(connection, None)
                last = not self._connections and not self._closed
            if last:
                self._on_last_client_left()

    def _respond(self, message: object) -> list[object] | None:
        """Do one call and return its response; None where the client expects none."""
        match message:
            case [0, identifier, str(name), list(parameters)]:
                pass
            case [2, str(name), list(parameters)]:
                identifier = None
            case _:
                raise ValueError(f'expected a request or a notification, found {message!r:.80}')
        match parameters:
            case [[bool()], *rest]:
                parameters = rest
        error, result = self._result(name, parameters)
        return None if identifier is None else [_RESPONSE, identifier, error, result]

    def _result(self, name: str, parameters: list[object]) -> tuple[str | None, object]:
        """Return (error, result) of a call."""
        call = self._calls.get(name)
        if call is None:
            LOG.warning('a client called %s, which mini_carla does not have', name)
            return f'mini_carla has no function {name}', None
        try:
            value = self._around(name, lambda: call.function(*parameters))
        except CallError as error:
            return None, _failure(call, str(error))
        # A call with wrong parameters must not end the connection, let alone the server.
        except Exception as error:
            LOG.exception('call %s failed', name)
            return None, _failure(call, f'{name}: {type(error).__name__}: {error}')
        if call.response == 'raw':
            return None, value
        return None, [[False]] if call.response == 'void' else [[1, value]]


def _failure(call: Call, message: str) -> object:
    return [[True, [message]]] if call.response == 'void' else [[0, [message]]]


def _has_left(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:  # there, and silent
        return False
    except OSError:
        return True
