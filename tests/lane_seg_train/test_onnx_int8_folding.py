"""Batch normalization is folded into the scales of int8 weights, without rounding them again."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper

from lane_seg_train.onnx_int8 import fold_batch_norm
from tests.lane_seg.engines.small_graph import Builder, run

PLAIN = np.full(3, 1.5, np.float32)
some = arrays(np.float32, 3, elements=st.floats(-100, 100, width=32))


def values(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


class NormBuilder(Builder):
    """Adds convolutions with codes and scales of one's own, and batch normalization."""

    def int8_conv(
        self,
        source: str,
        codes: np.ndarray | None = None,
        scales: np.ndarray = PLAIN / 100,
        bias: np.ndarray | None = None,
        weight: str = '',
    ) -> str:
        if codes is None:
            codes = self.rng.integers(-127, 128, (3, 3, 3, 3), np.int8)
        if not weight:
            names = self.constant(codes), self.constant(scales), 'zeros'
            self.constants['zeros'] = np.zeros(3, np.int8)
            weight = self.add('DequantizeLinear', *names, axis=0)
        biases = [] if bias is None else [self.constant(bias)]
        return self.add('Conv', source, weight, *biases, pads=[1, 1, 1, 1])

    def norm(
        self,
        source: str,
        gamma: np.ndarray = PLAIN,
        variance: np.ndarray = PLAIN,
        **options: float,
    ) -> str:
        beta, mean = (self.rng.normal(size=3).astype(np.float32) for _ in range(2))
        names = [self.constant(item) for item in (gamma, beta, mean, variance)]
        return self.add('BatchNormalization', source, *names, **options)


def check_folded(model: onnx.ModelProto, count: int, tolerance: float = 2e-5) -> None:
    """So many are folded, and the outputs differ by rounding of float32 only."""
    before = run(model)
    assert fold_batch_norm(model) == count
    onnx.checker.check_model(model, full_check=True)
    error = np.abs(run(model) - before).max()
    assert error <= tolerance * max(1.0, float(np.abs(before).max()))


@settings(max_examples=60)
@given(
    some,
    arrays(np.float32, 3, elements=st.floats(0, 100, width=32)),
    st.none() | some,
    st.sampled_from([1e-5, 1e-3, 0.5]),
)
@example(np.array([-2.0, 0.0, 1e-12], np.float32), PLAIN, None, 1e-5)
@example(np.array([-1e-7, 1e-30, -1e-40], np.float32), PLAIN, PLAIN, 1e-5)
@example(np.zeros(3, np.float32), np.zeros(3, np.float32), PLAIN, 1e-5)
def test_folding_changes_no_output_whatever_the_factors(
    gamma: np.ndarray, variance: np.ndarray, bias: np.ndarray | None, epsilon: float
) -> None:
    build = NormBuilder()
    convolved = build.int8_conv('x', bias=bias)
    model = build.model(build.add('Relu', build.norm(convolved, gamma, variance, epsilon=epsilon)))
    check_folded(model, 1)
    assert operators(model) == ['DequantizeLinear', 'Conv', 'Relu']


