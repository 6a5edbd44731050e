"""Signed activations as unsigned ones, where that is the same: x86 kernels want uint8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

__all__ = ['unsigned_activations']

# Operators whose output is never negative.
RECTIFIERS = {'Relu', 'Sigmoid'}
# Operators that cannot make a negative value out of non-negative ones.
KEEP_SIGN = {
    'AveragePool', 'DequantizeLinear', 'Identity', 'MaxPool', 'QuantizeLinear', 'Resize',
}  # fmt: skip
KEEP_SIGN_ALL_INPUTS = {'Add', 'Concat'}
# What may stand between a quantized tensor and a concatenation that takes it as it is.
MOVES = {'DequantizeLinear', 'Identity', 'MaxPool', 'Resize'}
ZERO, LARGEST = 'uint8_zero_point', 'uint8_largest_code'


def unsigned_activations(model: onnx.ModelProto) -> int:
    """Rewrite symmetric int8 activations that are provably never negative as uint8, in place.

    TensorRT wants int8 with zero point 0. x86 kernels want uint8: VNNI multiplies u8 by s8, and
    with signed activations engines fall back to slower code. With the same scale and zero point 0
    a non-negative value has the same code in both types. Codes above 127, which int8 does not
    have, are clipped to it, so that the rewritten graph computes the same numbers.

    Tensors that are concatenated with signed ones stay signed: a concatenation of both types would
    run in float.

    Returns:
        Number of Q/DQ pairs that were rewritten.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    signs = _Signs(graph)
    rewritten = {}
    replaced = set()
    for node in graph.node:
        if (
            node.op_type == 'QuantizeLinear'
            and len(node.input) == 3
            and node.input[0] not in signs.constants
            and signs.is_signed_zero(node.input[2])
            and signs.readers_of(node.output[0]) == {'DequantizeLinear'}
            and signs.is_non_negative(node.input[0])
            and not signs.is_concatenated_with_signed(node.output[0])
        ):
            replaced.add(node.input[2])
            node.input[2] = ZERO
            rewritten[node.output[0]] = f'{node.output[0]}_unclipped'
    if not rewritten:
        return 0
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type == 'DequantizeLinear' and node.input[0] in rewritten:
            node.input[2:] = [ZERO]
        elif node.op_type == 'QuantizeLinear' and node.output[0] in rewritten:
            codes = node.output[0]
            node.output[0] = rewritten[codes]
            nodes.append(
                helper.make_node('Clip', [node.output[0], '', LARGEST], [codes], f'{codes}_clip')
            )
    del graph.node[:]
    graph.node.extend(nodes)
    for name, value in ((ZERO, 0), (LARGEST, 127)):
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.uint8), name))
    # ONNX Runtime would warn of each zero point that nobody reads any more.
    for name in replaced - {name for node in graph.node for name in node.input}:
        graph.initializer.remove(signs.constants[name])
    # Stored types of rewritten tensors would now be wrong; engines infer them again.
    del graph.value_info[:]
    return len(rewritten)


class _Signs:
    """What is known of the signs of a graph's tensors."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = {item.name: item for item in graph.initializer}
        self.maker = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {item.name for item in graph.output}
        self.known: dict[str, bool] = {}

    def is_non_negative(self, name: str) -> bool:
        if name not in self.known:
            self.known[name] = self._is_non_negative(self.maker.get(name))
        return self.known[name]

    def _is_non_negative(self, node: onnx.NodeProto | None) -> bool:
        if node is None:
            return False
        if node.op_type in RECTIFIERS:
            return True
        if node.op_type == 'Clip':  # of ReLU6, for example
            least = self.value(node.input[1]) if len(node.input) > 1 else None
            return least is not None and bool(np.all(np.asarray(least, np.float64) >= 0))
        if node.op_type in KEEP_SIGN:
            return not _overshoots(node) and self.is_non_negative(node.input[0])
        if node.op_type in KEEP_SIGN_ALL_INPUTS:
            return all(self.is_non_negative(source) for source in node.input)
        return False

    def is_concatenated_with_signed(self, name: str) -> bool:
        return any(
            (node.op_type == 'Concat' and not self.is_non_negative(node.output[0]))
            or self.is_concatenated_with_signed(node.output[0])
            for node in self.readers.get(name, [])
            if node.op_type == 'Concat' or node.op_type in MOVES
        )

    def is_signed_zero(self, name: str) -> bool:
        value = self.value(name)
        return value is not None and value.dtype == np.int8 and value.ndim == 0 and not value.any()

    def readers_of(self, name: str) -> set[str]:
        kinds = {node.op_type for node in self.readers.get(name, [])}
        return kinds | {'graph output'} if name in self.outputs else kinds

    def value(self, name: str) -> NDArray[np.generic] | None:
        from onnx import numpy_helper

        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None


def _overshoots(node: onnx.NodeProto) -> bool:
    """Tell whether it is a cubic Resize, which makes negative values beside steep edges."""
    modes = [item.s for item in node.attribute if item.name == 'mode']
    return node.op_type == 'Resize' and modes == [b'cubic']
