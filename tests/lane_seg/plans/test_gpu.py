"""The GPU is asked of the driver; where there is none, that is said."""

from __future__ import annotations

import ctypes
from ctypes.util import find_library
from typing import TYPE_CHECKING

import pytest

from lane_seg.errors import EngineError
from lane_seg.plans import gpu
from lane_seg.plans.gpu import Gpu, gpu_info

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeDriver:
    """libcuda of a machine with GPUs of compute capability 8.7 and CUDA 12.6."""

    def __init__(self, *, count: int = 1, fails: str = '') -> None:
        self.count, self.fails = count, fails

    def __getattr__(self, function: str) -> object:
        def call(*arguments: object) -> int:
            if function == self.fails:
                return 999
            results = {'cuDeviceGetCount': self.count, 'cuDriverGetVersion': 12060}
            if function in results:
                arguments[0]._obj.value = results[function]
            elif function == 'cuDeviceGetName':
                arguments[0].value = b'Orin'
            elif function == 'cuDeviceGetAttribute':
                arguments[0]._obj.value = {75: 8, 76: 7}[arguments[1]]
            return 0

        return call


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    gpu_info.cache_clear()
    yield
    gpu_info.cache_clear()


def set_driver(monkeypatch: pytest.MonkeyPatch, driver: FakeDriver) -> None:
    monkeypatch.setattr(ctypes, 'CDLL', lambda name: driver)


def test_name_and_compute_capability_are_those_of_the_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_driver(monkeypatch, FakeDriver())
    assert gpu_info() == Gpu('Orin', '8.7', '12.6')


def test_no_driver_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, '_DRIVER', 'libcuda_that_is_nowhere.so.1')
    with pytest.raises(EngineError, match=r"expected NVIDIA's driver .* on the machine with"):
        gpu_info()


def test_no_visible_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    set_driver(monkeypatch, FakeDriver(count=0))
    with pytest.raises(EngineError, match='found none that is visible'):
        gpu_info()


def test_a_driver_that_fails_is_named_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    set_driver(monkeypatch, FakeDriver(fails='cuInit'))
    with pytest.raises(EngineError, match='cuInit .* failed with CUDA error 999'):
        gpu_info()


@pytest.mark.gpu
@pytest.mark.skipif(find_library('cuda') is None, reason='needs an NVIDIA GPU and its driver')
def test_the_gpu_of_this_machine_is_found() -> None:
    found = gpu_info()
    assert found.name
    assert float(found.compute_capability) >= 5
