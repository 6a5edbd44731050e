"""The graph is checked against the contract, and its weights narrowed for CPUs without VNNI."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip('onnx')

import onnx
from onnx import TensorProto, helper, numpy_helper

from lane_seg.bundle import ModelBundle
from lane_seg.engines.graph import cpu_graph, narrow_weights
from lane_seg.errors import EngineError
from tests.lane_seg.engines.small_graph import Builder, run
from tests.tiny_bundle import make_tiny_bundle, tiny_graph

if TYPE_CHECKING:
    from pathlib import Path


# Narrow weights.


def dequantized(model: onnx.ModelProto) -> list[tuple[np.ndarray, np.ndarray]]:
    """(codes, scale) of each weight tensor, in the order of the graph."""
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    return [
        (constants[node.input[0]], constants[node.input[1]])
        for node in model.graph.node
        if node.op_type == 'DequantizeLinear' and node.input[0] in constants
    ]


def weights_model(codes: np.ndarray, scale: np.ndarray) -> onnx.ModelProto:
    build = Builder()
    names = build.constant(codes), build.constant(scale), build.constant(np.zeros(3, np.int8))
    floats = build.add('DequantizeLinear', *names, axis=0)
    return build.model(build.add('Conv', 'x', floats, pads=[1, 1, 1, 1]))


@given(
    arrays(np.int8, (3, 3, 3, 3)),
    arrays(np.float32, 3, elements=st.floats(2**-20, 2**20, width=32)),
)
def test_narrow_weights_cannot_saturate_and_are_at_most_one_step_off(
    codes: np.ndarray, scale: np.ndarray
) -> None:
    model = weights_model(codes, scale)
    wide = bool(np.abs(codes.astype(int)).max() > 64)
    assert narrow_weights(model) == wide
    onnx.checker.check_model(model, full_check=True)
    [(after, scale_after)] = dequantized(model)
    assert after.dtype == np.int8
    assert 255 * 2 * np.abs(after.astype(int)).max() <= np.iinfo(np.int16).max
    assert np.array_equal(scale_after, scale * 2 if wide else scale)
    steps = scale_after / scale
    error = after * steps[:, None, None, None] - codes
    assert np.abs(error).max() <= 1
    assert not error[codes % 2 == 0].any()
    text = model.SerializeToString()
    assert narrow_weights(model) == 0
    assert model.SerializeToString() == text


def test_even_weights_narrowed_give_the_same_numbers() -> None:
    codes = 2 * np.random.default_rng(2).integers(-64, 64, (3, 3, 3, 3), np.int8)
    model = weights_model(codes, np.array([0.5, 1, 2], np.float32) / 64)
    before = run(model)
    assert narrow_weights(model) == 1
    assert np.array_equal(run(model), before)


def test_a_scale_that_others_use_too_stays_theirs() -> None:
    build = Builder()
    weight = build.constant(np.full((3, 3, 3, 3), 100, np.int8))
    small = build.constant(np.full((3, 3, 3, 3), 3, np.int8))
    hidden = build.pair('x')
    for name in (weight, small, weight):
        floats = build.add('DequantizeLinear', name, 'scale', 'zero')
        hidden = build.add('Conv', hidden, floats, pads=[1, 1, 1, 1])
    model = build.model(hidden)
    before = run(model)
    assert narrow_weights(model) == 1
    onnx.checker.check_model(model, full_check=True)
    assert [(codes.max(), scale) for codes, scale in dequantized(model)] == [
        (50, 1 / 16), (3, 1 / 32), (50, 1 / 16),
    ]  # fmt: skip
    assert np.array_equal(run(model), before)
    assert weight not in {item.name for item in model.graph.initializer}


def test_asymmetric_weights_and_activations_are_not_narrowed() -> None:
    build = Builder()
    weight = build.constant(np.full((3, 3, 3, 3), 100, np.int8))
    floats = build.add('DequantizeLinear', weight, 'weight_scale', build.constant(np.int8(3)))
    model = build.model(build.add('Conv', build.pair('x'), floats, pads=[1, 1, 1, 1]))
    text = model.SerializeToString()
    assert narrow_weights(model) == 0
    assert model.SerializeToString() == text


# The contract.


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return ModelBundle.load(make_tiny_bundle(tmp_path / 'tiny'))


def refusal(bundle: ModelBundle, model: onnx.ModelProto) -> str:
    onnx.save(model, bundle.onnx_path)
    with pytest.raises(EngineError) as caught:
        cpu_graph(bundle)
    text = str(caught.value)
    assert text.startswith(f'{bundle.onnx_path}: expected ')
    assert text.endswith('export the model again with `lane-seg export`')
    return text


def test_a_graph_that_keeps_the_contract_is_read(bundle: ModelBundle) -> None:
    onnx.checker.check_model(onnx.load_from_string(cpu_graph(bundle)))


def test_a_graph_of_another_size_is_refused(bundle: ModelBundle) -> None:
    text = refusal(replace(bundle, height=32), tiny_graph(64, 128))
    assert "one input ('uint8', [1, 32, 128, 3]), found [('uint8', [1, 64, 128, 3])]" in text


def test_a_graph_with_a_free_size_is_refused(bundle: ModelBundle) -> None:
    model = tiny_graph(64, 128)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = 'height'
    assert "found [('uint8', [1, 'height', 128, 3])]" in refusal(bundle, model)


def test_a_graph_that_takes_float_is_refused(bundle: ModelBundle) -> None:
    model = tiny_graph(64, 128)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    assert "found [('float', [1, 64, 128, 3])]" in refusal(bundle, model)


def test_a_graph_with_several_inputs_is_refused(bundle: ModelBundle) -> None:
    model = tiny_graph(64, 128)
    model.graph.input.append(helper.make_tensor_value_info('alpha', TensorProto.FLOAT, [1]))
    assert 'expected one input' in refusal(bundle, model)


def test_a_graph_that_gives_logits_is_refused(bundle: ModelBundle) -> None:
    model = tiny_graph(64, 128)
    del model.graph.output[:]
    value = helper.make_tensor_value_info('float', TensorProto.FLOAT, [1, 64, 128, 3])
    model.graph.output.append(value)
    text = refusal(bundle, model)
    assert "expected the first output to be ('uint8', [1, 64, 128]), found [('float'" in text


def test_a_second_output_is_allowed(bundle: ModelBundle) -> None:
    model = tiny_graph(64, 128)
    value = helper.make_tensor_value_info('road', TensorProto.UINT8, [1, 64, 128])
    model.graph.output.append(value)
    onnx.save(model, bundle.onnx_path)
    cpu_graph(bundle)


def test_a_confidence_that_is_named_but_not_there_is_refused(bundle: ModelBundle) -> None:
    onnx.save(tiny_graph(64, 128), bundle.onnx_path)
    with pytest.raises(EngineError) as caught:
        cpu_graph(replace(bundle, confidence=True))
    text = str(caught.value)
    assert f'{bundle.onnx_path}: expected the output confidence, which model.yaml names' in text
    assert "found {'mask': ('uint8', [1, 64, 128])}" in text
    assert text.endswith('`lane-seg export --confidence`')


def test_a_confidence_of_another_size_or_type_is_refused(bundle: ModelBundle) -> None:
    bundle = replace(bundle, confidence=True)
    for type_, shape in ((TensorProto.FLOAT, [1, 64, 128]), (TensorProto.UINT8, [1, 32, 64])):
        model = tiny_graph(64, 128, confidence=True)
        cpu_graph_of(bundle, model)  # kept to the contract until here
        model.graph.output[1].CopyFrom(helper.make_tensor_value_info('confidence', type_, shape))
        with pytest.raises(EngineError, match='expected the output confidence'):
            cpu_graph_of(bundle, model)


def cpu_graph_of(bundle: ModelBundle, model: onnx.ModelProto) -> bytes:
    onnx.save(model, bundle.onnx_path)
    return cpu_graph(bundle)


def test_a_confidence_that_is_not_named_does_not_disturb(bundle: ModelBundle) -> None:
    assert cpu_graph_of(bundle, tiny_graph(64, 128, confidence=True))


@pytest.mark.parametrize('content', [b'', b'not a model'])
def test_a_file_that_is_no_onnx_is_refused(bundle: ModelBundle, content: bytes) -> None:
    bundle.onnx_path.write_bytes(content)
    with pytest.raises(EngineError, match='expected '):
        cpu_graph(bundle)
