"""Post-training quantization to the int8 that TensorRT accepts: symmetric, explicit Q/DQ."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg_train.onnx_from_checkpoint import INPUT_NAME, IR_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

__all__ = ['METHOD', 'calibration_sha256', 'quantized']

METHOD = 'static PTQ, min-max, symmetric int8, weights per output channel (onnxruntime)'
# (x - 128) / 64 takes 256 values of this spacing: with this scale the input is quantized exactly.
INPUT_SCALE = 1 / 64


def calibration_sha256(images: Sequence[NDArray[np.uint8]]) -> str:
    """Hash the calibration images, in order: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(image.tobytes())
    return digest.hexdigest()


def quantized(model: onnx.ModelProto, images: Sequence[NDArray[np.uint8]]) -> onnx.ModelProto:
    """Quantize convolutions and what lies between them.

    Only inputs of convolutions, additions and resizes get Q/DQ pairs; the logits stay float, and
    nothing comes between a convolution and its ReLU. Biases stay float, for TensorRT refuses
    quantized ones. int8 weights are stored as int8, a quarter of the size.

    Args:
        model: the float graph of `onnx_from_checkpoint`.
        images: calibration images, each (H, W, 3) uint8 BGR at the model's input size.

    Returns:
        A checked ONNX model with the same inputs and outputs.

    Raises:
        LaneSegError: no calibration image.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if not images:
        raise LaneSegError('quantization: expected calibration images, found none')

    class Images(CalibrationDataReader):  # type: ignore[misc]  # the library is untyped
        def __init__(self) -> None:
            self.rest = iter(images)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            image = next(self.rest, None)
            return None if image is None else {INPUT_NAME: image[None]}

    first = next(node for node in model.graph.node if node.op_type == 'Conv')
    exact_input = {
        'scale': np.array(INPUT_SCALE, np.float32),
        'zero_point': np.array(0, np.int8),
    }
    with tempfile.TemporaryDirectory() as folder:
        names = ('float.onnx', 'prepared.onnx', 'int8.onnx')
        source, prepared, result = (Path(folder) / name for name in names)
        onnx.save(model, source)
        quant_pre_process(
            str(source), str(prepared), skip_symbolic_shape=True, skip_optimization=True
        )
        quantize_static(
            str(prepared),
            str(result),
            Images(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=['Conv', 'Add', 'Resize'],
            extra_options={
                'ActivationSymmetric': True,
                'WeightSymmetric': True,
                'QuantizeBias': False,
                # Otherwise a Q/DQ pair comes between a convolution and its ReLU.
                'OpTypesToExcludeOutputQuantization': ['Conv', 'Add'],
                'TensorQuantOverrides': {first.input[0]: [exact_input]},
            },
        )
        quantized_model = onnx.load(result)
    quantized_model.ir_version = IR_VERSION
    onnx.checker.check_model(quantized_model, full_check=True)
    return quantized_model
