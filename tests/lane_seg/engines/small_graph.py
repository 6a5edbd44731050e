"""Small Q/DQ graphs for tests, and ONNX Runtime to run them as they are written."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

SHAPE = (1, 3, 8, 8)


class Builder:
    """Collects the nodes of a small Q/DQ graph with one float input 'x'."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {
            'scale': np.float32(1 / 32),
            'zero': np.int8(0),
            'weight_scale': np.float32(1 / 64),
        }
        self.rng = np.random.default_rng(0)

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f'{kind.lower()}_{len(self.nodes)}'
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        name = f'constant_{len(self.constants)}'
        self.constants[name] = value
        return name

    def conv(self, source: str) -> str:
        weight = self.constant(self.rng.integers(-20, 21, (3, 3, 3, 3), np.int8))
        floats = self.add('DequantizeLinear', weight, 'weight_scale', 'zero')
        return self.add('Conv', source, floats, pads=[1, 1, 1, 1])

    def pair(self, source: str, scale: str = 'scale', zero: str = 'zero') -> str:
        codes = self.add('QuantizeLinear', source, scale, zero)
        return self.add('DequantizeLinear', codes, scale, zero)

    def double(self, source: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.add('Resize', source, '', scales, mode='nearest')

    def halve(self, source: str) -> str:
        return self.add('MaxPool', source, kernel_shape=[2, 2], strides=[2, 2])

    def model(
        self, *outputs: str, shape: tuple[int, ...] | None = SHAPE, source: tuple[int, ...] = SHAPE
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            'small',
            [helper.make_tensor_value_info('x', TensorProto.FLOAT, source)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
            [numpy_helper.from_array(np.asarray(v), k) for k, v in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def run(model: onnx.ModelProto, size: float = 1.0, x: np.ndarray | None = None) -> np.ndarray:
    """First output for `x`, or for uniform numbers within -size..size."""
    onnxruntime = pytest.importorskip('onnxruntime')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # As written: fused int8 kernels of old CPUs saturate in between.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    if x is None:
        x = np.random.default_rng(1).uniform(-size, size, SHAPE).astype(np.float32)
    return session.run(None, {'x': x})[0]
