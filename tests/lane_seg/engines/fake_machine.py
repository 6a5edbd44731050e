"""A machine with a GPU, a library and a plan beside a bundle, all of them stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from lane_seg.engines import tensorrt as engine_module
from lane_seg.files import sha256_of
from lane_seg.plans import gpu as gpu_module
from lane_seg.plans import messages
from lane_seg.plans.gpu import Gpu
from lane_seg.plans.key import PlanRecord, key_of, plan_name, write_record
from lane_seg.plans.libraries import Library
from lane_seg.plans.options import BuildOptions
from tests.lane_seg.engines.fake_cuda import FakeGpu
from tests.lane_seg.engines.fake_driver import install
from tests.lane_seg.engines.fake_runtime import FakeRuntimeApi
from tests.lane_seg_engine.fake_tensorrt import PLAN

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from lane_seg.bundle import ModelBundle

ORIN = Gpu('Orin', '8.7', '12.6')
RNG = np.random.default_rng(5)
DEFAULTS = BuildOptions()


class Machine(Protocol):
    """`use_machine` for one bundle and test."""

    def __call__(
        self, *, rtx: bool = False, version: str = '10.3.0', options: BuildOptions = DEFAULTS,
        integrated: bool = False, fails: tuple[str, ...] = (), with_plan: bool = True,
    ) -> tuple[FakeGpu, FakeRuntimeApi]: ...  # fmt: skip


def use_machine(
    monkeypatch: pytest.MonkeyPatch, bundle: ModelBundle, *, rtx: bool = False,
    version: str = '10.3.0', options: BuildOptions = DEFAULTS, integrated: bool = False,
    fails: tuple[str, ...] = (), with_plan: bool = True,
) -> tuple[FakeGpu, FakeRuntimeApi]:  # fmt: skip
    """Make this machine such a one; see FakeGpu for the rest."""
    gpu = FakeGpu(integrated=integrated, fails=fails, height=bundle.height, width=bundle.width)
    install(monkeypatch, gpu)
    api = FakeRuntimeApi(gpu, version, rtx=rtx)
    library = Library('rtx', '1.7.1.116', api) if rtx else Library('tensorrt', version, api)
    monkeypatch.setattr(messages, '_MESSAGES_OF', {})
    for module in (engine_module, gpu_module):
        monkeypatch.setattr(module, 'gpu_info', lambda: ORIN)
    monkeypatch.setattr(engine_module, 'installed_flavours', lambda: [library.flavour])
    monkeypatch.setattr(engine_module, 'open_library', lambda name='auto': library)
    if with_plan:
        write_plan(bundle, library, options)
    return gpu, api


def write_plan(
    bundle: ModelBundle, library: Library, options: BuildOptions, precision: str = 'int8'
) -> Path:
    """Write the stand-in for a plan with a real key; returns its path."""
    key = key_of(
        onnx_sha256=bundle.onnx_sha256, flavour=library.flavour, version=library.version,
        precision=precision, options=options, gpu=ORIN,
    )  # fmt: skip
    path = bundle.directory / plan_name(key)
    path.write_bytes(PLAN)
    write_record(path, PlanRecord(key, sha256_of(path), len(PLAN), {}))
    return path


def some_tensor(bundle: ModelBundle) -> np.ndarray:
    """Return another image with each call."""
    return RNG.integers(0, 256, (bundle.height, bundle.width, 3), np.uint8)
