"""The second output of a graph: how probable the class that the mask names is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import BundleError

if TYPE_CHECKING:
    import onnx

__all__ = ['CONFIDENCE_NAME', 'add_confidence', 'no_confidence']

MASK_NAME = 'mask'
CONFIDENCE_NAME = 'confidence'
# What `lane-seg export` writes between the planes of the logits and the mask.
_CHOICE = {'Cast', 'Greater', 'Max', 'Squeeze', 'Where'}


def no_confidence(model: str) -> BundleError:
    """The error of asking a model for a confidence that its graph does not give."""
    return BundleError(
        f'model {model}: expected one that gives confidence, found one that does not; write one '
        'that does with `lane-seg add-confidence --model DIR --output DIR`, or export it with '
        '`lane-seg export --confidence`'
    )


def add_confidence(model: onnx.ModelProto, classes: int) -> None:
    """Add the output `confidence` to a graph of `lane-seg export`, in place.

    (1, H, W) uint8: the softmax probability of the most probable class, 255 for 1. Nothing that
    the mask is made from changes.

    Written plane by plane as the mask is: TensorRT-RTX fuses it into the kernel that chooses the
    class. Softmax over the channels made the whole default model a quarter slower in ONNX Runtime
    1.31.1.

    Args:
        model: the graph, quantized or not.
        classes: number of classes.

    Raises:
        BundleError: the graph chooses the class in another way, or has such an output already.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    if any(item.name == CONFIDENCE_NAME for item in graph.output):
        raise BundleError(
            f'expected a graph without the output {CONFIDENCE_NAME}, found it there already; '
            'export the model again with `lane-seg export --confidence`'
        )
    planes = _planes(graph, classes)

    def add(kind: str, inputs: list[str], part: str) -> str:
        name = f'/{CONFIDENCE_NAME}/{part}'
        graph.node.append(helper.make_node(kind, inputs, [name], name))
        return name

    largest = add('Max', planes, 'largest')
    # exp of what is not above 0 cannot overflow, and the sum is at least 1.
    powers = [
        add('Exp', [add('Sub', [plane, largest], f'difference_{index}')], f'power_{index}')
        for index, plane in enumerate(planes)
    ]
    total = powers[0]
    for index, power in enumerate(powers[1:], 1):
        total = add('Add', [total, power], f'sum_{index}')
    certain = f'/{CONFIDENCE_NAME}/certain'
    graph.initializer.append(numpy_helper.from_array(np.asarray(255, np.float32), certain))
    # Libraries differ in how they cast fractions, not in how they cast whole numbers.
    level = add('Round', [add('Div', [certain, total], 'level')], 'rounded')
    cast = helper.make_node(
        'Cast', [level], [CONFIDENCE_NAME], f'/{CONFIDENCE_NAME}/Cast', to=TensorProto.UINT8
    )
    graph.node.append(cast)
    output = next(item for item in graph.output if item.name == MASK_NAME)
    graph.output.append(type(output).FromString(output.SerializeToString()))
    graph.output[-1].name = CONFIDENCE_NAME
    onnx.checker.check_model(model, full_check=True)


def _planes(graph: onnx.GraphProto, classes: int) -> list[str]:
    """Names of the (1, H, W) float planes, one for each class, that the mask is chosen from."""
    maker = {name: node for node in graph.node for name in node.output}
    names, seen, splits = [MASK_NAME], set(), {}
    while names:
        name = names.pop()
        node = maker.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if node.op_type in _CHOICE:
            names += node.input
        else:
            splits[node.output[0]] = node
    sources = list(splits.values())
    if len(sources) == 1 and sources[0].op_type == 'Split' and len(sources[0].output) == classes:
        planes = [
            node.output[0]
            for part in sources[0].output
            for node in graph.node
            if node.op_type == 'Squeeze' and node.input[0] == part
        ]
        if len(planes) == classes:
            return planes
    found = ', '.join(sorted({node.op_type for node in sources})) or 'nothing'
    raise BundleError(
        f'expected a graph of `lane-seg export`, whose output {MASK_NAME} is chosen among '
        f'{classes} planes of logits, found {found} before the choice; export the model again '
        'with `lane-seg export --confidence`'
    )
