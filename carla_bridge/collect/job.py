"""What the supervisor and the process that records say to each other.

The job goes out as one JSON argument, events come back as JSON lines through a pipe. An event is
also a sign of life: the supervisor ends a process that sends none.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from carla_bridge.recording.plan import CollectPlan, plan_from_plain

__all__ = ['Failure', 'Job', 'Reporter']

_ALIVE_EVERY_S = 1.0


class Failure:
    """Why a process that records has ended; 'why' of the event 'failed'.

    Attributes:
        SERVER: nothing answers at the server's address.
        SIMULATOR: something went wrong on the way; another attempt may succeed.
        FINAL: another attempt would end in the same way.
    """

    SERVER = 'server'
    SIMULATOR = 'simulator'
    FINAL = 'final'


@dataclass(frozen=True)
class Job:
    """What one process records.

    Attributes:
        plan: the whole plan.
        town: of which it records all drives that are not complete.
        folder: of the recording.
        host: of the server.
        port: of the server.
        timeout_s: of a call to the server.
        manager_port: of the Traffic Manager, if the plan wants it.
        min_move_m: a frame is skipped when the car has moved less since the one before.
        watchdog_s: the process ends itself when it hangs for longer.
        events: number of the inherited file that events are written to.
        supervisor: number of the process that waits for them.
    """

    plan: CollectPlan
    town: str
    folder: Path
    host: str
    port: int
    timeout_s: float
    manager_port: int
    min_move_m: float
    watchdog_s: float
    events: int = -1
    supervisor: int = -1

    def to_text(self) -> str:
        """As one argument of a command line."""
        content = {**asdict(self), 'plan': self.plan.plain(), 'folder': str(self.folder)}
        return json.dumps(content)

    @classmethod
    def from_text(cls, text: str) -> Job:
        """Read what `to_text` wrote."""
        content = json.loads(text)
        content['plan'] = plan_from_plain(content['plan'], 'job')
        content['folder'] = Path(content['folder'])
        return cls(**content)


class Reporter:
    """Writes events.

    Args:
        events: number of an open file, a pipe.
    """

    def __init__(self, events: int) -> None:
        self._events = events
        self._last_s = 0.0

    def send(self, kind: str, **facts: object) -> None:
        """Write an event.

        Raises:
            BrokenPipeError: the supervisor is gone.
        """
        os.write(self._events, (json.dumps({'kind': kind, **facts}) + '\n').encode())
        self._last_s = time.monotonic()

    def alive(self) -> bool:
        """Write a sign of life if the last event was a while ago; whether it did."""
        if time.monotonic() - self._last_s < _ALIVE_EVERY_S:
            return False
        self.send('alive')
        return True
