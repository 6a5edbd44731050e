"""Tests whose process the CARLA client may take down, each file in a child pytest of its own.

The threads of the client abort their process now and then (docs/mini_carla.md), and all other
tests would end with it. So the tests of a file run in a child, which writes every report as soon
as there is one; the parent shows them as its own. Where a child is ended by a signal, what has no
complete report is run again in a fresh one, at most twice, and the output says so. A test that
has failed is never run again, nor is one that hangs.

This module is a plugin of the child, too: the part below `REPORTS`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHILD = 'MINI_CARLA_CLIENT'
"""Set in the environment of a child; a person sets it to 1 to have everything in one process."""

REPORTS = 'MINI_CARLA_REPORTS'
"""File that a child writes its reports to."""

AGAIN = 2
CHILD_S = 240.0
# The last lines of a child that died: what the C++ runtime or faulthandler said.
_LAST_WORDS = 30


@dataclass
class ChildRun:
    """What the children of one test file reported.

    Attributes:
        reports: {node id: reports of its phases}, complete ones only.
        deaths: one sentence for each child that was ended by a signal.
        failure: why there are no reports of the others; '' if there is no other.
    """

    reports: dict[str, list[pytest.TestReport]] = field(default_factory=dict)
    deaths: list[str] = field(default_factory=list)
    failure: str = ''


def run_in_children(
    config: pytest.Config,
    root: Path,
    nodes: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    child_s: float = CHILD_S,
) -> ChildRun:
    """Run tests in as many children as it takes.

    Args:
        config: of this pytest.
        root: folder that the node ids are relative to.
        nodes: node ids.
        environment: of the children.
        folder: an empty one, for the reports.
        child_s: how long one child may take, seconds.
    """
    run = ChildRun()
    left = list(nodes)
    for attempt in range(1 + AGAIN):
        file = folder / f'reports_{attempt}.jsonl'
        words = [sys.executable, '-X', 'faulthandler', '-m', 'pytest', '-q', '-p', __name__]
        words += ['-p', 'no:cacheprovider', '--rootdir', str(root), *left]
        try:
            done = subprocess.run(
                words,
                cwd=root,
                env={**environment, CHILD: '1', REPORTS: str(file)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
                timeout=child_s,
            )
        except subprocess.TimeoutExpired as expired:
            code, said = None, str(expired.stdout)
        else:
            code, said = done.returncode, done.stdout
        run.reports |= _complete(config, file)
        left = [node for node in left if node not in run.reports]
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            where = f'in {left[0]}' if left else 'after the last test'
            run.deaths.append(f'{name} {where}')
        if not left:
            return run
        run.failure = '\n'.join(
            [
                f'the child was stopped after {child_s:g} s'
                if code is None
                else f'the child ended with code {code}; deaths: {run.deaths}',
                *said.splitlines()[-_LAST_WORDS:],
            ]
        )
        if code is None or code >= 0:  # not the fault of the client that we know
            return run
    return run


def _complete(config: pytest.Config, file: Path) -> dict[str, list[pytest.TestReport]]:
    """Return the reports of those tests that came to the end of their teardown."""
    found: dict[str, list[pytest.TestReport]] = {}
    # Each line is written at once, but for the last one of a process that died meanwhile.
    for line in file.read_text(encoding='utf-8').splitlines() if file.exists() else ():
        try:
            data = json.loads(line)
        except ValueError:
            break
        report = config.hook.pytest_report_from_serializable(config=config, data=data)
        found.setdefault(report.nodeid, []).append(report)
    return {node: parts for node, parts in found.items() if parts[-1].when == 'teardown'}


class _Reporter:
    """Writes the reports of a child."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._file = path.open('a', encoding='utf-8', buffering=1)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._file.write(json.dumps(data) + '\n')


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get(REPORTS)
    if path:
        config.pluginmanager.register(_Reporter(config, Path(path)))
