"""Messages of different topics that belong to one frame: they have the same stamp."""

from __future__ import annotations

from collections import OrderedDict

from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image

__all__ = ['StampMatcher', 'nanoseconds']

# Frames that wait for a part: more than a slow node is ever behind.
_WAITING = 30


class StampMatcher:
    """Brings the messages of a frame together.

    Args:
        parts: names of what belongs to one frame.
    """

    def __init__(self, parts: tuple[str, ...]) -> None:
        self._parts = parts
        self._waiting: OrderedDict[int, dict[str, Image]] = OrderedDict()

    def offer(self, part: str, msg: Image) -> dict[str, Image] | None:
        """Add a message; the whole frame, {part: message}, once nothing is missing."""
        if part not in self._parts:
            return None
        stamp_ns = nanoseconds(msg.header.stamp)
        found = self._waiting.setdefault(stamp_ns, {})
        found[part] = msg
        if len(found) == len(self._parts):
            return self._waiting.pop(stamp_ns)
        if len(self._waiting) > _WAITING:
            self._waiting.popitem(last=False)
        return None


def nanoseconds(stamp: Time) -> int:
    """Return a stamp as one number."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)
