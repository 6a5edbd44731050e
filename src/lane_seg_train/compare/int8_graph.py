"""What an int8 ONNX file says of its operators: which have 8 bits, which are left in float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

__all__ = ['Convolution', 'Int8Graph', 'Operator', 'read_int8_graph']

QUANTIZE, DEQUANTIZE = 'QuantizeLinear', 'DequantizeLinear'
# Operators whose second input holds weights, which have to be int8 as well.
WEIGHTED = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul')
CONVOLUTIONS = ('Conv', 'ConvTranspose')
# Engines compute these in the kernel of the convolution before them.
ACTIVATIONS = ('Clip', 'LeakyRelu', 'Relu')


@dataclass(frozen=True)
class Operator:
    """An operator of the file.

    Attributes:
        name: of the node, or of its output where it has none.
        kind: such as 'Conv'.
    """

    name: str
    kind: str


@dataclass(frozen=True)
class Convolution:
    """A convolution of the file.

    Attributes:
        name: of the node.
        takes_int8: its input and its weights come from DequantizeLinear.
        gives_int8: its output, after an activation or not, goes to QuantizeLinear only.
    """

    name: str
    takes_int8: bool
    gives_int8: bool


@dataclass(frozen=True)
class Int8Graph:
    """What the file says.

    Attributes:
        convolutions: all of them, in the order of the file.
        float_operators: operators that no Q/DQ pairs enclose, those of constants left out.
    """

    convolutions: tuple[Convolution, ...]
    float_operators: tuple[Operator, ...]


def read_int8_graph(path: Path) -> Int8Graph:
    """Read the Q/DQ pairs of a file.

    An operator counts as int8 if all that reaches it comes from DequantizeLinear, directly or
    through such operators, and all that it gives goes to QuantizeLinear likewise. Convolutions
    and matrix products need int8 weights for that, and may give float: their sums are wide.

    Args:
        path: the ONNX file.
    """
    import onnx

    return _Reader(onnx.load(path).graph).read()


class _Reader:
    """Walks the graph forth and back; ONNX lists nodes in the order of computation."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.users: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                self.users.setdefault(name, []).append(node)
        self.results = {item.name for item in graph.output}
        constants = {item.name for item in graph.initializer}
        # Tensors that depend on the image.
        self.live = {item.name for item in graph.input if item.name not in constants}
        for node in self.nodes:
            if self.live.intersection(node.input):
                self.live.update(node.output)

    def read(self) -> Int8Graph:
        operators = [
            node
            for node in self.nodes
            if self.live.intersection(node.output) and node.op_type not in (QUANTIZE, DEQUANTIZE)
        ]
        is_fed: dict[str, bool] = {}  # by output
        for node in operators:
            inputs = [name for name in node.input if name in self.live]
            fed = all(self._is_from(name) or is_fed.get(name, False) for name in inputs)
            fed = fed and (node.op_type not in WEIGHTED or self._is_from(node.input[1]))
            is_fed.update(dict.fromkeys(node.output, fed))
        is_drained: dict[str, bool] = {}  # by output
        for node in reversed(operators):
            for name in node.output:
                is_drained[name] = name not in self.results and all(
                    user.op_type == QUANTIZE or is_drained.get(user.output[0], False)
                    for user in self.users.get(name, [])
                )
        left = [
            Operator(_name(node), node.op_type)
            for node in operators
            if not (
                is_fed[node.output[0]] and (is_drained[node.output[0]] or self._takes_int8(node))
            )
        ]
        convolutions = [
            Convolution(_name(node), self._takes_int8(node), self._gives_int8(node))
            for node in operators
            if node.op_type in CONVOLUTIONS
        ]
        return Int8Graph(tuple(convolutions), tuple(left))

    def _is_from(self, name: str) -> bool:
        """Whether a tensor comes straight from DequantizeLinear."""
        node = self.maker.get(name)
        return node is not None and node.op_type == DEQUANTIZE

    def _takes_int8(self, node: onnx.NodeProto) -> bool:
        return node.op_type in WEIGHTED and all(self._is_from(name) for name in node.input[:2])

    def _gives_int8(self, node: onnx.NodeProto) -> bool:
        name = node.output[0]
        while True:
            users = self.users.get(name, [])
            if name in self.results or not users:
                return False
            if all(user.op_type == QUANTIZE for user in users):
                return True
            if len(users) > 1 or users[0].op_type not in ACTIVATIONS:
                return False
            name = users[0].output[0]


def _name(node: onnx.NodeProto) -> str:
    name: str = node.name or node.output[0]
    return name
