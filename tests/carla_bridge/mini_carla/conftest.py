"""A mini_carla server as a real process, and the real `carla` client connected to it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.carla_bridge.mini_carla.child_pytest import CHILD, ChildRun, run_in_children
from tests.carla_bridge.servers import Server, environment, run_client, running_server

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from types import ModuleType

    import carla

RUNS = pytest.StashKey[dict[Path, ChildRun]]()


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Start servers of a test's own."""
    with contextlib.ExitStack() as stack:
        yield lambda *options: stack.enter_context(running_server(*options))


@pytest.fixture(scope='session')
def carla_api() -> ModuleType:
    """The real client library, in this process: that of a child, see `child_pytest`."""
    assert os.environ.get(CHILD), 'the hook below runs what asks for the client in a child'
    return pytest.importorskip('carla', reason="needs the client: pip install 'carla==0.9.16'")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Show what a child reported of a test that has the client in its own process."""
    if os.environ.get(CHILD) or 'carla_api' not in getattr(item, 'fixturenames', ()):
        return None
    run = _run_of(item)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = run.reports.get(item.nodeid)
    if reports is None:
        reports = [
            pytest.TestReport(
                nodeid=item.nodeid,
                location=item.location,
                keywords={},
                outcome='failed',
                longrepr=run.failure,
                when='call',
            )
        ]
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    # What the test before this one left set up for it: nobody else takes it down where the next
    # test is in another folder.
    item.session._setupstate.teardown_exact(nextitem)
    return True


def _run_of(item: pytest.Item) -> ChildRun:
    """The run of all chosen tests of this one's file, done when the first of them is due."""
    runs = item.config.stash.setdefault(RUNS, {})
    if item.path not in runs:
        nodes = [
            other.nodeid
            for other in item.session.items
            if other.path == item.path and 'carla_api' in getattr(other, 'fixturenames', ())
        ]
        with tempfile.TemporaryDirectory(prefix='child_pytest_') as folder:
            run = run_in_children(
                item.config, item.config.rootpath, nodes, environment(), Path(folder)
            )
        runs[item.path] = run
        for death in run.deaths:
            item.config.issue_config_time_warning(
                pytest.PytestWarning(f'the CARLA client took its process down: {death}'),
                stacklevel=2,
            )
    return runs[item.path]


@pytest.fixture(scope='session')
def shared_server() -> Iterator[Server]:
    """One server for all tests that leave nothing but actors behind."""
    with running_server('--seed', '3') as server:
        yield server


@pytest.fixture
def client(carla_api: ModuleType, shared_server: Server) -> carla.Client:
    """A `carla.Client` of the shared server, in a fresh episode of its first town."""
    connected = carla_api.Client('127.0.0.1', shared_server.port)
    connected.set_timeout(30.0)
    world = connected.load_world('Town_ring')
    # Dropping a client while its stream is still being connected crashes the process.
    world.wait_for_tick(30.0)
    return connected


@pytest.fixture
def world(client: carla.Client) -> carla.World:
    """A `carla.World` in synchronous mode, 20 ticks a simulated second."""
    fresh = client.get_world()
    settings = fresh.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = 0.05
    fresh.apply_settings(settings)
    return fresh


@pytest.fixture(scope='session')
def run_script() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code with the real client in a process of its own, which it may take down."""
    return run_client
