"""Turn a graph that rounds float weights while it runs into one that stores them as int8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

__all__ = ['constants_as_initializers', 'drop_unused', 'fold_batch_norm', 'store_int8_weights']

# For channels that batch normalization multiplies by (next to) zero: scales must be positive. And
# ONNX Runtime rounds biases to int32, in steps of input scale times weight scale: a bias overflows
# if the weight scale is too small a share of it.
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
SMALLEST_SHARE = 2.0**-21


def constants_as_initializers(model: onnx.ModelProto) -> None:
    """Replace Constant nodes, and Identity nodes of constants, by initializers, in place.

    PyTorch's exporter writes every scalar as a node of its own, and equal weights as Identity of
    one of them.
    """
    from onnx import numpy_helper

    graph = model.graph
    names = {item.name for item in graph.initializer}
    kept: dict[tuple[str, tuple[int, ...], bytes], str] = {}
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        if node.op_type == 'Constant' and node.attribute[0].name == 'value':
            value = numpy_helper.to_array(node.attribute[0].t)
            key = (str(value.dtype), value.shape, value.tobytes())
            if key not in kept:
                kept[key] = node.output[0]
                names.add(node.output[0])
                graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
            renamed[node.output[0]] = kept[key]
        elif node.op_type == 'Identity' and renamed.get(node.input[0], node.input[0]) in names:
            renamed[node.output[0]] = renamed.get(node.input[0], node.input[0])
        else:
            nodes.append(node)
    for node in nodes:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(nodes)


def store_int8_weights(model: onnx.ModelProto) -> int:
    """Compute QuantizeLinear of constants now, in place: int8 takes a quarter of float's space.

    Returns:
        Number of weights that are stored as int8.

    Raises:
        LaneSegError: a weight is not quantized along its first dimension, symmetrically.
    """
    from onnx import numpy_helper

    graph = model.graph
    arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    stored = []
    for node in graph.node:
        if node.op_type != 'QuantizeLinear' or node.input[0] not in arrays:
            continue
        weight, scale, zero = (arrays[name] for name in node.input)
        axis = [item.i for item in node.attribute if item.name == 'axis']
        if zero.dtype != np.int8 or zero.any() or axis != [0] or scale.ndim != 1:
            raise LaneSegError(
                f'{node.name}: expected weights in symmetric int8 with a scale for each output '
                f'channel, found {zero.dtype}, axis {axis}, scales {scale.shape}'
            )
        # Not divided: PyTorch rounds the inverse, and the codes have to be those of training.
        inverse = (np.float32(1) / scale).reshape(-1, *[1] * (weight.ndim - 1))
        codes = np.clip(np.rint(weight * inverse), -128, 127).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(codes, node.output[0]))
        stored.append(node)
    for node in stored:
        graph.node.remove(node)
    return len(stored)


def fold_batch_norm(model: onnx.ModelProto) -> int:
    """Fold batch normalization into the int8 convolution before it, exactly, in place.

    Normalization multiplies each output channel by a factor. An int8 weight has a scale for each
    of them, so the scale takes the factor and the codes stay as they are (a negative factor turns
    their signs, for scales must be positive). Nothing is rounded again.

    Returns:
        Number of normalizations that were folded.
    """
    from onnx import numpy_helper

    graph = model.graph
    arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    maker = {name: node for node in graph.node for name in node.output}
    readers = {item.name: 1 for item in graph.output}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    new: dict[str, NDArray[np.generic]] = {}
    folded = []
    for norm in graph.node:
        conv = maker.get(norm.input[0]) if norm.op_type == 'BatchNormalization' else None
        if conv is None or conv.op_type != 'Conv' or readers[conv.output[0]] > 1:
            continue
        dequantize = maker.get(conv.input[1])
        if (
            dequantize is None
            or dequantize.op_type != 'DequantizeLinear'
            or not arrays.keys() >= set(dequantize.input)
            or readers[dequantize.output[0]] > 1
        ):
            continue
        gamma, beta, mean, variance = (arrays[name].astype(np.float64) for name in norm.input[1:])
        epsilon = next((item.f for item in norm.attribute if item.name == 'epsilon'), 1e-5)
        factor = gamma / np.sqrt(variance + epsilon)
        codes, scale = (arrays[name] for name in dequantize.input[:2])
        bias = arrays[conv.input[2]].astype(np.float64) if len(conv.input) > 2 else 0.0
        signs = np.sign(factor).astype(np.int16).reshape(-1, *[1] * (codes.ndim - 1))
        biases = (beta + (bias - mean) * factor).astype(np.float32)
        exact = scale * np.abs(factor)
        scales = np.maximum(exact, np.maximum(np.abs(biases) * SMALLEST_SHARE, SMALLEST_SCALE))
        # 1 but where the scale had to grow; then the codes shrink.
        shares = (exact / scales).reshape(signs.shape)
        # Turned, -128 has no counterpart; scales are chosen such that it does not occur.
        turned = np.clip(np.rint(codes * signs * shares), -128, 127).astype(np.int8)
        scales = scales.astype(np.float32)
        names = [f'{conv.name}/{part}' for part in ('weight', 'scale', 'bias')]
        new |= dict(zip(names, (turned, scales, biases), strict=True))
        dequantize.input[:2] = names[:2]
        conv.input[2:] = names[2:]
        conv.output[0] = norm.output[0]
        folded.append(norm)
    for norm in folded:
        graph.node.remove(norm)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in new.items())
    return len(folded)


def drop_unused(model: onnx.ModelProto) -> None:
    """Remove initializers that nobody reads, and types of tensors that may be gone, in place."""
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    for item in [item for item in graph.initializer if item.name not in used]:
        graph.initializer.remove(item)
    del graph.value_info[:]
