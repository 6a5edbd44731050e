"""int8 sums are exact on every CPU: without VNNI, x86 kernels would saturate in between."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

pytest.importorskip('onnx')

import onnx
from onnx import TensorProto, helper, numpy_helper

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.engines.graph import cpu_graph, narrow_weights, unsigned_activations
from lane_seg.machine import int8_sums_saturate
from tests.tiny_bundle import write_bundle

if TYPE_CHECKING:
    from pathlib import Path

ENGINES = ['openvino', 'onnxruntime']
HEIGHT, WIDTH, CHANNELS = 16, 32, 32
# Powers of two, so that float arithmetic is exact too.
IMAGE_SCALE, WEIGHT_SCALE, HIDDEN_SCALE = 2.0**-6, 2.0**-9, 2.0**-5


def weights() -> list[np.ndarray]:
    """Large and even, so that 7 bits hold them as well; more positive ones, so that sums grow."""
    rng = np.random.default_rng(0)
    return [
        2 * rng.integers(-16, 64, shape, np.int8)
        for shape in ((CHANNELS, 3, 3, 3), (CHANNELS, CHANNELS, 3, 3))
    ]


def saturating_graph() -> onnx.ModelProto:
    """Two int8 convolutions; the mask shows the first channel of the second."""
    first, second = weights()
    constants = {
        'middle': np.float32(128), 'zero': np.int8(0), 'first': first, 'second': second,
        'image_scale': np.float32(IMAGE_SCALE), 'weight_scale': np.float32(WEIGHT_SCALE),
        'hidden_scale': np.float32(HIDDEN_SCALE),
        'start': np.array([0]), 'end': np.array([1]), 'axis': np.array([1]),
        'bottom': np.float32(0), 'top': np.float32(255),
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node('Cast', ['image'], ['float'], to=TensorProto.FLOAT),
        node('Sub', ['float', 'middle'], ['centred']),
        node('Mul', ['centred', 'image_scale'], ['normalized']),
        node('Transpose', ['normalized'], ['x'], perm=[0, 3, 1, 2]),
        node('QuantizeLinear', ['x', 'image_scale', 'zero'], ['x8']),
        node('DequantizeLinear', ['x8', 'image_scale', 'zero'], ['xq']),
        node('DequantizeLinear', ['first', 'weight_scale', 'zero'], ['w1']),
        node('Conv', ['xq', 'w1'], ['y1'], pads=[1, 1, 1, 1]),
        node('Relu', ['y1'], ['h']),
        node('QuantizeLinear', ['h', 'hidden_scale', 'zero'], ['h8']),
        node('DequantizeLinear', ['h8', 'hidden_scale', 'zero'], ['hq']),
        node('DequantizeLinear', ['second', 'weight_scale', 'zero'], ['w2']),
        node('Conv', ['hq', 'w2'], ['y2'], pads=[1, 1, 1, 1]),
        node('Slice', ['y2', 'start', 'end', 'axis'], ['channel']),
        node('Squeeze', ['channel', 'axis'], ['value']),
        node('Floor', ['value'], ['whole']),
        node('Clip', ['whole', 'bottom', 'top'], ['clipped']),
        node('Cast', ['clipped'], ['mask'], to=TensorProto.UINT8),
    ]
    graph = helper.make_graph(
        nodes,
        'saturating',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info('mask', TensorProto.UINT8, [1, HEIGHT, WIDTH])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def exact(image: np.ndarray) -> np.ndarray:
    """What the graph defines, in int32."""

    def conv(codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        windows = sliding_window_view(np.pad(codes, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
        return np.einsum('chwij,ocij->ohw', windows, weight, dtype=np.int32)

    first, second = weights()
    codes = image.transpose(2, 0, 1).astype(np.int32) - 128
    hidden = np.rint(conv(codes, first) * (IMAGE_SCALE * WEIGHT_SCALE / HIDDEN_SCALE)).clip(0, 127)
    total = conv(hidden.astype(np.int32), second)[0]
    return np.floor(total * (WEIGHT_SCALE * HIDDEN_SCALE)).clip(0, 255).astype(np.uint8)


def image(seed: int) -> np.ndarray:
    """Noise with a bright and a dark patch: both ends of the range saturate."""
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    pixels[4:10, 4:12] = 255
    pixels[4:10, 20:28] = 0
    return pixels


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return ModelBundle.load(write_bundle(tmp_path / 'tiny', saturating_graph()))


@pytest.mark.parametrize('name', ENGINES)
def test_large_weights_and_inputs_give_what_int32_arithmetic_gives(
    bundle: ModelBundle, name: str
) -> None:
    pytest.importorskip(name)
    with open_engine(bundle, name, threads=1) as engine:
        for seed in range(3):
            mask = engine.infer(image(seed))
            assert len(np.unique(mask)) > 50  # something to compare
            assert np.array_equal(mask, exact(image(seed)))


@pytest.mark.parametrize('saturates', [False, True])
def test_weights_are_narrowed_and_that_is_logged_only_where_sums_saturate(
    bundle: ModelBundle,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    saturates: bool,
) -> None:
    monkeypatch.setattr('lane_seg.engines.graph.int8_sums_saturate', lambda: saturates)
    expected = onnx.load(bundle.onnx_path)
    unsigned_activations(expected)
    if saturates:
        assert narrow_weights(expected) == 2
    with caplog.at_level(logging.INFO):
        assert cpu_graph(bundle) == expected.SerializeToString()
    assert ('int8 weights are rounded to 7 bits' in caplog.text) == saturates


@pytest.mark.skipif(not int8_sums_saturate(), reason='this CPU adds products of int8 in 32 bits')
@pytest.mark.parametrize('name', ENGINES)
def test_without_the_mend_this_model_would_saturate_here(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Else the first test of this file would prove nothing."""
    pytest.importorskip(name)
    monkeypatch.setattr('lane_seg.engines.graph.int8_sums_saturate', lambda: False)
    with open_engine(bundle, name, threads=1) as engine:
        assert not np.array_equal(engine.infer(image(0)), exact(image(0)))
