"""On what machine a run was trained: written down at its start, read by its report."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import cast

from lane_seg import __version__
from lane_seg.files import write_text
from lane_seg.machine import machine_info

__all__ = ['MACHINE', 'Session', 'read_sessions', 'record_session', 'versions']

MACHINE = 'machine.json'
# Distributions whose version decides what a run gives, or how fast.
_LIBRARIES = ('torch', 'lightning', 'torchmetrics', 'numpy', 'transformers')


@dataclass(frozen=True)
class Session:
    """One start of a run; a resumed run has several.

    Attributes:
        time: of the start, ISO 8601 with its zone.
        step: optimizer steps that were done before.
        device: what computes, for example 'cpu, 2 threads' or the name of the GPU.
        cpu: model of the CPU, or of the board.
        cores: logical cores that the process may use.
        system: operating system and architecture.
        versions: {library: version}, ours included.
    """

    time: str
    step: int
    device: str
    cpu: str
    cores: int
    system: str
    versions: dict[str, str]


def record_session(run_folder: str | Path, *, step: int = 0, device: str = '') -> Session:
    """Add a start of a run to machine.json in its folder.

    Args:
        run_folder: of the run.
        step: optimizer steps that are done already.
        device: what computes; '' for the CPU.
    """
    folder = Path(run_folder)
    session = this_session(step=step, device=device)
    sessions = [*read_sessions(folder), session] if step else [session]
    content = [dataclasses.asdict(one) for one in sessions]
    write_text(folder / MACHINE, json.dumps(content, indent=2) + '\n')
    return session


def this_session(*, step: int = 0, device: str = '') -> Session:
    """Describe this machine now."""
    info = machine_info()
    return Session(
        time=datetime.now(timezone.utc).astimezone().isoformat(timespec='seconds'),
        step=step,
        device=device or 'CPU',
        cpu=info.cpu,
        cores=info.cores_usable,
        system=info.system,
        versions=versions(),
    )


def read_sessions(folder: Path) -> list[Session]:
    """The starts of a run, in their order; none if nobody wrote them down, or not readably."""
    try:
        rows = json.loads((folder / MACHINE).read_text(encoding='utf-8'))
        return [Session(**cast('dict[str, object]', row)) for row in rows]  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        return []


def versions() -> dict[str, str]:
    """Versions of Python, of ours and of what is installed of the libraries that matter."""
    found = {'lane_seg': __version__, 'Python': machine_info().python}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
