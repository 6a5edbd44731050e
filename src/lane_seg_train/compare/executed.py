"""Whether what was executed is what the label says: int8 where the file has int8, else float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg_train.compare.layers import total_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lane_seg_train.compare.int8_graph import Int8Graph
    from lane_seg_train.compare.layers import Layer

__all__ = ['Executed', 'FloatLayer', 'executed', 'float_layers']


@dataclass(frozen=True)
class Executed:
    """How the convolutions of a contender ran.

    Attributes:
        convolutions: that were executed.
        int8: of these, in 8 bits.
        other_types: precisions of the others, such as ('f32',).
        missing: convolutions that the file has in int8, in a way that this engine can run, and
            that ran in float all the same.
        excluded: convolutions that the file leaves in float, or gives a float output where the
            engine's kernel has none.
        float_share: share of the layers' time in float layers, 0..1.
    """

    convolutions: int
    int8: int
    other_types: tuple[str, ...]
    missing: tuple[str, ...]
    excluded: tuple[str, ...]
    float_share: float

    @property
    def text(self) -> str:
        """In words, such as '13 of 16 convolutions int8, others f32'."""
        if not self.convolutions:
            return 'no convolutions'
        if not self.int8:
            return f'{self.convolutions} convolutions {", ".join(self.other_types)}'
        others = f', others {", ".join(self.other_types)}' if self.other_types else ''
        return f'{self.int8} of {self.convolutions} convolutions int8{others}'


@dataclass(frozen=True)
class FloatLayer:
    """A float layer of an int8 contender.

    Attributes:
        operators: of the file that it stands for, those that no Q/DQ pair encloses.
        layer: that ran them; '' where none is left of them at run time.
        ms: median time of a frame.
        share: of the time of all layers, 0..1.
    """

    operators: tuple[str, ...]
    layer: str
    ms: float
    share: float


def executed(layers: Sequence[Layer], engine: str, graph: Int8Graph | None) -> Executed:
    """Compare what ran with what the file says.

    ONNX Runtime's int8 convolution (QLinearConv) writes int8 only, so there a convolution whose
    output the file leaves in float counts as excluded. OpenVINO runs those in int8 too.

    Args:
        layers: that were executed.
        engine: name of the engine.
        graph: of the int8 file; None for a float model.
    """
    convolutions = [layer for layer in layers if layer.is_convolution]
    ran = {name for layer in convolutions if layer.is_int8 for name in layer.operators}
    missing, excluded = [], []
    for one in graph.convolutions if graph else ():
        if one.takes_int8 and (one.gives_int8 or engine != 'onnxruntime'):
            missing += [one.name] if one.name not in ran else []
        elif one.name not in ran:
            excluded.append(one.name)
    whole_ms = total_ms(layers)
    float_ms = total_ms(layer for layer in layers if not layer.is_int8)
    return Executed(
        convolutions=len(convolutions),
        int8=sum(layer.is_int8 for layer in convolutions),
        other_types=tuple(sorted({one.precision for one in convolutions if not one.is_int8})),
        missing=tuple(missing),
        excluded=tuple(excluded),
        float_share=float_ms / whole_ms if whole_ms else float('nan'),
    )


def float_layers(layers: Sequence[Layer], graph: Int8Graph) -> list[FloatLayer]:
    """List the operators that the int8 file leaves in float, with what they cost.

    Operators that one layer computes stand together. The slowest come first, last those of which
    nothing is left: they were computed at load, or in the kernel of an int8 layer.
    """
    whole_ms = total_ms(layers) or 1.0
    names = {operator.name: operator.kind for operator in graph.float_operators}
    found: list[FloatLayer] = []
    for layer in layers:
        here = tuple(name for name in layer.operators if name in names)
        if here:
            kinds = tuple(f'{name} ({names.pop(name)})' for name in here)
            found.append(FloatLayer(kinds, layer.name, layer.ms, layer.ms / whole_ms))
    found.sort(key=lambda one: -one.ms)
    if names:
        rest = tuple(f'{name} ({kind})' for name, kind in names.items())
        found.append(FloatLayer(rest, '', 0.0, 0.0))
    return found
