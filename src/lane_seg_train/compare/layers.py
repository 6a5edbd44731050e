"""The layers that an engine really executed, with their precision and time."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ['Layer', 'Part', 'csv_of_layers', 'parts_of', 'total_ms']

INT8 = ('u8', 's8')
# 'Convolution', 'QLinearConv', 'Conv2d', but not 'Convert'.
_CONVOLUTION = re.compile(r'conv(?!er)', re.IGNORECASE)
_DECONVOLUTION = re.compile(r'deconv|convtranspose', re.IGNORECASE)


@dataclass(frozen=True)
class Layer:
    """One layer as it was executed; an engine may have made it of several operators.

    Attributes:
        name: as the engine calls it.
        kind: as the engine calls it, such as 'Convolution' or 'QLinearConv'.
        precision: of its arithmetic: 'u8' and 's8' (both int8), 'f32', 'bf16', 'f16' and so on.
        ms: median time of a frame.
        operators: names of the operators of the ONNX file that it stands for, as far as the
            engine tells.
    """

    name: str
    kind: str
    precision: str
    ms: float
    operators: tuple[str, ...] = ()

    @property
    def is_int8(self) -> bool:
        """Whether it calculates with 8 bits."""
        return self.precision in INT8

    @property
    def is_convolution(self) -> bool:
        """Whether it is a convolution, transposed ones included."""
        return bool(_CONVOLUTION.search(self.kind) or _DECONVOLUTION.search(self.kind))

    def plain(self) -> dict[str, Any]:
        """As JSON knows it."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """Back from `plain`."""
        return cls(**{**plain, 'operators': tuple(plain['operators'])})


@dataclass(frozen=True)
class Part:
    """All layers of one kind and precision.

    Attributes:
        kind: of the layers.
        precision: of the layers.
        count: number of layers.
        ms: sum of their times.
    """

    kind: str
    precision: str
    count: int
    ms: float


def parts_of(layers: Iterable[Layer]) -> list[Part]:
    """Sum up layers by kind and precision, the slowest part first."""
    groups: dict[tuple[str, str], list[float]] = {}
    for layer in layers:
        groups.setdefault((layer.kind, layer.precision), []).append(layer.ms)
    parts = [Part(*key, len(times), sum(times)) for key, times in groups.items()]
    return sorted(parts, key=lambda part: -part.ms)


def total_ms(layers: Iterable[Layer]) -> float:
    """Time of all layers together."""
    return sum(layer.ms for layer in layers)


def csv_of_layers(layers: Sequence[Layer]) -> str:
    """One row for each layer, in the order of execution; times in ms, shares 0..1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['layer', 'kind', 'precision', 'ms', 'share', 'operators'])
    total = total_ms(layers) or 1.0
    for layer in layers:
        ms, share = f'{layer.ms:.4f}', f'{layer.ms / total:.4f}'
        row = [layer.name, layer.kind, layer.precision, ms, share, ' '.join(layer.operators)]
        writer.writerow(row)
    return text.getvalue()
