"""The library that is there is found; what is missing is named with how to install it."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from lane_seg.errors import EngineError
from lane_seg.plans import libraries
from lane_seg.plans.libraries import installed_flavours, open_library, version_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULES = ('tensorrt', 'tensorrt_rtx', 'tensorrt_rtx_bindings', 'onnxruntime_ep_nv_tensorrt_rtx')


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is all of site-packages for the modules in question."""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    here = importlib.machinery.PathFinder.find_spec

    class Only:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:
            if name in MODULES:
                return here(name, [str(tmp_path)])
            return None

    class Hidden:
        """The finders that were there, except for the modules in question."""

        def __init__(self, finder: object) -> None:
            self.finder = finder

        def find_spec(self, name: str, path: object = None, target: object = None) -> object:
            return None if name in MODULES else self.finder.find_spec(name, path, target)

    monkeypatch.setattr(sys, 'meta_path', [Only, *(Hidden(finder) for finder in sys.meta_path)])
    libraries._open.cache_clear()
    yield tmp_path
    libraries._open.cache_clear()
    for name in MODULES:
        sys.modules.pop(name, None)


def write_module(folder: Path, name: str, text: str) -> None:
    (folder / f'{name}.py').write_text(text, encoding='utf-8')
    importlib.invalidate_caches()


def test_nothing_installed_names_both_ways_to_install(packages: Path) -> None:
    assert installed_flavours() == []
    with pytest.raises(EngineError) as caught:
        open_library('auto')
    for text in ('python3-libnvinfer', 'pip install tensorrt', 'tensorrt-rtx-cu13-bindings'):
        assert text in str(caught.value)


def test_a_flavour_that_is_missing_is_not_replaced_by_the_other(packages: Path) -> None:
    write_module(packages, 'tensorrt', "__version__ = '10.3.0'\nBuilder = 1\n")
    with pytest.raises(EngineError, match='flavour rtx: expected the Python package tensorrt_rtx'):
        open_library('rtx')


def test_auto_takes_tensorrt_first(packages: Path) -> None:
    write_module(packages, 'tensorrt', "__version__ = '10.3.0'\nBuilder = 1\n")
    write_module(packages, 'tensorrt_rtx', "__version__ = '1.7.1'\nBuilder = 1\n")
    assert installed_flavours() == ['tensorrt', 'rtx']
    library = open_library('auto')
    assert (library.flavour, library.version, library.generation) == ('tensorrt', '10.3.0', 10)


def test_auto_goes_on_to_tensorrt_rtx(packages: Path) -> None:
    write_module(packages, 'tensorrt', 'import libnvinfer_is_missing\n')
    write_module(packages, 'tensorrt_rtx_bindings', "__version__ = '1.7.1'\nBuilder = 1\n")
    library = open_library('auto')
    assert (library.flavour, library.version, library.generation) == ('rtx', '1.7.1', 11)


def test_a_library_that_does_not_load_says_why(packages: Path) -> None:
    write_module(packages, 'tensorrt', "raise OSError('libnvinfer.so.10: cannot open')\n")
    with pytest.raises(EngineError, match='expected to load tensorrt, found: libnvinfer.so.10'):
        open_library('tensorrt')


def test_an_empty_package_is_called_that(packages: Path) -> None:
    write_module(packages, 'tensorrt', "__version__ = '10.3.0'\n")
    with pytest.raises(EngineError, match='found an empty package'):
        open_library('tensorrt')


def test_a_version_before_8_5_is_refused(packages: Path) -> None:
    write_module(packages, 'tensorrt', "__version__ = '8.4.1'\nBuilder = 1\n")
    with pytest.raises(EngineError, match=r'TensorRT 8\.5 to 11, found 8\.4\.1'):
        open_library('tensorrt')


def test_an_unknown_flavour_is_refused() -> None:
    with pytest.raises(EngineError, match="tensorrt or rtx, found 'trt'"):
        open_library('trt')


@pytest.mark.parametrize(
    ('text', 'numbers'),
    [
        ('10.3.0.26', (10, 3, 0, 26)),
        ('8.5.2-1+cuda11', (8, 5)),
        ('10.3+cuda12', (10, 3)),
        ('', (0,)),
        ('9.0', (9, 0)),
    ],
)
def test_versions_are_read_up_to_what_is_no_number(text: str, numbers: tuple[int, ...]) -> None:
    assert version_numbers(text) == numbers
