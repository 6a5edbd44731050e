"""A small quantized network, legal for TensorRT, and ways to break each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests import tiny_bundle

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH, CHANNELS = 16, 32, 4


def quantized_graph(*, opset: int = 17) -> onnx.ModelProto:
    """(1,H,W,3) uint8 -> (1,H,W) uint8, two convolutions in int8, a compare at the end."""
    rng = np.random.default_rng(0)
    nodes, constants = _head()
    source, channels = 'normal', 3
    for name in ('first', 'second'):
        codes = rng.integers(-127, 128, (CHANNELS, channels, 3, 3)).astype(np.int8)
        constants |= {
            f'{name}_codes': codes,
            f'{name}_scale': np.full(CHANNELS, 0.002, np.float32),
            f'{name}_zero': np.zeros(CHANNELS, np.int8),
            f'{name}_bias': rng.normal(size=CHANNELS).astype(np.float32),
            f'{name}_in_scale': np.float32(1 / 64),
            f'{name}_in_zero': np.int8(0),
        }
        around = [f'{name}_in_scale', f'{name}_in_zero']
        weights = [f'{name}_codes', f'{name}_scale', f'{name}_zero']
        bias = f'{name}_bias'
        nodes += [
            _node('QuantizeLinear', [source, *around], f'{name}_in_codes'),
            _node('DequantizeLinear', [f'{name}_in_codes', *around], f'{name}_in'),
            _node('DequantizeLinear', weights, f'{name}_weights', axis=0),
            _node('Conv', [f'{name}_in', f'{name}_weights', bias], f'{name}_out', pads=[1] * 4),
            _node('Relu', [f'{name}_out'], f'{name}_relu'),
        ]
        source, channels = f'{name}_relu', CHANNELS
    nodes += _tail(source)
    return _model(nodes, constants, opset)


def transposed_graph() -> onnx.ModelProto:
    """The same with a ConvTranspose in int8."""
    model = quantized_graph()
    node = node_of(model, 'second_out')
    node.op_type = 'ConvTranspose'
    return model


def node_of(model: onnx.ModelProto, output: str) -> onnx.NodeProto:
    """The node that makes a tensor."""
    return next(node for node in model.graph.node if output in node.output)


def set_constant(model: onnx.ModelProto, name: str, value: np.ndarray) -> None:
    """Replace an initializer, or add it."""
    for item in model.graph.initializer:
        if item.name == name:
            item.CopyFrom(numpy_helper.from_array(np.asarray(value), name))
            return
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))


def quantize_bias(model: onnx.ModelProto) -> None:
    """Let the first convolution take its bias from int32 codes, as onnxruntime does."""
    set_constant(model, 'bias_codes', np.arange(CHANNELS, dtype=np.int32))
    set_constant(model, 'bias_scale', np.full(CHANNELS, 1e-4, np.float32))
    set_constant(model, 'bias_zero', np.zeros(CHANNELS, np.int32))
    codes = ['bias_codes', 'bias_scale', 'bias_zero']
    model.graph.node.insert(0, _node('DequantizeLinear', codes, 'bias_value', axis=0))
    node_of(model, 'first_out').input[2] = 'bias_value'


def write_bundle(directory: Path, model: onnx.ModelProto, precision: str = 'int8') -> Path:
    """Write a bundle around a graph, int8 if nothing else is said, and return its folder."""
    return tiny_bundle.write_bundle(directory, model, precision=precision)


def _head() -> tuple[list[onnx.NodeProto], dict[str, np.ndarray | np.generic]]:
    constants: dict[str, np.ndarray | np.generic] = {
        'middle': np.float32(128),
        'step': np.float32(64),
    }
    nodes = [
        _node('Cast', ['image'], 'float', to=TensorProto.FLOAT),
        _node('Sub', ['float', 'middle'], 'centred'),
        _node('Div', ['centred', 'step'], 'scaled'),
        _node('Transpose', ['scaled'], 'normal', perm=[0, 3, 1, 2]),
    ]
    return nodes, constants


def _tail(source: str) -> list[onnx.NodeProto]:
    return [
        _node('ArgMax', [source], 'best', axis=1, keepdims=0),
        _node('Cast', ['best'], 'mask', to=TensorProto.UINT8),
    ]


def _node(kind: str, inputs: list[str], output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], name=f'/{output}', **attributes)


def _model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray | np.generic],
    opset: int,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        'quantized',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info('mask', TensorProto.UINT8, [1, HEIGHT, WIDTH])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=8)
