"""The repository is at once a valid ROS 2 ament_python package and a pip package."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from catkin_pkg.package import parse_package
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lane_seg
from tests.installing import extras_of, setup_arguments_of_checkout

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ('3.10', '3.11', '3.12')
TARGETS = ('help', 'setup', 'demo', 'test', 'lint', 'bench', 'clean')
EXTRAS = {
    'runtime', 'ros', 'train', 'transformers', 'carla', 'tensorrt', 'tensorrt-rtx', 'test', 'dev',
}  # fmt: skip

# In pieces, so that this file does not name them itself.
REGISTRY_WORDS = (
    'pypi' + '.org',
    'python' + 'hosted',
    '--extra' + '-index-url',
    '--index' + '-url',
)


@pytest.fixture(scope='module')
def setup_arguments() -> dict[str, object]:
    return setup_arguments_of_checkout()


@pytest.fixture(scope='module')
def extras(setup_arguments: dict[str, object]) -> dict[str, list[Requirement]]:
    return extras_of(setup_arguments)


def pins_for(python: str) -> dict[str, str]:
    """Read a constraints file: {normalised name: version}."""
    lines = (ROOT / f'requirements/constraints-{python}.txt').read_text().splitlines()
    return dict(line.split('==') for line in lines if not line.startswith('#'))


def test_package_xml_is_valid_and_agrees_with_the_version_and_setup_py(
    setup_arguments: Mapping[str, object],
) -> None:
    warnings: list[str] = []
    package = parse_package(str(ROOT / 'package.xml'), warnings=warnings)
    package.validate(warnings=warnings)
    assert warnings == []
    assert package.package_format == 3
    assert package.name == setup_arguments['name'] == 'lane_seg_ros'
    assert package.version == setup_arguments['version'] == lane_seg.__version__
    assert package.licenses == [setup_arguments['license']] == ['Apache-2.0']
    assert package.description == setup_arguments['description']
    assert [person.email for person in package.maintainers] == [
        setup_arguments['maintainer_email']
    ]
    assert package.get_build_type() == 'ament_python'


def test_colcon_lists_the_package_as_ament_python() -> None:
    # An invalid package.xml is silently taken for a plain Python package: only this shows it.
    colcon = Path(sys.executable).with_name('colcon')
    listed = subprocess.run(
        [str(colcon), '--log-base=/dev/null', 'list', '--base-paths', str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.split() == ['lane_seg_ros', str(ROOT), '(ros.ament_python)']


def test_setup_cfg_and_pyproject_hold_no_metadata() -> None:
    sections = configparser.ConfigParser()
    sections.read(ROOT / 'setup.cfg')
    assert sections.sections() == ['develop', 'install']
    assert '[project' not in (ROOT / 'pyproject.toml').read_text()


def test_every_package_folder_is_packaged(setup_arguments: Mapping[str, object]) -> None:
    packages = setup_arguments['packages']
    assert isinstance(packages, list)
    here = {
        '.'.join(init.parent.relative_to(base).parts)
        for base, pattern in (
            (ROOT / 'src', '**/__init__.py'),
            (ROOT, 'carla_bridge/**/__init__.py'),
        )
        for init in base.glob(pattern)
    }
    assert set(packages) == here


def test_every_script_leads_to_a_function(setup_arguments: Mapping[str, object]) -> None:
    entry_points = setup_arguments['entry_points']
    assert isinstance(entry_points, dict)
    scripts = dict(line.split(' = ') for line in entry_points['console_scripts'])
    assert {'carla-bridge', 'lane-seg', 'lane_seg_node', 'camera_player'} <= set(scripts)
    for target in scripts.values():
        module, function = target.split(':')
        inside = Path(*module.split('.')).with_suffix('.py')
        source = next(base / inside for base in (ROOT / 'src', ROOT) if (base / inside).is_file())
        assert re.search(rf'^def {function}\(', source.read_text(), re.MULTILINE), target


def test_shared_files_keep_their_folders(setup_arguments: Mapping[str, object]) -> None:
    data_files = setup_arguments['data_files']
    assert isinstance(data_files, list)
    shared = dict(data_files)
    assert shared['share/ament_index/resource_index/packages'] == ['resource/lane_seg_ros']
    assert shared['share/lane_seg_ros'] == ['package.xml']
    for folder, files in data_files:
        for name in files:
            assert (ROOT / name).is_file()
            assert not Path(name).is_absolute()
            if name.startswith(('models/', 'launch/')):
                assert folder == str(Path('share/lane_seg_ros', name).parent)
    for model in (ROOT / 'models').glob('*/model.yaml'):
        name = model.parent.name
        assert f'models/{name}/model.yaml' in shared[f'share/lane_seg_ros/models/{name}']


def test_a_ros_machine_is_asked_for_nothing_that_apt_does_not_bring(
    setup_arguments: Mapping[str, object],
) -> None:
    required = setup_arguments['install_requires']
    assert isinstance(required, list)
    assert {Requirement(text).name for text in required} == {'numpy', 'pyyaml'}


@pytest.mark.parametrize('python', PYTHONS)
def test_every_extra_is_pinned_to_a_version_that_it_allows(
    extras: dict[str, list[Requirement]], python: str
) -> None:
    assert set(extras) == EXTRAS
    pins = pins_for(python)
    for name, requirements in extras.items():
        for requirement in requirements:
            pinned = pins.get(canonicalize_name(requirement.name))
            assert pinned is not None, f'{python}: {requirement} of [{name}] is not pinned'
            assert requirement.specifier.contains(pinned, prereleases=True), (
                f'{python}: [{name}] asks for {requirement}, the pin is {pinned}: run make lock'
            )


@pytest.mark.parametrize('python', PYTHONS)
def test_the_makefile_installs_the_pinned_pytorch(python: str) -> None:
    assert f'torch=={pins_for(python)["torch"]}\n' in (ROOT / 'Makefile').read_text()


def test_the_runtime_extras_do_not_bring_pytorch_or_carla(
    extras: dict[str, list[Requirement]],
) -> None:
    names = {requirement.name for extra in ('runtime', 'ros') for requirement in extras[extra]}
    assert not names & {'torch', 'lightning', 'torchmetrics', 'carla', 'tensorrt'}


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(
        ['make', '--no-print-directory', '-C', str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert set(TARGETS) <= set(re.findall(r'^  ([a-z]+) ', listed, re.MULTILINE))


def test_make_says_which_pythons_will_do(tmp_path: Path) -> None:
    (tmp_path / 'Makefile').write_text((ROOT / 'Makefile').read_text())
    old = tmp_path / 'python2'
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 2.7.18"\nexit 1\n')
    old.chmod(0o755)
    refused = subprocess.run(
        ['make', '-C', str(tmp_path), f'PYTHON={old}', '.venv/.stamps/venv'],
        capture_output=True,
        text=True,
    )
    assert refused.returncode != 0
    assert 'needs Python 3.10, 3.11 or 3.12' in refused.stderr
    assert 'Python 2.7.18' in refused.stderr
    assert not (tmp_path / '.venv').exists()


def test_an_input_with_spaces_reaches_the_demo_whole(tmp_path: Path) -> None:
    (tmp_path / 'Makefile').write_text((ROOT / 'Makefile').read_text())
    command = tmp_path / '.venv/bin/lane-seg'
    command.parent.mkdir(parents=True)
    command.write_text('#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\n')
    command.chmod(0o755)
    said = subprocess.run(
        # --assume-old: this test is about the demo's command, not about installing.
        ['make', '-s', '-C', str(tmp_path), '-o', '.venv/.stamps/carla', 'demo']
        + ['INPUT=my drive\'s "video".mp4'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said[-4:] == ['<--output>', '<demo>', '<--input>', '<my drive\'s "video".mp4>']


def test_no_file_names_a_registry_host() -> None:
    names = ('Makefile', 'setup.py', 'setup.cfg', 'pyproject.toml', '.ci/run', 'README.md')
    folders = ('requirements', 'src', 'carla_bridge', 'launch', 'docker', 'docs', 'tests')
    files = [ROOT / name for name in names]
    files += [path for folder in folders for path in (ROOT / folder).rglob('*')]
    for path in files:
        if path.is_file() and '__pycache__' not in path.parts:
            text = path.read_bytes().decode('utf-8', errors='ignore')
            found = [word for word in REGISTRY_WORDS if word in text]
            assert not found, f'{path.relative_to(ROOT)} names {found}'
