"""What the comparison and its workers say to each other: a line of JSON, then bytes if it says so.

Pipes between processes of one machine and one version: nobody else reads them.
"""

from __future__ import annotations

import json
from typing import IO, Any

__all__ = ['receive', 'send']

_LENGTH = 'bytes'


def send(stream: IO[bytes], message: dict[str, Any], content: bytes = b'') -> None:
    """Write one message.

    Args:
        stream: of the other side.
        message: what JSON can say; the key 'bytes' is taken.
        content: bytes that go with it, such as those of an array.
    """
    line = json.dumps({**message, _LENGTH: len(content)})
    stream.write(line.encode() + b'\n' + content)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read one message; waits for it.

    Returns:
        The message and the bytes that go with it.

    Raises:
        EOFError: the other side has ended.
    """
    line = stream.readline()
    if not line.endswith(b'\n'):
        raise EOFError
    message: dict[str, Any] = json.loads(line)
    length = message.pop(_LENGTH)
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return message, content
