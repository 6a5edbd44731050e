"""package.xml names what the code on a ROS machine imports, so that rosdep brings it."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from catkin_pkg.package import parse_package

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent

# What runs on a car or beside CARLA; training and the building of engines are done elsewhere.
FOLDERS = (
    'src/lane_seg',
    'src/lane_seg_cli',
    'src/lane_seg_ros',
    'src/lane_seg_scene',
    'carla_bridge',
    'launch',
)

# Libraries from Ubuntu, whose rosdep keys are not the names of their modules.
KEYS = {
    'cv2': 'python3-opencv',
    'msgpack': 'python3-msgpack',
    'numpy': 'python3-numpy',
    'rich': 'python3-rich',
    'yaml': 'python3-yaml',
}

# rosdep has no key for these, or only one that calls pip, which Ubuntu 24.04 refuses.
FROM_PIP = {'carla', 'onnx', 'onnxruntime', 'openvino', 'pycuda', 'rosbags', 'torch'}

# Reports are written without charts where it is missing; a car needs neither.
OPTIONAL = {'cycler', 'matplotlib'}

# Needed to start the launch files, imported by none of them.
COMMANDS = {'ros2launch'}

# A message package that is imported by name, because it may be missing.
MESSAGES = re.compile(r'([a-z][a-z0-9_]*_(?:msgs|interfaces))(?:\.(?:msg|srv))?')


class Imports(ast.NodeVisitor):
    """Collects the top-level modules that a file imports when it runs."""

    def __init__(self) -> None:
        self.modules: set[str] = set()

    def visit_If(self, node: ast.If) -> None:  # noqa: N802  (ast's name)
        """Leave out what is there for type checkers only."""
        if ast.unparse(node.test) in {'TYPE_CHECKING', 'typing.TYPE_CHECKING'}:
            for other in node.orelse:
                self.visit(other)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:  # noqa: N802
        """Take `import a.b`."""
        self.modules |= {alias.name.partition('.')[0] for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802
        """Take `from a.b import c`."""
        if node.module is not None and node.level == 0:
            self.modules.add(node.module.partition('.')[0])

    def visit_Constant(self, node: ast.Constant) -> None:  # noqa: N802
        """Take `import_module('a_msgs.msg')`, also through a function of ours."""
        found = MESSAGES.fullmatch(node.value) if isinstance(node.value, str) else None
        if found is not None:
            self.modules.add(found[1])


def imports_of(source: str) -> set[str]:
    """The top-level modules that a source text imports."""
    imports = Imports()
    imports.visit(ast.parse(source))
    return imports.modules


def sources() -> Iterator[Path]:
    """Every Python file that may run on a ROS machine."""
    for folder in FOLDERS:
        yield from (ROOT / folder).rglob('*.py')


@pytest.fixture(scope='module')
def imported() -> dict[str, Path]:
    """Foreign modules that are imported, each with a file that does so."""
    ours = {path.name for path in (ROOT / 'src').iterdir()} | {'carla_bridge'}
    found = {name: path for path in sources() for name in imports_of(path.read_text('utf-8'))}
    return {
        name: path
        for name, path in found.items()
        if name not in ours and name not in sys.stdlib_module_names
    }


@pytest.fixture(scope='module')
def declared() -> set[str]:
    """What package.xml asks rosdep for."""
    package = parse_package(str(ROOT / 'package.xml'))
    names = [dependency.name for dependency in package.exec_depends]
    assert len(names) == len(set(names))
    return set(names)


def test_every_import_is_in_package_xml(imported: dict[str, Path], declared: set[str]) -> None:
    missing = {
        name: str(path.relative_to(ROOT))
        for name, path in imported.items()
        if name not in FROM_PIP | OPTIONAL and KEYS.get(name, name) not in declared
    }
    assert not missing, f'imported, but package.xml has no <exec_depend> for: {missing}'


def test_package_xml_asks_for_nothing_that_is_not_imported(
    imported: dict[str, Path], declared: set[str]
) -> None:
    assert declared - {KEYS.get(name, name) for name in imported} == COMMANDS


def test_exceptions_are_imported_and_not_in_package_xml(
    imported: dict[str, Path], declared: set[str]
) -> None:
    assert set(imported) >= FROM_PIP | OPTIONAL | set(KEYS)
    assert not declared & (FROM_PIP | OPTIONAL)


def test_the_installation_page_says_where_the_rest_comes_from() -> None:
    page = (ROOT / 'docs/install.md').read_text(encoding='utf-8')
    for name in FROM_PIP | OPTIONAL - {'cycler'}:
        assert f'`{name}`' in page, name


def test_an_import_is_seen_wherever_it_stands() -> None:
    source = """
from __future__ import annotations
import numpy as np
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import torch
from . import sibling
def late():
    from sensor_msgs.msg import Image
    return importlib.import_module('tf2_msgs.msg'), message(self, 'nav_msgs', 'Odometry')
"""
    assert imports_of(source) == {
        *('__future__', 'numpy', 'typing', 'sensor_msgs', 'tf2_msgs', 'nav_msgs'),
    }
