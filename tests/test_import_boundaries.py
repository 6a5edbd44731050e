"""Each package imports only what is its own: the runtime needs no torch, training no ROS.

Every module of a package is imported in a process in which the foreign libraries are blocked.
The arrows between our own packages are read from the source, so that an import inside a
function counts as well.
"""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent

ROS = (
    'ament_index_python',
    'builtin_interfaces',
    'cv_bridge',
    'diagnostic_msgs',
    'geometry_msgs',
    'launch',
    'launch_ros',
    'lifecycle_msgs',
    'nav_msgs',
    'rcl_interfaces',
    'rclpy',
    'rosgraph_msgs',
    'sensor_msgs',
    'std_msgs',
    'tf2_msgs',
    'vision_msgs',
)
TORCH = ('lightning', 'pytorch_lightning', 'torch', 'torchmetrics', 'transformers')
GPU = ('pycuda', 'tensorrt', 'tensorrt_rtx')
CPU_ENGINES = ('onnxruntime', 'openvino')
CARLA = ('carla',)

# Blocked libraries are as if not installed: even `importlib.util.find_spec` does not see them.
BLOCKER = """
import importlib

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        top = name.partition('.')[0]
        foreign = top in blocked
        if allowed is not None:
            foreign = top not in allowed and top not in sys.stdlib_module_names
        return None if foreign else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
for module in modules:
    importlib.import_module(module)
"""


@dataclass(frozen=True)
class Boundary:
    """What a package may import.

    Attributes:
        folder: where the package lies, relative to the repository.
        ours: packages of ours that it may import, anywhere in its source.
        blocked: foreign libraries that must not be needed to import any of its modules.
        allowed: if given, the only third-party libraries that may be imported.
        needs: the library without which its modules are useless; absent, the test is skipped.
    """

    folder: str
    ours: tuple[str, ...] = ('lane_seg', 'lane_seg_scene')
    blocked: tuple[str, ...] = ()
    allowed: tuple[str, ...] | None = None
    needs: str | None = None


BOUNDARIES = {
    'lane_seg': Boundary('src/lane_seg', ours=(), allowed=('numpy', 'cv2', 'yaml', '_yaml')),
    'lane_seg_scene': Boundary('src/lane_seg_scene', ours=(), allowed=('numpy', 'cv2')),
    'lane_seg_ros': Boundary(
        'src/lane_seg_ros', blocked=TORCH + GPU + CPU_ENGINES + CARLA + ('onnx',), needs='rclpy'
    ),
    'lane_seg_train': Boundary('src/lane_seg_train', blocked=ROS + GPU + CARLA, needs='torch'),
    'lane_seg_engine': Boundary('src/lane_seg_engine', blocked=ROS + TORCH + GPU + CARLA),
    'carla_bridge': Boundary(
        'carla_bridge',
        ours=('lane_seg', 'lane_seg_ros', 'lane_seg_scene'),
        blocked=TORCH + GPU + CPU_ENGINES,
        needs='rclpy',
    ),
    'lane_seg_cli': Boundary(
        'src/lane_seg_cli',
        ours=('carla_bridge', 'lane_seg', 'lane_seg_engine', 'lane_seg_ros')
        + ('lane_seg_scene', 'lane_seg_train'),
        blocked=ROS + TORCH + GPU + CPU_ENGINES + CARLA + ('onnx',),
    ),
}


def sources_of(package: str) -> dict[str, Path]:
    """Return {module name: file} of a package with its sub-packages."""
    folder = ROOT / BOUNDARIES[package].folder
    return {
        '.'.join(path.relative_to(folder.parent).with_suffix('').parts).removesuffix(
            '.__init__'
        ): path
        for path in sorted(folder.rglob('*.py'))
        if path.name != '__main__.py'
    }


def imported_names(path: Path) -> Iterator[str]:
    """Yield the top-level name of every absolute import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module.partition('.')[0]


def import_with_blocks(
    modules: list[str], *, blocked: tuple[str, ...] = (), allowed: tuple[str, ...] | None = None
) -> subprocess.CompletedProcess[str]:
    """Import modules in a new process in which foreign libraries are blocked."""
    paths = [str(ROOT / 'src'), str(ROOT)]
    head = f'import sys; sys.path[:0] = {paths}; {modules=}; {blocked=}; {allowed=}\n'
    return subprocess.run(
        [sys.executable, '-c', head + BLOCKER], capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize('package', BOUNDARIES)
def test_a_package_imports_with_foreign_libraries_blocked(package: str) -> None:
    boundary = BOUNDARIES[package]
    modules = list(sources_of(package))
    assert modules, f'{boundary.folder} holds no module'
    if boundary.needs is not None and importlib.util.find_spec(boundary.needs) is None:
        pytest.skip(f'{package} needs {boundary.needs}')
    allowed = None if boundary.allowed is None else (*boundary.allowed, package)
    done = import_with_blocks(modules, blocked=boundary.blocked, allowed=allowed)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('package', BOUNDARIES)
def test_the_arrows_between_our_packages_point_to_the_core(package: str) -> None:
    permitted = {package, *BOUNDARIES[package].ours}
    for module, path in sources_of(package).items():
        wrong = {name for name in imported_names(path) if name in BOUNDARIES} - permitted
        assert not wrong, f'{module} imports {sorted(wrong)}; it may import {sorted(permitted)}'


def test_every_package_of_ours_has_a_boundary() -> None:
    packages = {init.parent.name for init in (ROOT / 'src').glob('*/__init__.py')}
    assert packages | {'carla_bridge'} == set(BOUNDARIES)


@pytest.mark.parametrize('limits', [{'blocked': ('yaml',)}, {'allowed': ('numpy',)}])
def test_the_block_really_blocks(limits: dict[str, tuple[str, ...]]) -> None:
    done = import_with_blocks(['yaml'], **limits)
    assert done.returncode != 0
    assert "No module named 'yaml'" in done.stderr
