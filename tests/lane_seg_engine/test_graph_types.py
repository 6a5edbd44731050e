"""The graph in other number types computes the same, as far as those types allow."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from lane_seg.errors import EngineError
from lane_seg_engine.graph_rules import breaches, has_quantization
from lane_seg_engine.graph_types import float_graph, half_graph
from tests.lane_seg_engine.quantized_graphs import (
    HEIGHT,
    WIDTH,
    node_of,
    quantized_graph,
    set_constant,
)  # fmt: skip


def run(model: onnx.ModelProto, output: str = 'mask') -> np.ndarray:
    if output != 'mask':
        del model.graph.output[:]
        model.graph.output.append(onnx.ValueInfoProto(name=output))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    image = np.random.default_rng(1).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    return np.asarray(session.run([output], {'image': image})[0])


def types_of(model: onnx.ModelProto) -> set[str]:
    return {str(numpy_helper.to_array(item).dtype) for item in model.graph.initializer}


def test_taking_quantization_out_leaves_weights_and_results() -> None:
    quantized, plain = quantized_graph(), quantized_graph()
    assert float_graph(plain) == 4
    onnx.checker.check_model(plain)
    assert not has_quantization(plain)
    assert types_of(plain) == {'float32'}
    # What goes into the first convolution has exactly the steps of its scale.
    wanted, found = run(quantized, 'first_relu'), run(plain, 'first_relu')
    assert np.abs(found).max() > 0.5
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_dequantized_weights_are_codes_times_the_scale_of_their_output_channel() -> None:
    model = quantized_graph()
    set_constant(model, 'second_scale', np.array([1, 2, 3, 4], np.float32))
    initial = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    codes = initial['second_codes'].astype(np.float32)
    float_graph(model)
    initial = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    np.testing.assert_array_equal(
        initial['second_weights'], codes * np.array([1, 2, 3, 4], np.float32).reshape(4, 1, 1, 1)
    )


def test_a_tensor_that_is_quantized_twice_in_a_row_comes_out_in_float() -> None:
    model = quantized_graph()
    node_of(model, 'second_in_codes').input[0] = 'first_in'
    float_graph(model)
    assert node_of(model, 'second_out').input[0] == 'normal'


def test_half_computes_the_same_mask_within_its_precision() -> None:
    single, half = quantized_graph(), quantized_graph()
    float_graph(single)
    float_graph(half)
    half_graph(half)
    onnx.checker.check_model(half)
    assert types_of(half) == {'float16'}
    assert (run(single) == run(half)).mean() > 0.99


def test_half_keeps_int8_codes_and_the_rules() -> None:
    model = quantized_graph()
    half_graph(model)
    assert types_of(model) == {'float16', 'int8'}
    assert breaches(model) == []


def test_half_leaves_the_factors_of_a_resize_in_float32() -> None:
    model = quantized_graph()
    set_constant(model, 'factors', np.ones(4, np.float32))
    node = node_of(model, 'second_relu')
    node.op_type = 'Resize'
    node.input.extend(['', 'factors'])
    float_graph(model)
    half_graph(model)
    assert 'float32' in types_of(model)
    onnx.checker.check_model(model)
    run(model)


def test_half_refuses_weights_beyond_its_range() -> None:
    model = quantized_graph()
    set_constant(model, 'first_bias', np.full(4, 1e5, np.float32))
    with pytest.raises(EngineError, match=r'first_bias: expected values within float16.*1e\+05'):
        half_graph(model)


def test_half_refuses_scales_too_small_for_it() -> None:
    model = quantized_graph()
    set_constant(model, 'first_scale', np.full(4, 1e-6, np.float32))
    with pytest.raises(EngineError, match='first_scale: expected scales .* --float-type fp32'):
        half_graph(model)


def test_half_refuses_a_graph_with_an_output_in_float() -> None:
    model = quantized_graph()
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    with pytest.raises(EngineError, match='expected inputs and outputs in uint8, found mask'):
        half_graph(model)
