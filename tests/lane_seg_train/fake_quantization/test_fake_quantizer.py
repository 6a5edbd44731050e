"""Rounding in PyTorch gives what QuantizeLinear and DequantizeLinear define, with a gradient."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper, numpy_helper

from lane_seg_train.fake_quantization.fake_quantizer import CODE_MAX, FakeQuantizer, codes_within
from lane_seg_train.fake_quantization.quantized_net import INPUT_SCALE
from lane_seg_train.nets.normalization import normalized

moderate = st.floats(-(2.0**20), 2.0**20, width=32)
values = arrays(np.float32, st.integers(1, 20), elements=moderate)
scales = st.floats(2.0**-20, 2.0**10, width=32)


@cache
def reference() -> onnxruntime.InferenceSession:
    """QuantizeLinear and DequantizeLinear of int8 with zero point 0, as ONNX Runtime runs them."""
    nodes = [
        helper.make_node('QuantizeLinear', ['x', 'scale', 'zero'], ['codes']),
        helper.make_node('DequantizeLinear', ['codes', 'scale', 'zero'], ['y']),
    ]
    graph = helper.make_graph(
        nodes,
        'pair',
        [
            helper.make_tensor_value_info('x', TensorProto.FLOAT, [None]),
            helper.make_tensor_value_info('scale', TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info('codes', TensorProto.INT8, [None]),
            helper.make_tensor_value_info('y', TensorProto.FLOAT, [None]),
        ],
        [numpy_helper.from_array(np.array(0, np.int8), 'zero')],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString())


def by_onnx(x: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    return tuple(reference().run(None, {'x': x, 'scale': np.array(scale, np.float32)}))


def quantizer(scale: float, **options: int) -> FakeQuantizer:
    made = FakeQuantizer(**options)
    made.scale.fill_(scale)
    return made


def rounded(x: np.ndarray, scale: float) -> np.ndarray:
    return quantizer(scale)(torch.from_numpy(x)).numpy()


@given(arrays(np.int16, 20, elements=st.integers(-600, 600)), st.integers(-20, 10))
def test_ties_go_to_the_even_code_and_ends_are_clipped_as_in_onnx(
    halves: np.ndarray, exponent: int
) -> None:
    scale = 2.0**exponent
    x = (halves * scale / 2).astype(np.float32)
    codes, expected = by_onnx(x, scale)
    assert np.array_equal(codes, np.clip(np.rint(halves / 2), -128, 127))
    assert np.array_equal(rounded(x, scale), expected)


@given(values, st.integers(-20, 10))
def test_on_scales_that_are_powers_of_two_all_values_are_those_of_onnx(
    x: np.ndarray, exponent: int
) -> None:
    assert np.array_equal(rounded(x, 2.0**exponent), by_onnx(x, 2.0**exponent)[1])


@given(values, scales)
@example(np.array([1.5 * np.float32(0.1)], np.float32), 0.10000000149011612)
def test_on_other_scales_they_differ_at_most_where_float_cannot_tell_a_tie(
    x: np.ndarray, scale: float
) -> None:
    """PyTorch multiplies by 1 / scale, which is rounded; ONNX divides."""
    codes, expected = by_onnx(x, scale)
    found = rounded(x, scale)
    steps = x.astype(np.float64) / scale
    is_tie = np.abs(np.abs(steps - np.floor(steps)) - 0.5) <= np.abs(steps) * 2.0**-22
    assert np.array_equal(found[~is_tie], expected[~is_tie])
    own_codes = found.astype(np.float64) / scale
    assert np.allclose(own_codes, np.rint(own_codes), atol=1e-4)
    assert np.all(np.abs(np.rint(own_codes) - codes) <= 1)
    assert np.abs(own_codes - np.clip(steps, -128, 127)).max() <= 0.5 + 1e-4


@given(values, scales)
def test_what_is_rounded_stays_as_it_is(x: np.ndarray, scale: float) -> None:
    once = rounded(x, scale)
    assert np.array_equal(rounded(once, scale), once)


@given(arrays(np.float32, (3, 2, 3, 3), elements=moderate), arrays(np.float32, 3, elements=scales))
def test_each_slice_of_a_weight_has_the_scale_of_its_channel(
    weight: np.ndarray, channel_scales: np.ndarray
) -> None:
    per_channel = FakeQuantizer(3)
    per_channel.scale.copy_(torch.from_numpy(channel_scales))
    found = per_channel(torch.from_numpy(weight)).numpy()
    for index, scale in enumerate(channel_scales):
        assert np.array_equal(found[index], rounded(weight[index], float(scale)))


def test_the_gradient_passes_within_the_grid_and_stops_where_values_are_clipped() -> None:
    steps = torch.tensor([-1000, -128.6, -128.4, -3.3, 0, 0.5, 126.9, 127.4, 127.6, 1000])
    passes = torch.tensor([0, 0, 1, 1, 1, 1, 1, 1, 0, 0])
    for made in (quantizer(0.25), quantizer(0.25, channels=1)):
        tensor = (steps * 0.25).reshape(1, -1).requires_grad_()
        factors = torch.arange(1.0, 11)
        (made(tensor) * factors).sum().backward()
        assert tensor.grad is not None
        assert torch.equal(tensor.grad[0], factors * passes)


def test_a_quantizer_that_is_switched_off_passes_tensors_through() -> None:
    tensor = torch.randn(4)
    made = quantizer(0.5)
    made.enabled = False
    assert made(tensor) is tensor


def test_all_256_grey_levels_of_the_input_are_exact() -> None:
    levels = normalized(torch.arange(256, dtype=torch.uint8))
    assert torch.equal(quantizer(INPUT_SCALE)(levels), levels)
    assert np.array_equal(by_onnx(levels.numpy(), INPUT_SCALE)[1], levels.numpy())


@given(st.floats(2.0**-20, 2.0**20, width=32), st.sampled_from([8, 6, 4, 2]))
def test_the_largest_magnitude_becomes_the_largest_code(amax: float, bits: int) -> None:
    made = FakeQuantizer(bits=bits)
    made.set_amax(amax)
    ends = made(torch.tensor([-amax, amax, 2 * amax]))
    assert torch.allclose(ends, torch.tensor([-amax, amax, amax]), rtol=1e-6)
    codes = made(torch.linspace(-3 * amax, 3 * amax, 4000)) / made.scale
    assert len(codes.round().unique()) == 2**bits


def test_channels_that_are_all_zero_get_a_scale_above_zero_and_stay_zero() -> None:
    made = FakeQuantizer(2)
    made.set_amax(torch.tensor([0.0, 2.0]))
    assert (made.scale > 0).all()
    weight = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    found = made(weight)
    assert not found[0].any()
    assert torch.allclose(found, weight, atol=float(made.scale[1]))


def test_the_scale_is_saved_and_the_constant_zero_point_is_not() -> None:
    saved = FakeQuantizer(3)
    saved.set_amax(torch.tensor([1.0, 2.0, 3.0]))
    assert list(saved.state_dict()) == ['scale']
    loaded = FakeQuantizer(3)
    loaded.load_state_dict(saved.state_dict())
    assert torch.equal(loaded.scale, saved.scale)
    assert not list(saved.parameters())


@pytest.mark.parametrize(('bits', 'largest'), [(8, CODE_MAX), (6, 31), (4, 7), (2, 1)])
def test_the_largest_code_of_so_many_bits(bits: int, largest: int) -> None:
    assert codes_within(bits) == largest
    assert FakeQuantizer(bits=bits).code_max == largest
