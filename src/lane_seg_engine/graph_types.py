"""The same graph in other number types: Q/DQ taken out, float32 turned into float16.

A strongly typed network (TensorRT 10 if asked, 11 and TensorRT-RTX always) computes in the types
that the graph states, so an fp16 engine needs an fp16 graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import onnx
    from numpy.typing import NDArray

__all__ = ['float_graph', 'half_graph']

Q, DQ = 'QuantizeLinear', 'DequantizeLinear'
HALF_MAX = 65504.0
# float16 goes on below 6e-5 in steps of 6e-8. From here up a scale, which is a factor of all
# codes, is off by at most 0.3 %: less than half a step for the largest code, 127.
HALF_SMALLEST_SCALE = 1e-5
# ONNX wants these inputs in float32 whatever the data's type.
_KEEP_INPUTS = {'Resize': (1, 2)}


def float_graph(model: onnx.ModelProto) -> int:
    """Take quantization out of a graph, in place: what stays is its float network.

    Weights keep the values that their int8 codes stand for, activations are no longer rounded or
    clipped. The result is for comparison, not what was trained in float.

    Returns:
        Number of DequantizeLinear nodes that were taken out.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {item.name: item for item in graph.initializer}
    maker = {name: node for node in graph.node for name in node.output}
    source: dict[str, str] = {}
    removed = []
    for node in graph.node:
        if node.op_type != DQ:
            continue
        codes, scale = node.input[0], numpy_helper.to_array(constants[node.input[1]])
        if codes in constants:
            value = _dequantized(numpy_helper.to_array(constants[codes]), scale, node)
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        elif codes in maker and maker[codes].op_type == Q:
            source[node.output[0]] = maker[codes].input[0]
        else:
            continue
        removed.append(node)
    for node in graph.node:
        for index, name in enumerate(node.input):
            while name in source:
                name = source[name]
            node.input[index] = name
    for node in removed:
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for node in [node for node in graph.node if node.op_type == Q and node.output[0] not in used]:
        graph.node.remove(node)
    _drop_unused(model)
    return len(removed)


def half_graph(model: onnx.ModelProto) -> None:
    """Turn every float32 of a graph into float16, in place; integers and Q/DQ codes stay.

    Raises:
        EngineError: a value that float16 cannot hold, or an input or output in float32.
    """
    import numpy as np
    from onnx import TensorProto, numpy_helper

    graph = model.graph
    for item in (*graph.input, *graph.output):
        if item.type.tensor_type.elem_type == TensorProto.FLOAT:
            raise EngineError(
                f'expected inputs and outputs in uint8, found {item.name} in float32; export the '
                'model again with `lane-seg export`'
            )
    kept = {
        node.input[index]
        for node in graph.node
        for index in _KEEP_INPUTS.get(node.op_type, ())
        if index < len(node.input)
    }
    scales = {node.input[1] for node in graph.node if node.op_type in (Q, DQ)}

    def half(tensor: onnx.TensorProto, name: str) -> None:
        value = numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or name in kept:
            return
        if np.abs(value).max(initial=0) > HALF_MAX:
            raise EngineError(
                f'{name}: expected values within float16 (up to {HALF_MAX:.0f}), found '
                f'{np.abs(value).max():.3g}; build with fp32 instead'
            )
        if name in scales and value.min() < HALF_SMALLEST_SCALE:
            raise EngineError(
                f'{name}: expected scales that float16 can hold, found {value.min():.3g}; '
                'build with --float-type fp32'
            )
        tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float16), tensor.name))

    for item in graph.initializer:
        half(item, item.name)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField('t'):
                half(attribute.t, node.output[0])
            elif (
                node.op_type == 'Cast'
                and attribute.name == 'to'
                and attribute.i == TensorProto.FLOAT
            ):
                attribute.i = TensorProto.FLOAT16
    del graph.value_info[:]


def _dequantized(
    codes: NDArray[np.int8], scale: NDArray[np.float32], node: onnx.NodeProto
) -> NDArray[np.float32]:
    """The values of constant codes; zero point 0, as `graph_rules` demands."""
    import numpy as np

    axis = next((item.i for item in node.attribute if item.name == 'axis'), 1)
    shape: Sequence[int] = ()
    if scale.size > 1:
        shape = [scale.size if index == axis else 1 for index in range(codes.ndim)]
    return np.asarray(codes.astype(np.float32) * scale.reshape(shape), np.float32)


def _drop_unused(model: onnx.ModelProto) -> None:
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    used |= {item.name for item in graph.output}
    for item in [item for item in graph.initializer if item.name not in used]:
        graph.initializer.remove(item)
    del graph.value_info[:]
