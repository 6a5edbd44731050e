"""A child that dies is replaced, one that fails or hangs is not; with real children."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.carla_bridge.mini_carla.child_pytest import AGAIN, CHILD, REPORTS, run_in_children
from tests.carla_bridge.servers import environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.carla_bridge.mini_carla.child_pytest import ChildRun

TESTS = """
import os, pathlib, signal, time
count = pathlib.Path(__file__).with_name('count')

def begin():
    count.write_text(count.read_text() + '.' if count.exists() else '.')
    return len(count.read_text())

def test_well():
    pass

def test_wrong():
    begin()
    assert 1 == 2

def test_dies_once():
    if begin() == 2:
        os.kill(os.getpid(), signal.SIGSEGV)

def test_dies_always():
    begin()
    os.kill(os.getpid(), signal.SIGABRT)

def test_hangs():
    begin()
    time.sleep(60)
"""


def run(config: pytest.Config, folder: Path, *names: str, child_s: float = 60.0) -> ChildRun:
    file = folder / 'test_it.py'
    file.write_text(TESTS)
    (folder / 'reports').mkdir()
    nodes = [f'test_it.py::test_{name}' for name in names]
    reports = folder / 'reports'
    return run_in_children(config, folder, nodes, environment(), reports, child_s=child_s)


def outcomes(found: ChildRun) -> dict[str, str]:
    return {
        node.rpartition('::test_')[2]: next(part.outcome for part in parts if part.when == 'call')
        for node, parts in found.reports.items()
    }


def test_what_a_dead_child_left_is_run_again_and_a_failure_is_not(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    found = run(pytestconfig, tmp_path, 'well', 'wrong', 'dies_once')
    assert outcomes(found) == {'well': 'passed', 'wrong': 'failed', 'dies_once': 'passed'}
    assert [death.split('::')[0].split(' ')[0] for death in found.deaths] == ['SIGSEGV']
    assert 'test_dies_once' in found.deaths[0]
    # One for the failure, two for the test that died once.
    assert len((tmp_path / 'count').read_text()) == 3
    assert found.failure.startswith('the child ended with code -11') or not found.failure


def test_a_child_that_always_dies_is_given_up_with_its_last_words(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    found = run(pytestconfig, tmp_path, 'well', 'dies_always')
    assert outcomes(found) == {'well': 'passed'}
    assert len(found.deaths) == len((tmp_path / 'count').read_text()) == 1 + AGAIN
    assert 'SIGABRT' in found.failure
    assert 'test_dies_always' in found.failure


def test_a_child_that_hangs_is_stopped_and_not_run_again(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    found = run(pytestconfig, tmp_path, 'hangs', child_s=5.0)
    assert not found.reports
    assert found.failure.startswith('the child was stopped after 5 s')
    assert (tmp_path / 'count').read_text() == '.'


def test_this_pytest_is_not_a_child() -> None:
    assert not {CHILD, REPORTS} & set(os.environ)
