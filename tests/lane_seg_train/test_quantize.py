"""int8 as TensorRT accepts it, without losing the mask."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from lane_seg.errors import LaneSegError
from lane_seg_train.onnx_from_checkpoint import onnx_from_checkpoint
from lane_seg_train.quantize import INPUT_SCALE, calibration_sha256, quantized
from tests.lane_seg_train.tiny_training import HEIGHT, WIDTH, random_checkpoint


def images(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(count)]


@pytest.fixture(scope='module')
def float_model() -> onnx.ModelProto:
    return onnx_from_checkpoint(random_checkpoint())


@pytest.fixture(scope='module')
def int8_model(float_model: onnx.ModelProto) -> onnx.ModelProto:
    return quantized(float_model, images(8))


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def test_every_zero_point_is_int8_zero(int8_model: onnx.ModelProto) -> None:
    values = constants(int8_model)
    kinds = ('QuantizeLinear', 'DequantizeLinear')
    nodes = [n for n in int8_model.graph.node if n.op_type in kinds]
    assert nodes
    for node in nodes:
        zero = values[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()


def test_weights_are_stored_as_int8_per_output_channel(int8_model: onnx.ModelProto) -> None:
    values = constants(int8_model)
    made_by = {n.output[0]: n for n in int8_model.graph.node}
    convolutions = [n for n in int8_model.graph.node if n.op_type == 'Conv']
    assert convolutions
    for node in convolutions:
        dequantize = made_by[node.input[1]]
        weights, scale = values[dequantize.input[0]], values[dequantize.input[1]]
        assert dequantize.op_type == 'DequantizeLinear'
        assert weights.dtype == np.int8
        assert scale.shape == (weights.shape[0],)


def test_biases_stay_float(int8_model: onnx.ModelProto) -> None:
    values = constants(int8_model)
    biases = [n.input[2] for n in int8_model.graph.node if n.op_type == 'Conv']
    assert biases
    assert all(values[name].dtype == np.float32 for name in biases)


def test_every_convolution_reads_int8(int8_model: onnx.ModelProto) -> None:
    made_by = {n.output[0]: n for n in int8_model.graph.node}
    for node in int8_model.graph.node:
        if node.op_type == 'Conv':
            assert made_by[node.input[0]].op_type == 'DequantizeLinear'


def test_nothing_comes_between_a_convolution_and_its_relu(int8_model: onnx.ModelProto) -> None:
    made_by = {n.output[0]: n for n in int8_model.graph.node}
    for node in int8_model.graph.node:
        if node.op_type == 'Relu':
            assert made_by[node.input[0]].op_type in ('Conv', 'Add')


def test_the_input_is_quantized_without_loss(int8_model: onnx.ModelProto) -> None:
    values = constants(int8_model)
    first = next(n for n in int8_model.graph.node if n.op_type == 'QuantizeLinear')
    scale = float(values[first.input[1]])
    assert scale == INPUT_SCALE
    levels = (np.arange(256) - 128) / 64
    assert np.array_equal(np.clip(np.round(levels / scale), -128, 127) * scale, levels)


def test_int8_agrees_with_float_on_most_pixels(
    float_model: onnx.ModelProto, int8_model: onnx.ModelProto
) -> None:
    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString())
        for model in (float_model, int8_model)
    ]
    fresh = images(12)[8:]
    masks = [np.stack([s.run(None, {'image': i[None]})[0] for i in fresh]) for s in sessions]
    # Random weights put many pixels close to a decision; a trained net agrees far better.
    assert np.mean(masks[0] == masks[1]) > 0.95


def test_no_calibration_image_is_refused(float_model: onnx.ModelProto) -> None:
    with pytest.raises(LaneSegError, match='expected calibration images, found none'):
        quantized(float_model, [])


def test_the_calibration_hash_depends_on_content_and_order() -> None:
    first, second = images(2)
    assert calibration_sha256([first, second]) == calibration_sha256([first.copy(), second])
    assert calibration_sha256([first, second]) != calibration_sha256([second, first])
