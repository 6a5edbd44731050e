"""What makes a folder a recording: its plan, its classes and its lock."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import yaml

from carla_bridge.labels.frame_labels import AREAS, UNLABELED
from carla_bridge.labels.frame_labels import CLASSES as LABEL_CLASSES
from lane_seg.carla_tags import palette_of, tags_of
from lane_seg.errors import LaneSegError
from lane_seg.files import write_text

__all__ = [
    'CLASSES',
    'MANIFEST',
    'PLAN',
    'RecordingPlan',
    'check_contents',
    'check_plan',
    'check_version',
    'classes_text',
    'locked',
    'write_plan',
]

PLAN, CLASSES, MANIFEST = 'plan.yaml', 'classes.json', 'manifest.jsonl'
_LOCK: Final = '.lock'


class RecordingPlan(Protocol):
    """What a recording wants to know of a plan."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Folders that get a file for each frame."""

    def plain(self) -> dict[str, object]:
        """The plan as `yaml.safe_dump` takes it."""

    def conflicts_with(self, before: Mapping[str, object]) -> list[str]:
        """Say what forbids to go on with a recording begun with another plan, a line for each."""


def locked(folder: Path) -> int:
    """Lock a recording; the system unlocks it when the process ends, however it ends.

    Returns:
        The open file that holds the lock.

    Raises:
        LaneSegError: another process holds it.
    """
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise LaneSegError(
            f'{folder}: expected to be the only one that writes, found another process at it; '
            'wait until it has ended, or record into another folder'
        ) from error
    return lock


def check_contents(folder: Path) -> None:
    """Refuse a folder that holds anything but a recording.

    Raises:
        LaneSegError: it does.
    """
    if (folder / PLAN).is_file():
        return
    manifest = folder / MANIFEST
    if manifest.is_file() and manifest.stat().st_size:
        raise LaneSegError(
            f'{folder}: expected {PLAN} beside {MANIFEST}, found none; copy the recording again'
        )
    # Left by an interruption before the first frame.
    ours = (CLASSES, MANIFEST)
    foreign = [
        path.name
        for path in sorted(folder.iterdir())
        if path.name not in ours and not path.name.startswith('.')
    ]
    if foreign:
        raise LaneSegError(
            f'{folder}: expected a new folder, an empty one, or a recording, found '
            f'{", ".join(foreign[:5])}; name another folder'
        )


def check_version(folder: Path, version: str) -> None:
    """Refuse a recording of another version of CARLA.

    Raises:
        LaneSegError: it is another one, or classes.json does not say.
    """
    path = folder / CLASSES
    if not path.exists():
        return
    try:
        before = json.loads(path.read_text(encoding='utf-8'))['carla_version']
    except (ValueError, KeyError, TypeError) as error:
        raise LaneSegError(
            f'{path}: expected the "carla_version" of a recording, found none; '
            'copy the recording again'
        ) from error
    if before != version:
        raise LaneSegError(
            f'{folder}: expected CARLA {before} as before, found {version}; tags and pictures '
            'differ between versions: record into another folder'
        )


def check_plan(folder: Path, plan: RecordingPlan) -> None:
    """Refuse to go on with another plan than the recording was begun with.

    Raises:
        LaneSegError: it is another one, in words that name the difference.
    """
    path = folder / PLAN
    if not path.exists():
        return
    try:
        before = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise LaneSegError(f'{path}: expected YAML, found: {error}') from error
    if conflicts := plan.conflicts_with(before):
        raise LaneSegError(
            f'{folder}: expected the plan that it was begun with ({PLAN} in it), found another:\n'
            + '\n'.join(f'  {line}' for line in conflicts)
            + '\nrecord into another folder, or take these values'
        )


def write_plan(path: Path, plan: RecordingPlan) -> None:
    """Write the plan, if it is new or asks for more than before."""
    text = yaml.safe_dump(plan.plain(), sort_keys=False)
    if not path.exists() or path.read_text(encoding='utf-8') != text:
        write_text(path, text)


def classes_text(version: str) -> str:
    """Content of classes.json: CARLA's tags as seg holds them, and the numbers of our layers."""
    colours = palette_of(version)
    label = {**dict(enumerate(LABEL_CLASSES)), UNLABELED: 'unlabeled'}
    content = {
        'carla_version': version,
        'classes': [
            {'id': tag, 'name': name, 'colour_rgb': colours[tag].tolist()}
            for name, tag in tags_of(version).items()
        ],
        'layers': {
            layer: [{'id': number, 'name': name} for number, name in names.items()]
            for layer, names in (('label', label), ('area', dict(enumerate(AREAS))))
        },
    }
    return json.dumps(content, indent=1) + '\n'
