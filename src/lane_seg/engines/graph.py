"""The ONNX graph as engines need it: checked against the contract, int8 rewritten for CPUs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lane_seg.confidence import CONFIDENCE_NAME
from lane_seg.engines.concatenations import concatenate_codes
from lane_seg.engines.unsigned import unsigned_activations
from lane_seg.errors import EngineError
from lane_seg.machine import int8_sums_saturate

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from lane_seg.bundle import ModelBundle

__all__ = ['cpu_graph', 'narrow_weights']

_log = logging.getLogger(__name__)

# 255 * 64 * 2 is the largest sum of two products of uint8 and int8 that fits into 16 bits.
NARROW = 64


def cpu_graph(bundle: ModelBundle) -> bytes:
    """Read the bundle's graph for a CPU engine.

    Returns:
        The serialized ONNX model, with unsigned activations where that is equivalent, with codes
        concatenated in place of values, and with narrow weights where wide ones would saturate on
        this CPU.

    Raises:
        EngineError: not an ONNX file, or inputs and outputs that break the bundle's contract.
    """
    import onnx

    path = bundle.onnx_path
    try:
        model = onnx.load(path)
    except Exception as error:
        raise EngineError(f'{path}: expected an ONNX model, found: {error}') from error
    _check_contract(model, bundle, path)
    unsigned_activations(model)
    concatenate_codes(model)
    if int8_sums_saturate() and narrow_weights(model):
        _log.info('%s: this CPU has no VNNI; its int8 weights are rounded to 7 bits', path)
    serialized: bytes = model.SerializeToString()
    return serialized


def narrow_weights(model: onnx.ModelProto) -> int:
    """Round symmetric int8 weights to 7 bits at twice the scale, in place.

    For CPUs that add two products of uint8 and int8 in 16 bits (see
    `lane_seg.machine.int8_sums_saturate`): of weights within -64..64 no such sum saturates,
    whatever the activations. Each weight moves by at most one step of its old scale. Weights that
    are within these bounds already stay as they are.

    OpenVINO has no setting against saturation short of running in float. ONNX Runtime's
    `session.x64quantprecision` works, but takes 1.4 times as long, and its version 1.31.1 failed
    to load one of our test graphs with it.

    Returns:
        Number of weight tensors that were rewritten.
    """
    import numpy as np
    from onnx import numpy_helper

    graph = model.graph
    arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    added: dict[str, onnx.TensorProto] = {}
    narrowed = set()
    replaced = set()
    for node in graph.node:
        if node.op_type != 'DequantizeLinear' or not arrays.keys() >= set(node.input):
            continue
        codes, scale = (arrays[name] for name in node.input[:2])
        zeros = [arrays[name] for name in node.input[2:]]
        if codes.dtype != np.int8 or any(zero.any() for zero in zeros):
            continue
        if np.abs(codes.astype(np.int16)).max(initial=0) <= NARROW:
            continue
        replaced.update(node.input[:2])
        narrowed.add(node.input[0])
        # Under new names: other tensors may use the same scale.
        names = f'{node.input[0]}_halved', f'{node.input[1]}_doubled'
        values = np.rint(codes / 2).astype(np.int8), scale * scale.dtype.type(2)
        for name, value in zip(names, values, strict=True):
            added[name] = numpy_helper.from_array(np.asarray(value), name)
        node.input[:2] = names
    graph.initializer.extend(added.values())
    used = {name for node in graph.node for name in node.input}
    for item in [item for item in graph.initializer if item.name in replaced - used]:
        graph.initializer.remove(item)
    return len(narrowed)


def _check_contract(model: onnx.ModelProto, bundle: ModelBundle, path: Path) -> None:
    constants = {item.name for item in model.graph.initializer}
    inputs = [_signature(item) for item in model.graph.input if item.name not in constants]
    outputs = [_signature(item) for item in model.graph.output]
    wanted_input = ('uint8', [1, bundle.height, bundle.width, 3])
    wanted_output = ('uint8', [1, bundle.height, bundle.width])
    advice = 'export the model again with `lane-seg export`'
    if inputs != [wanted_input]:
        raise EngineError(f'{path}: expected one input {wanted_input}, found {inputs}; {advice}')
    # More outputs may follow the mask.
    if outputs[:1] != [wanted_output]:
        raise EngineError(
            f'{path}: expected the first output to be {wanted_output}, found {outputs}; {advice}'
        )
    named = {item.name: _signature(item) for item in model.graph.output}
    if bundle.confidence and named.get(CONFIDENCE_NAME) != wanted_output:
        raise EngineError(
            f'{path}: expected the output {CONFIDENCE_NAME}, which model.yaml names, to be '
            f'{wanted_output}, found {named}; export the model again with '
            '`lane-seg export --confidence`'
        )


def _signature(item: onnx.ValueInfoProto) -> tuple[str, list[int | str]]:
    """Type name and shape of an input or output; a free dimension shows as its name."""
    import onnx

    tensor = item.type.tensor_type
    shape = [dim.dim_value or dim.dim_param for dim in tensor.shape.dim]
    return onnx.TensorProto.DataType.Name(tensor.elem_type).lower(), shape
