"""Quantized tensors are concatenated as codes, and the numbers stay what they were."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('onnx')

import onnx

from lane_seg.engines.concatenations import concatenate_codes
from tests.lane_seg.engines.small_graph import SHAPE, Builder, run


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def maker(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if name in node.output)


def two_branches(way: str) -> onnx.ModelProto:
    """Two quantized tensors, one of them moved on its way, joined and convolved."""
    build = Builder()
    first, second = build.pair(build.add('Relu', 'x')), build.pair(build.add('Neg', 'x'))
    if way == 'moved':
        second = build.double(build.halve(second))
    return build.model(build.add('Concat', first, second, axis=1), shape=(1, 6, 8, 8))


@pytest.mark.parametrize('way', ['straight', 'moved'])
@settings(max_examples=20, deadline=None)
@given(size=st.floats(0.01, 10))
def test_the_numbers_stay_the_same(way: str, size: float) -> None:
    model = two_branches(way)
    before = run(model, size)
    assert concatenate_codes(model) == 1
    onnx.checker.check_model(model, full_check=True)
    assert np.array_equal(run(model, size), before)


@pytest.mark.parametrize('way', ['straight', 'moved'])
def test_the_concatenation_takes_codes_and_one_dequantization_follows(way: str) -> None:
    model = two_branches(way)
    concatenate_codes(model)
    assert operators(model)['DequantizeLinear'] == 1
    last = maker(model, model.graph.output[0].name)
    assert last.op_type == 'DequantizeLinear'
    joined = maker(model, last.input[0])
    assert joined.op_type == 'Concat'
    kinds = {maker(model, name).op_type for name in joined.input}
    assert kinds == ({'QuantizeLinear'} if way == 'straight' else {'QuantizeLinear', 'Resize'})


def test_a_dequantized_tensor_that_others_read_stays() -> None:
    build = Builder()
    first, second = build.pair(build.add('Relu', 'x')), build.pair('x')
    joined = build.add('Concat', first, second, axis=1)
    part = build.constant(np.array([3, 3]))
    halves = build.add('Split', joined, part, axis=1)
    build.nodes[-1].output.append('other_half')
    model = build.model(build.add('Add', halves, first))
    before = run(model)
    assert concatenate_codes(model) == 1
    assert np.array_equal(run(model), before)
    assert maker(model, first).op_type == 'DequantizeLinear'


def test_a_concatenation_in_another_is_rewritten_with_it() -> None:
    build = Builder()
    inner = build.add('Concat', build.pair('x'), build.pair(build.add('Neg', 'x')), axis=1)
    outer = build.add('Concat', inner, build.pair(build.add('Abs', 'x')), axis=1)
    model = build.model(outer, shape=(1, 9, 8, 8))
    before = run(model)
    assert concatenate_codes(model) >= 1
    assert operators(model)['DequantizeLinear'] == 1
    assert np.array_equal(run(model), before)


def other_scale(build: Builder) -> str:
    return build.pair('x', build.constant(np.float32(1 / 16)))


def in_float(build: Builder) -> str:
    return build.add('Neg', 'x')


def resized_smoothly(build: Builder) -> str:
    scales = build.constant(np.array([1, 1, 1, 1.0], np.float32))
    return build.add('Resize', build.pair('x'), '', scales, mode='linear')


@pytest.mark.parametrize('branch', [other_scale, in_float, resized_smoothly])
def test_what_is_no_move_of_codes_of_one_scale_is_left_alone(branch: object) -> None:
    build = Builder()
    model = build.model(
        build.add('Concat', build.pair('x'), branch(build), axis=1), shape=(1, 6, 8, 8)
    )
    text = model.SerializeToString()
    assert concatenate_codes(model) == 0
    assert model.SerializeToString() == text


def test_a_graph_without_concatenations_stays_as_it_is() -> None:
    build = Builder()
    model = build.model(build.conv(build.pair('x')), shape=SHAPE)
    text = model.SerializeToString()
    assert concatenate_codes(model) == 0
    assert model.SerializeToString() == text
