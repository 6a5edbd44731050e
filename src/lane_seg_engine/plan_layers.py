"""What the builder made of each layer, read from the plan.

TensorRT tells through its engine inspector, which needs a GPU. A plan of TensorRT-RTX holds its
compiler's listing in clear text: that is read without a GPU, and without the library.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError
from lane_seg.plans.messages import messages_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lane_seg.plans.libraries import Library

__all__ = [
    'CONVOLUTIONS', 'Layer', 'is_listed', 'layers_from_inspection', 'layers_from_listing',
    'layers_of_plan', 'precisions_of_convolutions',
]  # fmt: skip

CONVOLUTIONS = CONVOLUTION, DECONVOLUTION = 'convolution', 'deconvolution'
# The listing's words for operators that multiply with weights.
_KINDS = {'corrltn': CONVOLUTION, 'deconv': DECONVOLUTION, 'convltn': DECONVOLUTION}
_OPERATOR = re.compile(
    r'(corrltn|convltn|deconv)=\{ name="([^"]+)" output=\{([^}]*)\} input=\{([^}]*)\}'
)
# A 1x1 convolution may have become a matrix product, fused with what follows.
_FUSED = re.compile(
    r'runtime_fusion=\{ name=\w+ input_args=\{([^}]*)\} output_args=\{([^}]*)\}[^\n]*?'
    r'layers="\[ONNX Layer: ([^\]"]+)\]__gemm_from_conv'
)
_TENSOR = re.compile(r'tensor=\{([^\n]*?)name="([^"]+)"[^\n]*? type=(\w+) \}')
_KERNEL = re.compile(r'function=\{ name=(\w+)')
_PRINTABLE = re.compile(rb'[\t\n\x20-\x7e]{6,}')
_TYPES = {
    'int8': 'int8', 'uint8': 'uint8', 'half': 'fp16', 'fp16': 'fp16', 'float16': 'fp16',
    'float': 'fp32', 'fp32': 'fp32', 'float32': 'fp32', 'int32': 'int32', 'int64': 'int64',
    'bool': 'bool', 'bf16': 'bf16', 'bfloat16': 'bf16', 'fp8': 'fp8',
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """One layer, or fused group of layers, of a plan.

    Attributes:
        name: as in the graph, as far as the builder kept it.
        kind: 'convolution', 'deconvolution', or the library's own word.
        precision: type that it computes in: 'int8', 'fp16', 'fp32', ... or '' if not known.
        output: type that it writes, or ''.
        weight_bytes: size of its weights in bytes; 0 if none or not known.
    """

    name: str
    kind: str
    precision: str
    output: str
    weight_bytes: int


def layers_of_plan(plan: bytes, library: Library | None = None) -> list[Layer]:
    """List the layers of a plan.

    Args:
        plan: the serialized engine.
        library: that built it; None is enough for a plan of TensorRT-RTX.

    Raises:
        EngineError: the plan has no listing and cannot be loaded here.
    """
    if is_listed(plan):
        return layers_from_listing(plan)
    if library is None:
        raise EngineError(
            'expected the library that built the plan, found none: only plans of TensorRT-RTX can '
            'be read without; look at it on the machine that runs it'
        )
    api = library.api
    messages = messages_of(library)
    messages.clear()
    runtime = api.Runtime(messages.logger)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineError(
            f'expected a plan that {library.flavour} {library.version} can load here, found: '
            f'{messages.errors() or "it refused it"}; look at it on the machine that it was built '
            'for'
        )
    text = engine.create_engine_inspector().get_engine_information(api.LayerInformationFormat.JSON)
    return layers_from_inspection(text)


def is_listed(plan: bytes) -> bool:
    """Tell whether the plan holds its compiler's listing."""
    return b'corrltn={ name=' in plan or b'function={ name=' in plan