@settings(max_examples=60)
@given(some, arrays(np.int8, (3, 3, 3, 3), elements=st.integers(-127, 127)))
@example(np.array([1e-7, -1e-9, 1e-12], np.float32), np.full((3, 3, 3, 3), 127, np.int8))
@example(np.array([0.0, -1e-40, 1e-40], np.float32), np.full((3, 3, 3, 3), -127, np.int8))
def test_no_code_is_rounded_again_and_scales_take_the_factors(
    gamma: np.ndarray, codes: np.ndarray
) -> None:
    build = NormBuilder()
    scales = np.array([0.5, 1, 2], np.float32) / 100
    convolved = build.int8_conv('x', codes, scales)
    model = build.model(build.norm(convolved, gamma, epsilon=0.0))
    fold_batch_norm(model)
    [dequantize] = [node for node in model.graph.node if node.op_type == 'DequantizeLinear']
    folded, folded_scales = (values(model)[name] for name in dequantize.input[:2])
    assert folded.dtype == np.int8
    assert folded_scales.dtype == np.float32
    assert (folded_scales > 0).all()
    biases = np.abs(values(model)[model.graph.node[-1].input[2]])
    for channel in range(3):
        factor = float(gamma[channel]) / np.sqrt(1.5)
        exact = codes[channel].astype(np.float64) * float(scales[channel]) * factor
        found = folded[channel].astype(np.float64) * float(folded_scales[channel])
        # ONNX Runtime has to find room for the bias in int32 steps of a small input scale.
        assert biases[channel] / (folded_scales[channel] * 2.0**-9) < 2**31
        if abs(factor) * scales[channel] > 1e-6 * biases[channel]:
            assert np.array_equal(folded[channel], codes[channel] * np.int8(np.sign(factor)))
            assert np.allclose(found, exact, rtol=1e-6)
        else:  # next to nothing beside the bias
            assert np.abs(found - exact).max() <= 1e-6 * biases[channel] + 1e-36


def test_a_code_of_minus_128_stays_where_no_sign_turns() -> None:
    build = NormBuilder()
    codes = np.full((3, 3, 3, 3), -128, np.int8)
    model = build.model(build.norm(build.int8_conv('x', codes)))
    check_folded(model, 1)


def test_a_chain_of_convolutions_is_folded_one_by_one() -> None:
    build = NormBuilder()
    first = build.add('Relu', build.norm(build.int8_conv(build.pair('x'))))
    second = build.norm(build.int8_conv(build.pair(first), bias=PLAIN))
    model = build.model(build.add('Add', build.pair(first), build.pair(second)))
    before = run(model)
    assert fold_batch_norm(model) == 2
    onnx.checker.check_model(model, full_check=True)
    # What lies at the boundary of two codes may take the other one.
    assert np.mean(np.abs(run(model) - before) < 1e-4) > 0.98
    assert 'BatchNormalization' not in operators(model)


def test_equal_constants_of_several_normalizations_stay_what_they_are() -> None:
    build = NormBuilder()
    names = [build.constant(item) for item in (PLAIN, PLAIN / 2, -PLAIN, PLAIN)]
    codes = build.rng.integers(-127, 128, (3, 3, 3, 3), np.int8)
    weight = [build.constant(codes), build.constant(PLAIN / 1000)]
    build.constants['zeros'] = np.zeros(3, np.int8)
    hidden = 'x'
    for _ in range(3):
        floats = build.add('DequantizeLinear', *weight, 'zeros', axis=0)
        hidden = build.int8_conv(hidden, weight=floats)
        hidden = build.add('BatchNormalization', hidden, *names)
    model = build.model(hidden)
    check_folded(model, 3)


def test_a_convolution_that_somebody_else_reads_too_is_left_alone() -> None:
    build = NormBuilder()
    convolved = build.int8_conv('x')
    model = build.model(build.add('Add', build.norm(convolved), convolved))
    check_folded(model, 0, tolerance=0)
    assert 'BatchNormalization' in operators(model)


def test_a_convolution_whose_result_is_an_output_is_left_alone() -> None:
    build = NormBuilder()
    convolved = build.int8_conv('x')
    model = build.model(convolved, build.norm(convolved))
    check_folded(model, 0, tolerance=0)


def test_a_weight_that_two_convolutions_read_is_left_alone() -> None:
    build = NormBuilder()
    first = build.int8_conv('x')
    weight = build.nodes[-1].input[1]
    second = build.norm(build.int8_conv(first, weight=weight))
    check_folded(build.model(second), 0, tolerance=0)


def test_float_weights_and_normalization_of_something_else_are_left_alone() -> None:
    build = NormBuilder()
    weight = build.constant(build.rng.normal(size=(3, 3, 3, 3)).astype(np.float32))
    convolved = build.norm(build.add('Conv', 'x', weight, pads=[1, 1, 1, 1]))
    model = build.model(build.norm(build.add('Relu', convolved)))
    check_folded(model, 0, tolerance=0)
