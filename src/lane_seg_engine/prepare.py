"""The bundle's graph as the builder is to get it: checked, and in the types asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.confidence import CONFIDENCE_NAME
from lane_seg.errors import EngineError
from lane_seg_engine.graph_rules import convolutions, has_quantization, require_legal
from lane_seg_engine.graph_types import float_graph, half_graph

if TYPE_CHECKING:
    import onnx

    from lane_seg.bundle import ModelBundle
    from lane_seg_engine.builder import ParsedGraph
    from lane_seg_engine.graph_rules import Convolution

__all__ = ['PreparedGraph', 'check_signature', 'load_graph', 'prepare_graph']


@dataclass(frozen=True)
class PreparedGraph:
    """A graph for the builder.

    Attributes:
        data: the serialized ONNX model.
        convolutions: each of them, with whether it asks for int8.
        notes: what was changed, for people.
    """

    data: bytes
    convolutions: tuple[Convolution, ...]
    notes: tuple[str, ...]


def load_graph(bundle: ModelBundle) -> onnx.ModelProto:
    """Read the bundle's graph.

    Raises:
        EngineError: not an ONNX file.
    """
    import onnx

    try:
        return onnx.load(bundle.onnx_path)
    except Exception as error:  # protobuf's own, which differ among its versions
        raise EngineError(f'{bundle.onnx_path}: expected an ONNX model, found: {error}') from error


def prepare_graph(
    model: onnx.ModelProto,
    *,
    name: str,
    precision: str,
    float_type: str,
    generation: int,
    strongly_typed: bool,
) -> PreparedGraph:
    """Check a graph and bring it into the types of the engine.

    Args:
        model: the bundle's graph; it is changed.
        name: of its file, for messages.
        precision: of the engine: 'int8', 'fp16' or 'fp32'.
        float_type: of what is not int8 in an int8 engine: 'fp32' or 'fp16'.
        generation: major version of TensorRT; 11 for TensorRT-RTX.
        strongly_typed: the network computes in the types that the graph states.

    Raises:
        EngineError: the graph breaks a rule, or has values that float16 cannot hold.
    """
    require_legal(model, generation=generation, name=name)
    notes = []
    if precision != 'int8' and has_quantization(model):
        count = float_graph(model)
        notes.append(
            f'{count} dequantizations taken out: the engine computes in {precision} with the '
            'int8 weights of the model; for the accuracy of the float model export that'
        )
    if strongly_typed and (precision == 'fp16' or (precision == 'int8' and float_type == 'fp16')):
        half_graph(model)
        notes.append('float32 turned into float16')
    return PreparedGraph(model.SerializeToString(), tuple(convolutions(model)), tuple(notes))


def check_signature(parsed: ParsedGraph, bundle: ModelBundle) -> None:
    """Compare inputs and outputs with the bundle's contract.

    Raises:
        EngineError: they differ.
    """
    wanted_input = ('uint8', (1, bundle.height, bundle.width, 3))
    wanted_output = ('uint8', (1, bundle.height, bundle.width))
    inputs = [item[1:] for item in parsed.inputs]
    outputs = [item[1:] for item in parsed.outputs]
    # More outputs may follow the mask.
    if inputs != [wanted_input] or outputs[:1] != [wanted_output]:
        raise EngineError(
            f'{bundle.onnx_path}: expected the input {wanted_input} and the output '
            f'{wanted_output}, found {inputs} and {outputs}; export the model again with '
            '`lane-seg export`'
        )
    if bundle.confidence and (CONFIDENCE_NAME, *wanted_output) not in parsed.outputs:
        raise EngineError(
            f'{bundle.onnx_path}: expected the output {CONFIDENCE_NAME}, which model.yaml names, '
            f'to be {wanted_output}, found {parsed.outputs}; export the model again with '
            '`lane-seg export --confidence`'
        )
