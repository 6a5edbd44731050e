"""Weights that are rounded while a graph runs are stored as int8, without a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper, numpy_helper

from lane_seg.errors import LaneSegError
from lane_seg_train.fake_quantization.fake_quantizer import FakeQuantizer
from lane_seg_train.onnx_int8 import constants_as_initializers, drop_unused, store_int8_weights
from tests.lane_seg.engines.small_graph import SHAPE, Builder, run

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN = np.full(3, 1.5, np.float32)


def values(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def rounding_graph(
    weight: np.ndarray, scales: np.ndarray, zero: np.ndarray, axis: int | None = 0
) -> onnx.ModelProto:
    build = Builder()
    names = [build.constant(item) for item in (scales, zero)]
    options = {} if axis is None else {'axis': axis}
    codes = build.add('QuantizeLinear', build.constant(weight), *names, **options)
    floats = build.add('DequantizeLinear', codes, *names, **options)
    return build.model(build.add('Conv', 'x', floats, pads=[1, 1, 1, 1]))


def check_stored(model: onnx.ModelProto, expected: np.ndarray) -> None:
    assert store_int8_weights(model) == 1
    drop_unused(model)
    onnx.checker.check_model(model, full_check=True)
    assert operators(model) == ['DequantizeLinear', 'Conv']
    [codes] = [item for item in values(model).values() if item.shape == (3, 3, 3, 3)]
    assert codes.dtype == np.int8
    assert np.array_equal(codes, expected)


weights = arrays(np.float32, (3, 3, 3, 3), elements=st.floats(-100, 100, width=32))
scales32 = arrays(np.float32, 3, elements=st.floats(2.0**-12, 2.0, width=32))


@given(weights, scales32)
def test_codes_are_those_that_the_network_was_trained_with(
    weight: np.ndarray, scales: np.ndarray
) -> None:
    quantizer = FakeQuantizer(3)
    quantizer.scale.copy_(torch.from_numpy(scales))
    expected = quantizer(torch.from_numpy(weight)).numpy()
    model = rounding_graph(weight, scales, np.zeros(3, np.int8))
    store_int8_weights(model)
    [codes] = [item for item in values(model).values() if item.dtype == np.int8 and item.ndim == 4]
    assert np.array_equal(codes * scales.reshape(3, 1, 1, 1), expected)


def test_codes_next_to_a_tie_are_those_that_the_network_was_trained_with() -> None:
    """PyTorch multiplies by 1 / scale; division would round some of these to the other side."""
    rng = np.random.default_rng(0)
    differ = 0
    for _ in range(200):
        scales = rng.uniform(0.001, 1, 3).astype(np.float32)
        steps = rng.integers(-127, 127, (3, 3, 3, 3)).astype(np.float32) + np.float32(0.5)
        weight = steps * scales.reshape(3, 1, 1, 1)
        quantizer = FakeQuantizer(3)
        quantizer.scale.copy_(torch.from_numpy(scales))
        expected = quantizer(torch.from_numpy(weight)).numpy()
        expected = np.rint(expected / scales.reshape(3, 1, 1, 1)).astype(np.int8)
        differ += int((expected != np.rint(weight / scales.reshape(3, 1, 1, 1))).sum())
        check_stored(rounding_graph(weight, scales, np.zeros(3, np.int8)), expected)
    assert differ  # otherwise this proves nothing


def test_storing_codes_changes_no_output() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32)
    scales = np.abs(weight).max((1, 2, 3)) / 127
    model = rounding_graph(weight, scales, np.zeros(3, np.int8))
    before = run(model)
    assert store_int8_weights(model) == 1
    assert np.array_equal(run(model), before)


def test_activations_are_no_weights() -> None:
    build = Builder()
    model = build.model(build.conv(build.pair('x')))
    text = model.SerializeToString()
    assert store_int8_weights(model) == 0
    assert model.SerializeToString() == text


@pytest.mark.parametrize(
    ('scales', 'zero', 'axis'),
    [
        (PLAIN, np.zeros(3, np.uint8), 0),
        (PLAIN, np.array([0, 1, 0], np.int8), 0),
        (PLAIN, np.zeros(3, np.int8), 1),
        (np.float32(1), np.int8(0), None),
    ],
)
def test_weights_that_are_not_symmetric_int8_per_output_channel_are_refused(
    scales: np.ndarray, zero: np.ndarray, axis: int | None
) -> None:
    model = rounding_graph(np.ones((3, 3, 3, 3), np.float32), scales, zero, axis)
    with pytest.raises(LaneSegError, match='expected weights in symmetric int8 with a scale for'):
        store_int8_weights(model)


# Constants.


def constant_node(name: str, value: np.ndarray) -> onnx.NodeProto:
    return helper.make_node('Constant', [], [name], value=numpy_helper.from_array(value))


def graph_of(nodes: Sequence[onnx.NodeProto], *initializers: onnx.TensorProto) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        'constants',
        [value('x', TensorProto.FLOAT, SHAPE)],
        [value('y', TensorProto.FLOAT, SHAPE)],
        list(initializers),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def test_equal_constants_and_their_copies_become_one_initializer() -> None:
    node = helper.make_node
    model = graph_of(
        [
            constant_node('a', np.float32(2)),
            constant_node('b', np.float32(2)),
            constant_node('wide', np.full(8, 2, np.float32)),
            node('Identity', ['b'], ['c']),
            node('Identity', ['c'], ['d']),
            node('Identity', ['given'], ['e']),
            node('Mul', ['x', 'a'], ['p']),
            node('Add', ['p', 'd'], ['q']),
            node('Div', ['q', 'wide'], ['r']),
            node('Identity', ['r'], ['s']),
            node('Sub', ['s', 'e'], ['y']),
        ],
        numpy_helper.from_array(np.array(5, np.float32), 'given'),
    )
    before = run(model)
    constants_as_initializers(model)
    onnx.checker.check_model(model, full_check=True)
    assert operators(model) == ['Mul', 'Add', 'Div', 'Identity', 'Sub']
    assert sorted(values(model)) == ['a', 'given', 'wide']
    assert np.array_equal(run(model), before)


def test_constants_of_another_type_or_shape_are_not_equal() -> None:
    model = graph_of(
        [
            constant_node('zero', np.zeros(1, np.int64)),
            constant_node('float', np.zeros(2, np.float32)),
            constant_node('int32', np.zeros(1, np.int32)),
            helper.make_node('Cast', ['int32'], ['cast'], to=TensorProto.FLOAT),
            helper.make_node('Gather', ['float', 'zero'], ['part']),
            helper.make_node('Add', ['x', 'part'], ['sum']),
            helper.make_node('Sub', ['sum', 'cast'], ['y']),
        ]
    )
    constants_as_initializers(model)
    assert sorted(values(model)) == ['float', 'int32', 'zero']
    onnx.checker.check_model(model, full_check=True)


def test_what_nobody_reads_is_dropped_and_nothing_else() -> None:
    build = Builder()
    build.constant(np.zeros(100_000, np.float32))
    model = build.model(build.conv(build.pair('x')))
    model.graph.value_info.append(helper.make_tensor_value_info('gone', TensorProto.FLOAT, [1]))
    before = run(model)
    drop_unused(model)
    onnx.checker.check_model(model, full_check=True)
    assert not model.graph.value_info
    used = {name for node in model.graph.node for name in node.input}
    assert {item.name for item in model.graph.initializer} == used - {'x'} - {
        name for node in model.graph.node for name in node.output
    }
    assert np.array_equal(run(model), before)