def layers_from_listing(plan: bytes) -> list[Layer]:
    """Read the listing inside a plan of TensorRT-RTX.

    Convolutions come first, with the types of their operands; then the other kernels. Where the
    plan is for several compute capabilities, a layer that differs among them is listed with each
    of its types.
    """
    text = b'\n'.join(_PRINTABLE.findall(plan)).decode('latin1')
    types: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for match in _TENSOR.finditer(text):
        types[match[2]] = _TYPES.get(match[3], match[3])
        size = re.search(r'const_payload_size=(\d+)', match[1])
        sizes[match[2]] = int(size[1]) if size else 0
    found: dict[Layer, None] = {}
    for match in _OPERATOR.finditer(text):
        inputs = re.findall(r'"([^"]+)"', match[4])
        outputs = re.findall(r'"([^"]+)"', match[3])
        operands = [types.get(name, '') for name in inputs[:2]]
        precision = operands[0] if len(set(operands)) == 1 else '+'.join(operands)
        layer = Layer(
            name=match[2],
            kind=_KINDS[match[1]],
            precision=precision,
            output=types.get(outputs[0], '') if outputs else '',
            weight_bytes=sizes.get(inputs[1], 0) if len(inputs) > 1 else 0,
        )
        found[layer] = None
    for match in _FUSED.finditer(text):
        inputs = re.findall(r'"([^"]+)"', match[1])
        outputs = re.findall(r'"([^"]+)"', match[2])
        # Among the constants the weights are the largest; the bias is small.
        weights = max(inputs, key=lambda name: sizes.get(name, 0))
        names = [weights, *(name for name in inputs if not sizes.get(name))]
        layer = Layer(
            name=match[3],
            kind=CONVOLUTION,
            precision='+'.join(sorted({types.get(name, '') for name in names})),
            output=types.get(outputs[0], '') if outputs else '',
            weight_bytes=sizes.get(weights, 0),
        )
        found[layer] = None
    kernels = Counter(match[1] for match in _KERNEL.finditer(text))
    others = [Layer(name, f'kernel x{count}', '', '', 0) for name, count in kernels.items()]
    return [*found, *others]


def precisions_of_convolutions(layers: Sequence[Layer]) -> dict[str, int]:
    """Count the convolutions of a plan by the type that they compute in."""
    return dict(
        Counter(
            layer.precision for layer in layers if layer.kind in CONVOLUTIONS and layer.precision
        )
    )


def layers_from_inspection(text: str) -> list[Layer]:
    """Read what TensorRT's engine inspector says, in JSON.

    Raises:
        EngineError: not that JSON.
    """
    try:
        rows = json.loads(text)['Layers']
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f'expected the JSON of the engine inspector, found: {error}') from error
    return [_inspected(row) for row in rows]


def _inspected(row: object) -> Layer:
    if not isinstance(row, dict):  # plans that were not built with detailed verbosity
        return Layer(str(row), '', '', '', 0)
    weights = row.get('Weights')
    weights = weights if isinstance(weights, dict) else {}
    kind = str(row.get('ParameterType') or row.get('LayerType') or '')
    weight_type = _type(str(weights.get('Type', '')))
    inputs = [_type(text) for text in _formats(row, 'Inputs')]
    outputs = [_type(text) for text in _formats(row, 'Outputs')]
    bytes_each = {'int8': 1, 'fp16': 2, 'fp32': 4}.get(weight_type, 0)
    return Layer(
        name=str(row.get('Name', '')),
        kind=kind.lower(),
        precision=weight_type or (inputs[0] if inputs else ''),
        output=outputs[0] if outputs else '',
        weight_bytes=int(weights.get('Count', 0)) * bytes_each,
    )


def _formats(row: Mapping[str, object], key: str) -> Iterator[str]:
    tensors = row.get(key)
    for tensor in tensors if isinstance(tensors, list) else []:
        if isinstance(tensor, dict):
            yield ' '.join(str(tensor.get(word, '')) for word in ('Format/Datatype', 'Datatype'))


def _type(text: str) -> str:
    """The number type within a phrase like 'Thirty-two wide channel vectorized Int8 format'."""
    for word in re.findall(r'\w+', text.lower()):
        if word in _TYPES:
            return _TYPES[word]
    return ''
