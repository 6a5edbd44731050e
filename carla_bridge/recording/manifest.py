"""manifest.jsonl: one line for each frame that is whole on disk, written after its files.

The file is only ever appended to, and each line is flushed to the disk before the next frame. So
whatever ends the process, at most the last line is torn, and it is cut when the file is opened
again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from lane_seg.errors import LaneSegError

__all__ = ['Manifest', 'Record']

Record = dict[str, object]


class Manifest:
    """The lines of a recording; only one process may have it open (see `Recording`).

    Args:
        path: of the file, made if absent.

    Raises:
        LaneSegError: it is damaged elsewhere than at its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Name of the frame: its line, and where that ends in the file.
        self._lines: dict[str, tuple[Record, int]] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._read()
        except BaseException:
            os.close(self._file)
            raise

    def __contains__(self, name: str) -> bool:
        return name in self._lines

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def records(self) -> list[Record]:
        """What the lines hold, in the order of writing."""
        return [record for record, _ in self._lines.values()]

    def append(self, record: Record) -> None:
        """Add a line; it is on the disk when this returns, or else not in the file at all.

        Raises:
            OSError: it could not be written.
        """
        line = (json.dumps(record, allow_nan=False, separators=(',', ':')) + '\n').encode()
        name, begin = str(record['name']), self._size
        try:
            written = 0
            while written < len(line):
                written += os.pwrite(self._file, line[written:], begin + written)
            os.fsync(self._file)
            self._lines[name] = record, begin + len(line)
        except BaseException:
            if name not in self._lines:  # Ctrl-C may come when all is done
                os.ftruncate(self._file, begin)
            raise

    def drop_last(self) -> None:
        """Take the last line out."""
        self._lines.popitem()
        os.ftruncate(self._file, self._size)
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            os.close(self._file)

    @property
    def _size(self) -> int:
        """Where the last line ends, in bytes."""
        return next(reversed(self._lines.values()))[1] if self._lines else 0

    def _read(self) -> None:
        """Read the lines, and cut what is torn at the end."""
        content = self.path.read_bytes()
        broken: int | None = None
        end = 0
        for number, line in enumerate(content.splitlines(keepends=True), start=1):
            end += len(line)
            record = _record(line)
            if record is None:
                broken = broken or number
            elif broken is not None:
                raise LaneSegError(
                    f'{self.path}: expected a frame on each line, found line {broken} damaged '
                    f'and line {number} sound: not what an interruption leaves; copy the file '
                    f'again, or delete line {broken}'
                )
            elif str(record['name']) in self._lines:
                raise LaneSegError(
                    f'{self.path}: expected each frame once, found {record["name"]} again on '
                    f'line {number}; delete that line'
                )
            else:
                self._lines[str(record['name'])] = record, end
        if self._size < len(content):
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)


def _record(line: bytes) -> Record | None:
    """What a line holds; None if it is torn."""
    if not line.endswith(b'\n'):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, Mapping):
        return None
    return dict(record) if isinstance(record.get('name'), str) and 'split' in record else None
