"""Concatenations of int8 tensors, written such that OpenVINO computes what the graph says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

__all__ = ['concatenate_codes']


def concatenate_codes(model: onnx.ModelProto) -> int:
    """Concatenate codes, and dequantize what comes of it, instead of the reverse, in place.

    The numbers are the same. OpenVINO 2026.4.1 merges the ranges of quantized tensors that are
    concatenated, and counts the steps of the merged range in units of the float values: a range of
    -4..4 is left with 9 steps, not 256. Codes that are concatenated it leaves alone.

    To be called after `unsigned_activations`, which looks for quantization and dequantization side
    by side.

    Returns:
        Number of concatenations that were rewritten.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    maker = {name: node for node in graph.node for name in node.output}
    arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}

    def codes_of(name: str, added: list[onnx.NodeProto]) -> tuple[str, list[str]] | None:
        """Name of a tensor's codes, with scale and zero point; None if it has none."""
        node = maker.get(name)
        if node is None:
            return None
        if node.op_type == 'DequantizeLinear':
            scalars = [arrays.get(item) for item in node.input[1:]]
            if len(scalars) != 2 or any(item is None or item.ndim for item in scalars):
                return None
            return node.input[0], list(node.input[1:])
        if not _moves(node):
            return None
        sources = node.input if node.op_type == 'Concat' else node.input[:1]
        found = [codes_of(source, added) for source in sources]
        grids = {
            None if one is None else tuple((arrays[n].dtype, arrays[n].item()) for n in one[1])
            for one in found
        }
        if len(grids) != 1 or None in grids:
            return None
        copy = type(node)()
        copy.CopyFrom(node)
        copy.name, copy.output[0] = f'{node.name}_codes', f'{name}_codes'
        copy.input[: len(found)] = [one[0] for one in found if one is not None]
        if all(other.output[0] != copy.output[0] for other in added):
            added.append(copy)
        assert found[0] is not None
        return copy.output[0], found[0][1]

    nodes: list[onnx.NodeProto] = []
    count = 0
    for node in graph.node:
        added: list[onnx.NodeProto] = []
        codes = codes_of(node.output[0], added) if node.op_type == 'Concat' else None
        if codes is None:
            nodes.append(node)
            continue
        known = {name for other in nodes for name in other.output}
        nodes += [other for other in added if other.output[0] not in known]
        nodes.append(
            helper.make_node(
                'DequantizeLinear', [codes[0], *codes[1]], [node.output[0]], f'{node.name}_float'
            )
        )
        count += 1
    outputs = {item.name for item in graph.output}
    while True:  # what only the rewritten concatenations read
        read = outputs | {name for node in nodes for name in node.input}
        left = [node for node in nodes if read & set(node.output)]
        if len(left) == len(nodes):
            break
        nodes = left
    del graph.node[:]
    graph.node.extend(nodes)
    return count


def _moves(node: onnx.NodeProto) -> bool:
    """Tell whether it does the same to codes as to the values that they stand for."""
    if node.op_type == 'Resize':
        return any(item.name == 'mode' and item.s == b'nearest' for item in node.attribute)
    return node.op_type in ('Concat', 'Identity', 'MaxPool')
