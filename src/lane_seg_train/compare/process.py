"""The comparison's side of a worker: start it, ask it, notice that it died, end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg_train.compare.messages import receive, send

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray
    from typing_extensions import Self

__all__ = ['Worker', 'WorkerError']

MODULE = 'lane_seg_train.compare.worker'
# What a worker is given to end by itself, and then after SIGTERM.
_PATIENCE_S = 5.0
_LAST_LINES = 8


class WorkerError(LaneSegError):
    """A worker died or could not do what it was asked; the others go on."""


class Worker:
    """A process for one contender; a context manager that leaves no process behind.

    Args:
        label: of the contender, for messages.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        # The command line may have been started from a checkout that is not installed.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, '-m', MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, 'PYTHONPATH': path},
        )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def ask(
        self, what: str, content: bytes = b'', **values: object
    ) -> tuple[dict[str, Any], bytes]:
        """Ask for something and wait for the answer.

        Args:
            what: a method of `lane_seg_train.compare.worker`.
            content: bytes that go with it.
            values: what JSON can say.

        Raises:
            WorkerError: it cannot do that, or has died; with its last words.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            send(self._process.stdin, {'do': what, **values}, content)
            answer, result = receive(self._process.stdout)
        except (EOFError, OSError) as error:
            raise WorkerError(self._last_words()) from error
        if 'error' in answer:
            raise WorkerError(answer['error'])
        return answer, result

    def mask(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Run the contender once.

        Args:
            tensor: (height, width, 3) uint8 BGR.

        Returns:
            (height, width) uint8 class ids.
        """
        answer, content = self.ask('mask', tensor.tobytes(), shape=tensor.shape)
        return np.frombuffer(content, np.uint8).reshape(answer['shape'])

    def close(self) -> None:
        """End it: by the end of its input, else SIGTERM, else SIGKILL; may be called twice."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(OSError):
                process.stdin.close()
            for number in (None, signal.SIGTERM, signal.SIGKILL):
                if number is not None:
                    process.send_signal(number)  # nothing happens if it has ended already
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE_S)
                    break
        except BaseException:  # a second Ctrl-C
            process.kill()
            process.wait()
            raise
        finally:
            process.stdout.close()
            self._log.close()

    def _last_words(self) -> str:
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return f'the process of {self.label} does not answer any more'
        self._log.seek(0)
        lines = self._log.read().decode(errors='replace').splitlines()[-_LAST_LINES:]
        how = f'exit code {code}'
        if code < 0:
            how = signal.Signals(-code).name
            if code == -signal.SIGKILL:
                how += ': killed from outside, as Linux does when memory runs out'
        said = '; its last words:\n' + '\n'.join(f'  {line}' for line in lines) if lines else ''
        return f'the process of {self.label} has ended ({how}){said}'

    def __enter__(self) -> Self:
        """Return the worker itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()
