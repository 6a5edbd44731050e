"""The GPU benchmark's modules, two small bundles, and a stand-in for a machine with a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from tests.lane_seg.engines.fake_cuda import FakeGpu

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip('onnx')
    pytest.importorskip('rich')
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    import gpu_engines

    return gpu_engines


@pytest.fixture
def bundles(tmp_path: Path) -> tuple[Path, Path]:
    """A quantized bundle and one in float, of one size."""
    from tests.lane_seg_engine.quantized_graphs import HEIGHT, WIDTH, quantized_graph, write_bundle
    from tests.tiny_bundle import make_tiny_bundle

    floating = make_tiny_bundle(tmp_path / 'fp32', height=HEIGHT, width=WIDTH)
    return write_bundle(tmp_path / 'mine', quantized_graph()), floating


@pytest.fixture
def gpu(
    script: ModuleType, bundles: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> FakeGpu:
    """The stand-in, with TensorRT 10.3, for this process only."""
    import gpu_contenders

    from lane_seg.bundle import ModelBundle
    from tests.lane_seg.engines.fake_machine import ORIN, use_machine

    gpu, _ = use_machine(monkeypatch, ModelBundle.load(bundles[0]), with_plan=False)
    for module in (script, gpu_contenders):
        monkeypatch.setattr(module, 'gpu_info', lambda: ORIN)
    return gpu
