"""`carla-bridge collect` as a real process, and a look at what it has written."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import yaml

from carla_bridge.recording.plan import plan_from_plain
from carla_bridge.recording.sweep import drives_of
from tests.carla_bridge.servers import ROOT, end_process, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    'Collection',
    'check_whole',
    'children_of',
    'is_alive',
    'lines_of',
    'started',
    'until',
    'write_plan',
]

END_S = 180.0

PLAN: dict[str, object] = {
    'towns': ['Town_ring'],
    'frames': 30,
    'every': 1,
    'warm_up_ticks': 3,
    'traffic': {'vehicles': 2},
    'camera': {'width': 96, 'height': 64},
    'split': {'gap_m': 5},
}


def write_plan(folder: Path, **changes: object) -> Path:
    """Write a plan of small pictures into a folder."""
    path = folder / 'plan.yaml'
    path.write_text(yaml.safe_dump({**PLAN, **changes}), encoding='utf-8')
    return path


class Collection:
    """A running `carla-bridge collect`."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: exit code, stdout, stderr."""
        stdout, stderr = self.process.communicate(timeout=END_S)
        return self.process.returncode, stdout, stderr

    def child(self) -> int:
        """Number of the process that records."""
        return until(lambda: next(iter(children_of(self.process.pid)), 0))

    def wait_for_frames(self, count: int) -> None:
        """Wait until so many frames are in the manifest."""

        def enough() -> bool:
            assert self.process.poll() is None, self.process.communicate()
            return len(lines_of(self.folder)) >= count

        until(enough)


@contextlib.contextmanager
def started(
    plan: Path,
    folder: Path,
    port: int,
    *options: str,
    preexec: Callable[[], None] | None = None,
) -> Iterator[Collection]:
    """Start collecting; whatever runs at the end is ended by its number."""
    process = subprocess.Popen(
        [
            *(sys.executable, '-m', 'carla_bridge.command', 'collect', str(plan)),
            *('--output', str(folder), '--port', str(port), *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=ROOT,
        preexec_fn=preexec,
    )
    try:
        yield Collection(process, folder)
    finally:
        end_process(process)
        process.communicate()


def until(condition: Callable[[], object], timeout_s: float = END_S) -> int:
    """Wait until a condition holds; returns what it gave."""
    end = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.05)
    return int(bool(found)) if isinstance(found, bool) else int(str(found))


def children_of(process: int) -> list[int]:
    """Numbers of the processes that a process has started."""
    path = Path(f'/proc/{process}/task/{process}/children')
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def is_alive(process: int) -> bool:
    """Whether a process runs, and is not just waiting to be buried."""
    try:
        return ' Z ' not in Path(f'/proc/{process}/stat').read_text().partition(')')[2][:3]
    except (FileNotFoundError, ProcessLookupError):
        return False


def lines_of(folder: Path) -> list[dict[str, object]]:
    """Whole lines of the manifest."""
    path = folder / 'manifest.jsonl'
    if not path.exists():
        return []
    text = path.read_text(encoding='utf-8')
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith('\n')]


def check_whole(folder: Path, *, complete: bool = True) -> list[dict[str, object]]:
    """Check that each frame is there once with all its files, and no other file is."""
    content = yaml.safe_load((folder / 'plan.yaml').read_text(encoding='utf-8'))
    plan = plan_from_plain(content, 'plan.yaml')
    asked = {drive.frame_name(at) for drive in drives_of(plan) for at in range(plan.frames)}
    records = lines_of(folder)
    names = [str(record['name']) for record in records]
    assert len(names) == len(set(names))
    assert set(names) <= asked
    if complete:
        assert set(names) == asked
    wanted = {
        folder / layer / str(record['split']) / f'{record["name"]}.png'
        for record in records
        for layer in plan.layers
    }
    found = {
        path for layer in plan.layers for path in (folder / layer).rglob('*') if path.is_file()
    }
    assert found == wanted
    for path in wanted:
        image = cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.shape[:2] == (plan.camera.height, plan.camera.width)
    return records
