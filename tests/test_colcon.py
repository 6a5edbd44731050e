"""colcon builds, links and tests the package; `ros2 run` and Python find what is installed.

All of it happens in a copy of the checkout, on top of the ROS 2 that the tests themselves use: a
sourced installation, or the wheels beside this Python.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('openvino')

from tests.installing import LIMIT_S, NAME, copy_of_checkout, run, shared_files, underlay
from tests.lane_seg_ros.node_process import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.ros, pytest.mark.slow]

# Programs that are ROS nodes: they take --ros-args and no --help.
NODES = {'camera_player', 'lane_seg_node'}

PART_OF_OUR_TESTS = 'tests/lane_seg/test_mailbox.py'

# The rule of `ros2 run PACKAGE NAME`: executable files below lib/PACKAGE of the package's prefix.
PROGRAMS = """
import json, os
from importlib.metadata import distribution
from pathlib import Path
from ament_index_python.packages import get_package_prefix
folder = Path(get_package_prefix('lane_seg_ros'), 'lib', 'lane_seg_ros')
programs = {p.name: str(p) for p in folder.rglob('*') if p.is_file() and os.access(p, os.X_OK)}
scripts = distribution('lane_seg_ros').entry_points.select(group='console_scripts')
print(json.dumps([programs, [script.name for script in scripts]]))
"""

PLACES = """
import json
import lane_seg
from ament_index_python.packages import get_package_share_directory
from lane_seg.bundle import find_bundle
places = [lane_seg.__file__, find_bundle('default'), get_package_share_directory('lane_seg_ros')]
print(json.dumps([str(place) for place in places]))
"""


@dataclass(frozen=True)
class Workspace:
    """A colcon workspace with this package in it."""

    folder: Path
    linked: bool

    @property
    def source(self) -> Path:
        """The copy of the checkout."""
        return self.folder / 'src' / NAME

    @property
    def prefix(self) -> Path:
        """Where the package is installed."""
        return self.folder / 'install' / NAME

    def colcon(self, *arguments: str, check: bool = True) -> str:
        """Run colcon in the workspace; what it said."""
        environment = underlay()
        environment['COLCON_HOME'] = str(self.folder / 'no_defaults')
        command = shutil.which('colcon', path=environment['PATH'])
        assert command is not None, "colcon is missing: pip install 'lane_seg_ros[dev]'"
        done = run([command, *arguments], self.folder, environment)
        said = done.stdout + done.stderr
        assert done.returncode == 0 or not check, said
        return f'exit code {done.returncode}\n{said}'

    def environment(self) -> dict[str, str]:
        """The environment after `source install/setup.bash`."""
        done = run(
            ['bash', '-c', f'source "{self.folder}/install/setup.bash" && env -0'],
            self.folder,
            underlay(),
        )
        assert done.stderr == ''
        return dict(line.split('=', 1) for line in done.stdout.split('\0') if line)

    def python(self, program: str) -> list[object]:
        """Run a program under that environment, far from the sources; the JSON that it prints."""
        done = run([sys.executable, '-c', program], self.folder.parent, self.environment())
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert isinstance(answer, list)
        return answer

    def programs(self) -> dict[str, str]:
        """What `ros2 run` finds: {name: path}."""
        found, _ = self.python(PROGRAMS)
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout."""
    return copy_of_checkout(tmp_path_factory.mktemp('checkout'))


@pytest.fixture(scope='module', params=['copied', 'linked'])
def workspace(
    request: pytest.FixtureRequest, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """A workspace after `colcon build`, or after `colcon build --symlink-install`."""
    made = Workspace(tmp_path_factory.mktemp(request.param), linked=request.param == 'linked')
    shutil.copytree(checkout, made.source)
    made.colcon('build', *(['--symlink-install'] if made.linked else []))
    return made


@pytest.fixture
def client() -> Iterator[Client]:
    """Somebody who talks to the node."""
    made = Client()
    try:
        yield made
    finally:
        made.close()


def test_ros2_run_finds_every_program(workspace: Workspace) -> None:
    programs, scripts = workspace.python(PROGRAMS)
    assert isinstance(programs, dict)
    assert isinstance(scripts, list)
    assert set(programs) == set(scripts) >= NODES | {'carla-bridge', 'lane-seg'}
    for path in programs.values():
        assert Path(path).is_relative_to(workspace.prefix)


def test_every_command_explains_itself(workspace: Workspace) -> None:
    for name, path in workspace.programs().items():
        if name not in NODES:
            said = run([path, '--help'], workspace.folder.parent, workspace.environment())
            assert said.returncode == 0, said.stderr
            assert name in said.stdout


def test_code_model_and_share_folder_are_those_of_the_workspace(workspace: Workspace) -> None:
    code, model, share = (Path(str(place)) for place in workspace.python(PLACES))
    assert share == workspace.prefix / 'share' / NAME
    if workspace.linked:  # so that an edit counts without another build
        assert code.resolve() == workspace.source / 'src' / 'lane_seg' / '__init__.py'
        assert model == workspace.source / 'models' / 'default'
    else:
        assert code.is_relative_to(workspace.prefix / 'lib')
        assert model == share / 'models' / 'default'


def test_every_file_of_launch_and_of_the_model_is_in_share(workspace: Workspace) -> None:
    share = workspace.prefix / 'share' / NAME
    names = shared_files(workspace.source)
    assert {'models/default/model.onnx', 'launch/lane_seg.launch.py'} <= set(names)
    for name in names:
        assert (share / name).read_bytes() == (workspace.source / name).read_bytes(), name
        if workspace.linked:
            assert (share / name).resolve() == workspace.source / name


def test_installed_camera_and_node_work_together_and_end_by_ctrl_c(
    workspace: Workspace, client: Client, tmp_path: Path
) -> None:
    programs = workspace.programs()
    started = []
    try:
        for name in ('lane_seg_node', 'camera_player'):
            with (tmp_path / f'{name}.log').open('wb') as output:
                started.append(
                    subprocess.Popen(
                        [programs[name]],
                        cwd=tmp_path,
                        env=workspace.environment(),
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                )
        client.wait_until(lambda: len(client.received.masks) > 2, 'masks of the shipped model')
        assert client.state() == 'active'
        for process in started:
            process.send_signal(signal.SIGINT)
        codes = [process.wait(LIMIT_S) for process in started]
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
    said = (tmp_path / 'lane_seg_node.log').read_text()
    assert codes == [0, 0], said
    assert 'model default' in said


def test_colcon_test_reads_what_our_tests_say(workspace: Workspace) -> None:
    workspace.colcon('test', '--pytest-args', PART_OF_OUR_TESTS)
    passed = workspace.colcon('test-result', '--all')
    assert re.search(r'^Summary: [1-9]\d* tests, 0 errors, 0 failures, ', passed, re.MULTILINE)

    failing = workspace.source / 'tests' / 'test_one_and_one.py'
    failing.write_text('def test_one_and_one():\n    assert 1 + 1 == 3\n')
    try:
        workspace.colcon('test', '--pytest-args', PART_OF_OUR_TESTS, f'tests/{failing.name}')
    finally:
        failing.unlink()
    failed = workspace.colcon('test-result', '--verbose', check=False)
    assert failed.startswith('exit code 1\n')
    assert 'test_one_and_one' in failed
    assert re.search(r'^Summary: \d+ tests, 0 errors, 1 failure, ', failed, re.MULTILINE)
