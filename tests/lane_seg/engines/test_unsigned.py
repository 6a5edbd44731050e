"""int8 activations become uint8 where they are never negative, and compute the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip('onnx')

import onnx
from onnx import TensorProto

from lane_seg.engines.unsigned import unsigned_activations
from tests.lane_seg.engines.small_graph import SHAPE, Builder, run

floats32 = st.floats(width=32, allow_nan=False)


def kinds(model: onnx.ModelProto) -> list[str]:
    """Type of each activation's codes, in the order of the graph."""
    types = {item.name: item.data_type for item in model.graph.initializer}
    return [
        TensorProto.DataType.Name(types[node.input[2]]).lower()
        for node in model.graph.node
        if node.op_type == 'QuantizeLinear'
    ]


def check_rewritten(model: onnx.ModelProto, count: int, size: float = 1.0) -> None:
    """So many pairs are rewritten, the graph is valid, and computes the same bit for bit."""
    before = run(model, size)
    assert unsigned_activations(model) == count
    onnx.checker.check_model(model, full_check=True)
    assert np.array_equal(run(model, size), before)


def test_what_follows_a_relu_becomes_unsigned_and_the_input_stays_signed() -> None:
    build = Builder()
    hidden = build.pair(build.add('Relu', build.conv(build.pair('x'))))
    model = build.model(build.conv(hidden))
    check_rewritten(model, 1)
    assert kinds(model) == ['int8', 'uint8']


def test_values_above_127_steps_saturate_as_they_did() -> None:
    build = Builder()
    model = build.model(build.pair(build.add('Relu', 'x')))
    check_rewritten(model, 1, size=10.0)
    assert run(model, size=10.0).max() == 127 / 32


@given(
    arrays(np.float32, SHAPE, elements=floats32),
    st.floats(2.0**-40, 2.0**40, width=32),
    st.sampled_from(['Relu', 'Sigmoid']),
)
@example(np.full(SHAPE, 127.5, np.float32), 1.0, 'Relu')
@example(np.full(SHAPE, 128, np.float32), 1.0, 'Relu')
@example(np.full(SHAPE, 255.5, np.float32), 1.0, 'Relu')
@example(np.full(SHAPE, -0.0, np.float32), 1.0, 'Relu')
@example(np.full(SHAPE, np.inf, np.float32), 2.0**-40, 'Relu')
def test_any_input_on_any_scale_gives_the_same_bits(
    x: np.ndarray, scale: float, rectifier: str
) -> None:
    build = Builder()
    build.constants['scale'] = np.float32(scale)
    hidden = build.pair(build.add(rectifier, 'x'))
    pooled = build.pair(build.double(build.halve(hidden)))
    model = build.model(pooled)
    before = run(model, x=x)
    assert unsigned_activations(model) == 2
    assert run(model, x=x).tobytes() == before.tobytes()


@given(
    arrays(np.float32, SHAPE, elements=st.floats(-1000, 1000, width=32)),
    st.floats(2.0**-10, 2.0**10, width=32),
)
def test_convolutions_of_any_saturated_input_give_the_same_bits(
    x: np.ndarray, scale: float
) -> None:
    build = Builder()
    build.constants['scale'] = np.float32(scale)
    hidden = build.conv(build.pair(build.add('Relu', 'x')))
    both = build.add('Add', build.pair(build.add('Relu', hidden)), build.pair(hidden))
    model = build.model(build.conv(build.pair(build.add('Relu', both))))
    before = run(model, x=x)
    assert unsigned_activations(model) == 3
    assert run(model, x=x).tobytes() == before.tobytes()


@pytest.mark.parametrize(('lowest', 'is_rectifier'), [(0.0, True), (0.5, True), (-0.5, False)])
def test_a_clip_whose_least_value_is_not_negative_is_a_rectifier(
    lowest: float, is_rectifier: bool
) -> None:
    build = Builder()
    least, most = build.constant(np.float32(lowest)), build.constant(np.float32(6))
    model = build.model(build.pair(build.add('Clip', 'x', least, most)))
    check_rewritten(model, int(is_rectifier), size=10.0)
    assert kinds(model) == ['uint8' if is_rectifier else 'int8']


def test_a_clip_without_a_least_value_or_with_a_computed_one_is_no_rectifier() -> None:
    build = Builder()
    most = build.constant(np.float32(6))
    least = build.add('ReduceMin', 'x', keepdims=0)
    bounded = build.add('Clip', build.add('Clip', 'x', '', most), least, most)
    model = build.model(build.pair(build.add('Add', build.pair(bounded), build.add('Clip', 'x'))))
    check_rewritten(model, 0)


def test_the_sum_of_two_relus_is_unsigned() -> None:
    build = Builder()
    first = build.add('Relu', build.conv(build.pair('x')))
    second = build.add('Relu', build.conv(build.pair('x')))
    model = build.model(build.conv(build.pair(build.add('Add', first, second))))
    check_rewritten(model, 1)
    assert kinds(model) == ['int8', 'int8', 'uint8']


