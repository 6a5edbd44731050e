"""Graphs that TensorRT refuses, or takes for something else, are refused with our own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import helper

from lane_seg.errors import EngineError
from lane_seg_engine.graph_rules import (
    breaches,
    convolutions,
    has_quantization,
    max_opset,
    require_legal,
)  # fmt: skip
from tests.lane_seg_engine.quantized_graphs import (
    CHANNELS,
    node_of,
    quantize_bias,
    quantized_graph,
    set_constant,
    transposed_graph,
)  # fmt: skip
from tests.tiny_bundle import tiny_graph

if TYPE_CHECKING:
    from collections.abc import Callable


def asymmetric(model: onnx.ModelProto) -> None:
    set_constant(model, 'second_in_zero', np.int8(-5))


def unsigned(model: onnx.ModelProto) -> None:
    set_constant(model, 'second_in_zero', np.uint8(0))


def without_zero_point(model: onnx.ModelProto) -> None:
    del node_of(model, 'second_in_codes').input[2]


def sixteen_bits(model: onnx.ModelProto) -> None:
    set_constant(model, 'second_in_zero', np.int16(0))


def per_channel_activation(model: onnx.ModelProto) -> None:
    set_constant(model, 'second_in_scale', np.full(CHANNELS, 0.01, np.float32))
    set_constant(model, 'second_in_zero', np.zeros(CHANNELS, np.int8))


def input_channel_scales(model: onnx.ModelProto) -> None:
    node_of(model, 'second_weights').attribute[0].i = 1


def scale_of_zero(model: onnx.ModelProto) -> None:
    set_constant(model, 'second_in_scale', np.float32(0))


def scale_at_run_time(model: onnx.ModelProto) -> None:
    node_of(model, 'second_in_codes').input[1] = 'float'


def codes_that_others_read(model: onnx.ModelProto) -> None:
    node_of(model, 'second_relu').input[0] = 'second_in_codes'


def integer_operator(model: onnx.ModelProto) -> None:
    node_of(model, 'second_out').op_type = 'ConvInteger'


def other_domain(model: onnx.ModelProto) -> None:
    node_of(model, 'second_relu').domain = 'com.microsoft'


def free_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = 'N'


def to_transposed(model: onnx.ModelProto) -> None:
    model.CopyFrom(transposed_graph())


def old_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 12


BROKEN: dict[str, tuple[str, Callable[[onnx.ModelProto], None], str]] = {
    'asymmetric': ('asymmetric', asymmetric, 'zero point 0 (symmetric quantization), found -5'),
    'unsigned': ('type', unsigned, 'found uint8'),
    'no zero point': ('type', without_zero_point, 'found uint8'),
    '16 bits': ('type', sixteen_bits, 'found int16'),
    'bias': ('bias', quantize_bias, 'bias in float, found it quantized to int32'),
    'activation': ('activation', per_channel_activation, f'found {CHANNELS} (per channel)'),
    'axis': ('axis', input_channel_scales, 'axis 0 (output channels), found axis [1]'),
    'zero scale': ('scale', scale_of_zero, 'scales above 0'),
    'computed scale': ('scale', scale_at_run_time, 'a constant scale'),
    'unpaired': ('unpaired', codes_that_others_read, 'found Relu'),
    'operator': ('operator', integer_operator, 'found ConvInteger'),
    'domain': ('domain', other_domain, 'com.microsoft::Relu'),
    'shape': ('shape', free_shape, 'input of fixed shape'),
    'transposed': ('transposed', to_transposed, 'nearest Resize and a convolution'),
    'opset': ('opset', old_opset, 'opset 13 to 17, found 12'),
}


def test_a_symmetric_per_output_channel_graph_breaks_no_rule() -> None:
    model = quantized_graph()
    onnx.checker.check_model(model)
    assert breaches(model) == []
    require_legal(model)


@pytest.mark.parametrize('case', BROKEN)
def test_each_broken_rule_is_named_with_its_node_and_the_way_out(case: str) -> None:
    rule, breaking, text = BROKEN[case]
    model = quantized_graph()
    breaking(model)
    assert {breach.rule for breach in breaches(model)} == {rule}
    with pytest.raises(EngineError) as caught:
        require_legal(model, name='mine.onnx')
    message = str(caught.value)
    assert message.startswith('mine.onnx: expected a graph that TensorRT takes')
    assert text in message
    assert 'lane-seg quantize' in message


def test_a_breach_names_the_node() -> None:
    model = quantized_graph()
    asymmetric(model)
    assert {breach.node for breach in breaches(model)} == {'/second_in_codes', '/second_in'}


def test_a_node_without_a_name_is_named_after_its_output() -> None:
    model = quantized_graph()
    asymmetric(model)
    node_of(model, 'second_in').name = ''
    assert 'DequantizeLinear second_in' in {breach.node for breach in breaches(model)}


def test_a_long_list_of_breaches_is_cut_and_counted() -> None:
    model = quantized_graph()
    for number in range(20):
        model.graph.node.append(helper.make_node('ConvInteger', ['a', 'b'], [f'c{number}']))
    with pytest.raises(EngineError, match='and 12 more'):
        require_legal(model)


def test_a_zero_point_in_a_constant_node_is_seen() -> None:
    model = quantized_graph()
    kept = [item for item in model.graph.initializer if item.name == 'second_in_zero'][0]
    model.graph.initializer.remove(kept)
    value = helper.make_tensor('value', onnx.TensorProto.INT8, [], [3])
    model.graph.node.insert(0, helper.make_node('Constant', [], ['second_in_zero'], value=value))
    assert {breach.rule for breach in breaches(model)} == {'asymmetric'}


def test_a_transposed_convolution_in_float_is_legal() -> None:
    model = quantized_graph()
    node = node_of(model, 'second_out')
    node.op_type = 'ConvTranspose'
    set_constant(model, 'plain', np.ones((CHANNELS, CHANNELS, 3, 3), np.float32))
    node.input[0], node.input[1] = 'first_relu', 'plain'
    assert breaches(model) == []


def test_a_graph_in_float_is_legal_from_an_older_opset_on() -> None:
    model = tiny_graph(8, 16)
    model.opset_import[0].version = 11
    assert not has_quantization(model)
    assert breaches(model) == []


@pytest.mark.parametrize(('generation', 'legal'), [(8, False), (10, True), (11, True)])
def test_the_newest_opset_depends_on_the_generation(generation: int, *, legal: bool) -> None:
    model = quantized_graph(opset=19)
    assert (breaches(model, generation=generation) == []) is legal


def test_unknown_generations_count_as_the_nearest_known_one() -> None:
    assert max_opset(7) == max_opset(8)
    assert max_opset(12) == max_opset(11)


def test_weights_in_float_that_are_quantized_in_the_graph_are_legal() -> None:
    # As nvidia-modelopt exports them: float32, QuantizeLinear per channel, DequantizeLinear.
    model = quantized_graph()
    set_constant(model, 'second_plain', np.ones((CHANNELS, CHANNELS, 3, 3), np.float32))
    inputs = ['second_plain', 'second_scale', 'second_zero']
    quantize = helper.make_node('QuantizeLinear', inputs, ['second_new'], axis=0)
    dequantize = node_of(model, 'second_weights')
    model.graph.node.insert(list(model.graph.node).index(dequantize), quantize)
    node_of(model, 'second_weights').input[0] = 'second_new'
    assert breaches(model) == []


def test_a_dequantization_without_a_zero_point_has_that_of_its_codes() -> None:
    model = quantized_graph()
    del node_of(model, 'second_weights').input[2]
    del node_of(model, 'second_in').input[2]
    assert breaches(model) == []


def test_convolutions_that_stay_in_float_say_why() -> None:
    model = quantized_graph()
    node_of(model, 'second_out').input[0] = 'first_relu'
    first, second = convolutions(model)
    assert (first.node, first.int8, first.reason) == ('/first_out', True, '')
    assert (second.int8, second.reason) == (False, 'input not quantized')
