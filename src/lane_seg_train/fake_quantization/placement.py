"""Where a network is quantized: found by watching one run of it, whatever the network.

The rules are those of explicit quantization in TensorRT (docs/quantization.md): inputs and weights
of convolutions are quantized, and both sides of an addition; nothing comes between a convolution,
its batch normalization and its ReLU; what a convolution that nobody follows gives (the logits)
stays float. Every tensor is quantized once, for all that read it. Operations that
only move values (concatenation, nearest resize, max pooling) take quantized tensors and give
quantized ones, so that engines move bytes; all inputs of a concatenation share one scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.fake_quantization.calls import (
    ADD,
    CONV,
    MOVE,
    NetworkCalls,
    tensors_of,
    with_tensors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from torch import nn

__all__ = ['Placement', 'QuantizedCalls', 'Step', 'find_placement']


@dataclass(frozen=True)
class Step:
    """What is quantized at one call.

    Attributes:
        kind: 'conv', 'add' or 'move'.
        inputs: for each tensor that the call takes, the number of its activation quantizer, or
            None if it is not to be quantized (again).
        weight: name of the convolution whose weight is quantized, or None.
    """

    kind: str
    inputs: tuple[int | None, ...]
    weight: str | None = None


@dataclass(frozen=True)
class Placement:
    """Where a network is quantized.

    Attributes:
        steps: one for each call that `QuantizedCalls` sees, in order.
        activations: number of activation quantizers.
        weights: names of the quantized convolutions, in the order of their calls.
        input_of: name of each of them -> number of the quantizer of its input.
        image: number of the quantizer of the network's input; None if it is not quantized.
    """

    steps: tuple[Step, ...]
    activations: int
    weights: tuple[str, ...]
    input_of: dict[str, int]
    image: int | None


@dataclass
class _Call:
    kind: str
    inputs: list[int]
    output: int
    weight: str | None = None


@dataclass
class _Watched:
    """One run: its calls, and every tensor in them, kept alive so that no `id` is used twice."""

    calls: list[_Call] = field(default_factory=list)
    tensors: dict[int, torch.Tensor] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)

    def read(self, tensor: torch.Tensor) -> int:
        token = id(tensor)
        self.tensors[token] = tensor
        if self.versions.setdefault(token, tensor._version) != tensor._version:
            raise LaneSegError(
                'quantization: expected tensors that do not change once they were read, found '
                'one that an in-place operation changes; use the operation that is not in place'
            )
        return token

    def made(self, call: str, tensor: torch.Tensor) -> int:
        self.tensors[id(tensor)] = tensor
        if call == MOVE:  # must stay on the grid that it was moved from
            self.versions[id(tensor)] = tensor._version
        return id(tensor)


class _Watch(NetworkCalls):
    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__()
        self.names = names
        self.watched = _Watched()

    def call(
        self, kind: str, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> torch.Tensor:
        inputs = [self.watched.read(tensor) for tensor in tensors_of(kind, args)]
        result = func(*args, **kwargs)
        weight = self.names.get(id(args[1])) if kind == CONV else None
        self.watched.calls.append(_Call(kind, inputs, self.watched.made(kind, result), weight))
        return result


class QuantizedCalls(NetworkCalls):
    """While it is active, the calls of a network are quantized as the placement says.

    Args:
        placement: of the network that runs.
        activations: applied to activations, by number.
        weights: applied to weights, by the convolution's name.
    """

    def __init__(
        self,
        placement: Placement,
        activations: Sequence[Callable[[torch.Tensor], torch.Tensor]],
        weights: Mapping[str, Callable[[torch.Tensor], torch.Tensor]],
    ) -> None:
        super().__init__()
        self.placement = placement
        self.activations = activations
        self.weights = weights
        self.next = 0
        # Values are (tensor, quantized): as long as the tensor lives here, its id is its own.
        self.done: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def call(
        self, kind: str, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> torch.Tensor:
        """Quantize what the call takes, and make it."""
        steps = self.placement.steps
        if self.next >= len(steps) or steps[self.next].kind != kind:
            raise self._other_calls(kind)
        step = steps[self.next]
        self.next += 1
        tensors = [
            tensor if number is None else self._quantized(tensor, number)
            for tensor, number in zip(tensors_of(kind, args), step.inputs, strict=True)
        ]
        args = with_tensors(kind, args, tensors)
        if step.weight is not None:
            args = [args[0], self.weights[step.weight](args[1]), *args[2:]]
        return func(*args, **kwargs)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        if kind is None and self.next < len(self.placement.steps):
            raise self._other_calls('its end')

    def _other_calls(self, found: str) -> LaneSegError:
        return LaneSegError(
            'quantization: expected a network that makes the same calls every time, found '
            f'{found} as call {self.next}; such a network cannot be quantized here'
        )

    def _quantized(self, tensor: torch.Tensor, number: int) -> torch.Tensor:
        if id(tensor) not in self.done:
            self.done[id(tensor)] = tensor, self.activations[number](tensor)
        return self.done[id(tensor)][1]


def find_placement(net: nn.Module, image: torch.Tensor, exclude: Sequence[str] = ()) -> Placement:
    """Run a network once, and decide where it is quantized.

    Args:
        net: the network, in eval mode.
        image: an input of it, (1, 3, H, W) float.
        exclude: convolutions that stay float, by the beginning of their names: 'encoder.0' stands
            for 'encoder.0' and for 'encoder.0.1'.

    Raises:
        LaneSegError: a name that no convolution has, or a network that changes tensors in place
            after they were read.
    """
    names = {
        id(module.weight): name
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.Conv2d)
    }
    _check_exclude(exclude, list(names.values()))
    watch = _Watch(names)
    with torch.no_grad(), watch:
        net(image)
    calls = [
        _Call(call.kind, call.inputs, call.output, None)
        if call.weight is not None and _starts(call.weight, exclude)
        else call
        for call in watch.watched.calls
    ]
    return _place(calls, id(image))


def _place(calls: Sequence[_Call], image: int) -> Placement:
    movers = {call.output: call for call in calls if call.kind == MOVE}
    parent: dict[int, int] = {}

    def group(token: int) -> int:
        while parent.setdefault(token, token) != token:
            token = parent[token]
        return token

    def need(token: int) -> None:
        """This tensor has to lie on a grid: so do those that it was moved from, on the same."""
        if token in parent:
            return
        group(token)
        for source in movers[token].inputs if token in movers else ():
            need(source)
            parent[group(source)] = group(token)

    for call in calls:
        if (call.kind == CONV and call.weight is not None) or call.kind == ADD:
            for token in call.inputs:
                need(token)
    numbers: dict[int, int] = {}

    def quantizer(token: int) -> int | None:
        """Number of what quantizes a tensor; None if it is float, or on its grid already."""
        if token not in parent or token in movers:
            return None
        return numbers.setdefault(group(token), len(numbers))

    steps = []
    input_of: dict[str, int] = {}
    for call in calls:
        # An addition's inputs are on grids; those of a convolution that stays float need not be.
        is_float = call.kind == CONV and call.weight is None
        is_float |= call.kind == MOVE and call.output not in parent
        inputs = tuple(None if is_float else quantizer(token) for token in call.inputs)
        steps.append(Step(call.kind, inputs, call.weight))
        if call.weight is not None:
            input_of[call.weight] = numbers[group(call.inputs[0])]
    return Placement(
        steps=tuple(steps),
        activations=len(numbers),
        weights=tuple(dict.fromkeys(call.weight for call in calls if call.weight is not None)),
        input_of=input_of,
        image=numbers.get(group(image)) if image in parent else None,
    )


def _starts(name: str, beginnings: Sequence[str]) -> bool:
    return any(name == item or name.startswith(f'{item}.') for item in beginnings)


def _check_exclude(exclude: Sequence[str], names: Sequence[str]) -> None:
    unknown = [item for item in exclude if not any(_starts(name, [item]) for name in names)]
    if unknown:
        raise LaneSegError(
            f'exclude: expected names of convolutions, found {", ".join(unknown)}; there are '
            f'{", ".join(names)}'
        )