def test_a_sum_with_a_signed_branch_stays_signed() -> None:
    build = Builder()
    first = build.add('Relu', build.conv(build.pair('x')))
    skip = build.conv(build.pair('x'))
    model = build.model(build.conv(build.pair(build.add('Add', first, skip))))
    text = model.SerializeToString()
    assert unsigned_activations(model) == 0
    assert model.SerializeToString() == text


def test_pooling_resizing_and_requantizing_keep_the_sign() -> None:
    build = Builder()
    relu = build.pair(build.add('Relu', build.conv(build.pair('x'))))
    larger = build.pair(build.double(build.pair(build.halve(relu))))
    joined = build.add('Concat', larger, relu, axis=1)
    model = build.model(build.pair(joined), shape=(1, 6, 8, 8))
    check_rewritten(model, 4, size=10.0)
    assert kinds(model) == ['int8', 'uint8', 'uint8', 'uint8', 'uint8']


def moved(build: Builder, source: str, way: tuple[str, ...]) -> str:
    for step in way:
        source = getattr(build, step)(source)
    return source


@pytest.mark.parametrize('way', [(), ('double', 'halve'), ('halve', 'double'), ('halve',) * 2])
def test_what_is_concatenated_with_a_signed_tensor_stays_signed(way: tuple[str, ...]) -> None:
    build = Builder()
    hidden = build.pair(build.add('Relu', build.conv(build.pair('x'))))
    size = 2 if way == ('halve',) * 2 else 8
    other = build.pair(moved(build, build.conv(build.pair('x')), way))
    joined = build.add('Concat', other, moved(build, hidden, way), axis=1)
    model = build.model(joined, shape=(1, 6, size, size))
    check_rewritten(model, 0)
    assert set(kinds(model)) == {'int8'}


def test_what_is_concatenated_before_it_meets_a_signed_tensor_stays_signed() -> None:
    build = Builder()
    signed = build.pair(build.conv(build.pair('x')))
    parts = [build.pair(build.add('Relu', build.conv(signed))) for _ in range(2)]
    inner = build.double(build.halve(build.add('Concat', *parts, axis=1)))
    model = build.model(build.add('Concat', inner, signed, axis=1), shape=(1, 9, 8, 8))
    check_rewritten(model, 0)


def test_a_concatenation_of_unsigned_tensors_is_unsigned_whatever_reads_it() -> None:
    build = Builder()
    parts = [build.pair(build.add('Relu', build.conv(build.pair('x')))) for _ in range(2)]
    joined = build.add('Concat', *parts, axis=1)
    signed = build.add('Neg', joined)
    model = build.model(
        build.add('Concat', build.pair(signed), signed, axis=1), shape=(1, 12, 8, 8)
    )
    check_rewritten(model, 2)


def test_requantizing_before_a_concatenation_frees_what_comes_before() -> None:
    build = Builder()
    signed = build.pair(build.conv(build.pair('x')))
    hidden = build.pair(build.add('Relu', build.conv(signed)))
    joined = build.add('Concat', build.pair(hidden), signed, axis=1)
    model = build.model(joined, shape=(1, 6, 8, 8))
    check_rewritten(model, 1)
    assert kinds(model) == ['int8', 'int8', 'uint8', 'int8']


def test_a_cubic_resize_overshoots_and_stays_signed() -> None:
    build = Builder()
    scales = build.constant(np.array([1, 1, 2, 2], np.float32))
    larger = build.add('Resize', build.add('Relu', 'x'), '', scales, mode='cubic')
    model = build.model(build.pair(larger), shape=(1, 3, 16, 16))
    assert run(model).min() < 0
    assert unsigned_activations(model) == 0


def test_codes_that_somebody_else_reads_too_stay_signed() -> None:
    build = Builder()
    codes = build.add('QuantizeLinear', build.add('Relu', 'x'), 'scale', 'zero')
    floats = build.add('DequantizeLinear', codes, 'scale', 'zero')
    raw = build.add('Cast', codes, to=TensorProto.FLOAT)
    model = build.model(build.add('Add', floats, raw))
    check_rewritten(model, 0)


def test_asymmetric_and_per_channel_codes_are_left_alone() -> None:
    for zero, scale in ((np.int8(-128), np.float32(1 / 32)), (np.zeros(3, np.int8), np.ones(3))):
        build = Builder()
        names = build.constant(np.asarray(scale, np.float32)), build.constant(zero)
        model = build.model(build.pair(build.add('Relu', 'x'), *names))
        assert unsigned_activations(model) == 0


def test_rewriting_twice_changes_nothing_more() -> None:
    build = Builder()
    model = build.model(build.pair(build.add('Relu', 'x')))
    assert unsigned_activations(model) == 1
    text = model.SerializeToString()
    assert unsigned_activations(model) == 0
    assert model.SerializeToString() == text


def test_no_constant_is_left_that_nobody_reads() -> None:
    build = Builder()
    del build.constants['weight_scale']
    model = build.model(build.pair(build.add('Relu', 'x')))
    unsigned_activations(model)
    used = {name for node in model.graph.node for name in node.input}
    assert {item.name for item in model.graph.initializer} <= used
