"""Which file was made of what: manifest.jsonl, and the notes of a preparation under way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.files import write_text

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

__all__ = ['MANIFEST', 'NOTES', 'Entry', 'Notes', 'read_entries', 'write_manifest']

MANIFEST = 'manifest.jsonl'
NOTES = '.preparing.jsonl'


@dataclass(frozen=True)
class Entry:
    """One written pair.

    Attributes:
        image: PNG, relative to the output folder.
        label: PNG of target ids, relative to the output folder.
        set: data set that it comes from, 'train/camvid_road'.
        name: of the pair in that data set.
        source_image: file that it was made of.
        source_label: file that it was made of.
        source_stamp: size and time of the last change of both, to know them again.
        augmented: number of the augmented copy, None for the pair as it is.
        seed: what its chance was drawn from; empty for the pair as it is.
    """

    image: str
    label: str
    set: str
    name: str
    source_image: str
    source_label: str
    source_stamp: str
    augmented: int | None
    seed: tuple[int, ...]


class Notes:
    """A line for each pair that is done, so that a preparation that was stopped can go on.

    Args:
        folder: the output folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NOTES

    def __enter__(self) -> Self:
        self._file = self.path.open('a', encoding='utf-8')
        # What was cut by a power cut becomes a line of its own, which is passed over.
        if self._file.tell():
            self._file.write('\n')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, entry: Entry) -> None:
        """Note one pair whose files are complete."""
        self._file.write(json.dumps(asdict(entry)) + '\n')
        self._file.flush()


def read_entries(path: Path) -> dict[str, Entry]:
    """Read a manifest or notes: image -> entry; lines that were cut short are passed over.

    Raises:
        LaneSegError: the file cannot be read.
    """
    if not path.exists():
        return {}
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LaneSegError(f'{path}: expected a manifest, found: {error}; delete it') from error
    entries = {}
    for line in lines:
        try:
            fields = json.loads(line)
            entry = Entry(**{**fields, 'seed': tuple(fields['seed'])})
        except (ValueError, TypeError, KeyError):
            continue
        entries[entry.image] = entry
    return entries


def write_manifest(folder: Path, entries: list[Entry]) -> None:
    """Write the manifest of a complete preparation; its notes go."""
    write_text(folder / MANIFEST, ''.join(json.dumps(asdict(entry)) + '\n' for entry in entries))
    (folder / NOTES).unlink(missing_ok=True)
