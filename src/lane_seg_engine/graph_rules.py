"""What TensorRT demands of a quantized ONNX graph, checked before TensorRT sees it.

TensorRT's own complaints name an assertion in its source, and some breaches it accepts: its RTX
flavour 1.7 takes uint8 codes for int8, and leaves a convolution in float without a word where
scales are per channel of an activation or along the wrong axis. The rules are those of NVIDIA's
documentation on explicit quantization and of the project's bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

__all__ = [
    'Breach', 'Convolution', 'breaches', 'convolutions', 'has_quantization', 'max_opset',
    'require_legal',
]  # fmt: skip

Q, DQ = 'QuantizeLinear', 'DequantizeLinear'
CONVOLUTIONS = ('Conv', 'ConvTranspose')
# Quantized in ways that TensorRT's parser does not know: integer arithmetic written out, or
# scales that are computed at run time.
FOREIGN = {
    'ConvInteger', 'DynamicQuantizeLinear', 'MatMulInteger', 'QLinearConv', 'QLinearMatMul',
}  # fmt: skip
# Per-channel Q/DQ (attribute axis) came with opset 13.
MIN_OPSET, MIN_QUANTIZED_OPSET = 9, 13
# Newest opset of each TensorRT generation.
_MAX_OPSET = {8: 17, 9: 20, 10: 20, 11: 25}
_LISTED = 8
_SOURCE = 'export the model again with `lane-seg export`'


@dataclass(frozen=True)
class Breach:
    """One breach of a rule.

    Attributes:
        rule: short stable key, for example 'asymmetric'.
        node: name of the node, or of the graph's input or output.
        text: what was expected, what was found.
    """

    rule: str
    node: str
    text: str

    def __str__(self) -> str:
        return f'{self.node}: {self.text}'


@dataclass(frozen=True)
class Convolution:
    """A convolution as the graph asks for it.

    Attributes:
        node: its name.
        int8: its input and its weights are both quantized.
        reason: why it stays in float; empty where `int8`.
    """

    node: str
    int8: bool
    reason: str


def max_opset(generation: int) -> int:
    """Return the newest opset that a generation of TensorRT reads (major version, RTX: 11)."""
    return _MAX_OPSET.get(generation, _MAX_OPSET[8] if generation < 8 else _MAX_OPSET[11])


def has_quantization(model: onnx.ModelProto) -> bool:
    """Tell whether the graph holds Q/DQ nodes."""
    return any(node.op_type in (Q, DQ) for node in model.graph.node)


def require_legal(model: onnx.ModelProto, *, generation: int = 8, name: str = 'graph') -> None:
    """Refuse a graph that TensorRT would refuse, or would compute wrongly.

    Args:
        model: the graph.
        generation: major version of TensorRT; 11 for TensorRT-RTX.
        name: of the file, for the message.

    Raises:
        EngineError: lists the breaches and how to mend them.
    """
    found = breaches(model, generation=generation)
    if not found:
        return
    lines = [f'  {breach}' for breach in found[:_LISTED]]
    if len(found) > _LISTED:
        lines.append(f'  and {len(found) - _LISTED} more')
    raise EngineError(
        f'{name}: expected a graph that TensorRT takes, found:\n' + '\n'.join(lines) + '\n'
        'quantize with `lane-seg quantize` (symmetric int8, zero point 0, weights per output '
        'channel, biases in float) and `lane-seg export`'
    )


def breaches(model: onnx.ModelProto, *, generation: int = 8) -> list[Breach]:
    """List everything in a graph that breaks a rule; see `require_legal`."""
    graph = _Graph(model)
    found = [*_opset(model, generation), *_shapes(model)]
    for node in model.graph.node:
        if node.domain not in ('', 'ai.onnx'):
            text = f'expected standard ONNX operators, found {node.domain}::{node.op_type}'
            found.append(Breach('domain', _name(node), text))
        elif node.op_type in FOREIGN:
            text = f'expected {Q} and {DQ} around float operators, found {node.op_type}'
            found.append(Breach('operator', _name(node), text))
        elif node.op_type in (Q, DQ):
            found += graph.quantizer(node)
        elif node.op_type in CONVOLUTIONS:
            found += graph.convolution(node)
    return found


def convolutions(model: onnx.ModelProto) -> list[Convolution]:
    """Tell of each convolution whether the graph asks for int8."""
    graph = _Graph(model)
    rows = []
    for node in model.graph.node:
        if node.op_type in CONVOLUTIONS:
            data, weight = (graph.is_dequantized(name) for name in node.input[:2])
            missing = [what for what, there in (('input', data), ('weights', weight)) if not there]
            reason = f'{" and ".join(missing)} not quantized' if missing else ''
            rows.append(Convolution(_name(node), not missing, reason))
    return rows


class _Graph:
    """Look-ups in a graph, and the rules about Q/DQ nodes and convolutions."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import numpy_helper

        graph = model.graph
        self.constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        for node in graph.node:
            values = [item for item in node.attribute if item.name == 'value']
            if node.op_type == 'Constant' and values:
                self.constants[node.output[0]] = numpy_helper.to_array(values[0].t)
        self.maker = {name: node for node in graph.node for name in node.output}
        self.users: dict[str, list[str]] = {item.name: ['graph output'] for item in graph.output}
        for node in graph.node:
            for name in node.input:
                self.users.setdefault(name, []).append(node.op_type)

    def is_dequantized(self, name: str) -> bool:
        return name in self.maker and self.maker[name].op_type == DQ

    def is_constant(self, name: str) -> bool:
        """Tell whether a tensor is a constant, or the codes of one."""
        maker = self.maker.get(name)
        if maker is not None and maker.op_type == Q:
            name = maker.input[0]
        return name in self.constants

    def quantizer(self, node: onnx.NodeProto) -> Iterator[Breach]:
        """Check a Q or DQ node."""
        name = _name(node)
        codes = self.constants.get(node.input[0]) if node.op_type == DQ else None
        if codes is not None and codes.dtype == 'int32':
            yield Breach('bias', name, 'expected the bias in float, found it quantized to int32')
            return
        zero = None
        if len(node.input) > 2 and node.input[2]:
            zero = self.constants.get(node.input[2])
            kind = 'a zero point computed at run time' if zero is None else str(zero.dtype)
        elif node.op_type == Q:
            kind = 'uint8'  # what ONNX takes where no zero point says otherwise
        else:
            kind = 'int8' if codes is None else str(codes.dtype)  # that of its codes
        if kind != 'int8':
            text = f'expected int8 codes with a constant zero point 0, found {kind}'
            yield Breach('type', name, text)
        if zero is not None and zero.any():
            value = zero.reshape(-1)[zero.reshape(-1).nonzero()[0][0]]
            text = f'expected zero point 0 (symmetric quantization), found {value}'
            yield Breach('asymmetric', name, text)
        scale = self.constants.get(node.input[1])
        if scale is None:
            yield Breach(
                'scale', name, 'expected a constant scale, found one computed at run time'
            )
        elif not ((scale > 0) & (scale < float('inf'))).all():
            yield Breach('scale', name, 'expected scales above 0, found one that is not')
        elif scale.size > 1 and not self.is_constant(node.input[0]):
            text = f'expected one scale for an activation, found {scale.size} (per channel)'
            yield Breach('activation', name, text)
        if node.op_type == Q:
            others = sorted(set(self.users.get(node.output[0], [])) - {DQ})
            if others:
                text = f'expected that only {DQ} reads its codes, found {", ".join(others)}'
                yield Breach('unpaired', name, text)

    def convolution(self, node: onnx.NodeProto) -> Iterator[Breach]:
        """Check Conv or ConvTranspose."""
        quantized = [self.is_dequantized(name) for name in node.input[:2]]
        if node.op_type == 'ConvTranspose':
            if any(quantized):
                text = (
                    'expected no ConvTranspose in int8, which TensorRT has no int8 kernels for '
                    'when weights are per channel; use nearest Resize and a convolution'
                )
                yield Breach('transposed', _name(node), text)
            return
        if not quantized[1]:
            return
        dequantize = self.maker[node.input[1]]
        scale = self.constants.get(dequantize.input[1])
        axes = [item.i for item in dequantize.attribute if item.name == 'axis']
        if scale is not None and scale.size > 1 and axes != [0]:
            text = f'expected weight scales along axis 0 (output channels), found axis {axes or 1}'
            yield Breach('axis', _name(node), text)


def _opset(model: onnx.ModelProto, generation: int) -> Iterator[Breach]:
    versions = [item.version for item in model.opset_import if item.domain in ('', 'ai.onnx')]
    found = versions[0] if versions else 0
    least = MIN_QUANTIZED_OPSET if has_quantization(model) else MIN_OPSET
    most = max_opset(generation)
    if not least <= found <= most:
        text = f'expected opset {least} to {most}, found {found}; {_SOURCE}'
        yield Breach('opset', model.graph.name or 'graph', text)


def _shapes(model: onnx.ModelProto) -> Iterator[Breach]:
    constants = {item.name for item in model.graph.initializer}
    for item in model.graph.input:
        dims = [dim.dim_value for dim in item.type.tensor_type.shape.dim]
        if item.name not in constants and (not dims or min(dims) < 1):
            text = f'expected an input of fixed shape, found a free dimension; {_SOURCE}'
            yield Breach('shape', item.name, text)


def _name(node: onnx.NodeProto) -> str:
    return node.name or f'{node.op_type} {node.output[0]}'
