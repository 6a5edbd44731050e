"""A wheel of the package holds all its files, and finds them where it is installed."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest

from tests.installing import NAME, copy_of_checkout, run, shared_files, underlay

pytestmark = pytest.mark.slow

BUNDLE = """
from lane_seg import bundle
print(bundle.__file__, bundle.find_bundle('default'), sep='\\n')
"""


def pip(*arguments: str, folder: Path) -> None:
    """Run pip, which must find everything here."""
    command = [sys.executable, '-m', 'pip', *arguments]
    done = run(command, folder, {**underlay(), 'PIP_NO_INDEX': '1'})
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout."""
    return copy_of_checkout(tmp_path_factory.mktemp('checkout'))


@pytest.fixture(scope='module')
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a wheel."""
    folder = tmp_path_factory.mktemp('wheel')
    pip('wheel', '--no-deps', '--no-build-isolation', '-w', str(folder), '.', folder=checkout)
    return next(folder.glob('lane_seg_ros-*.whl'))


def test_a_wheel_brings_the_same_files(wheel: Path, checkout: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / 'fresh', with_pip=False)
    python = tmp_path / 'fresh' / 'bin' / 'python'
    # The libraries that we need, without the installation of this package among them.
    (libraries,) = (tmp_path / 'fresh').glob('lib/python*/site-packages')
    (libraries / 'libraries.pth').write_text('\n'.join(p for p in sys.path if 'packages' in p))
    pip('--python', str(python), 'install', '--no-deps', str(wheel), folder=tmp_path)

    share = tmp_path / 'fresh' / 'share' / NAME
    for name in shared_files(checkout):
        assert (share / name).read_bytes() == (checkout / name).read_bytes(), name
    found = run([str(python), '-c', BUNDLE], tmp_path, underlay())
    assert found.stdout.splitlines() == [
        str(libraries / 'lane_seg' / 'bundle.py'),
        str(share / 'models' / 'default'),
    ], found.stderr
    said = run([str(python.with_name('lane-seg')), '--help'], tmp_path, underlay())
    assert said.returncode == 0, said.stderr


def test_a_wheel_in_a_folder_of_its_own_finds_its_files(wheel: Path, tmp_path: Path) -> None:
    pip('install', '--no-deps', '--target', 'own', str(wheel), folder=tmp_path)
    environment = {**underlay(), 'PYTHONPATH': str(tmp_path / 'own')}
    found = run([sys.executable, '-c', BUNDLE], tmp_path, environment)
    assert found.stdout.splitlines() == [
        str(tmp_path / 'own' / 'lane_seg' / 'bundle.py'),
        str(tmp_path / 'own' / 'share' / NAME / 'models' / 'default'),
    ], found.stderr
