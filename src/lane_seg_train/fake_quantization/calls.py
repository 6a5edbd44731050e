"""The calls of a network that quantization is about, seen while it runs."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ['ADD', 'CONV', 'MOVE', 'NetworkCalls', 'tensors_of', 'with_tensors']

CONV = 'conv'
ADD = 'add'
MOVE = 'move'

KINDS: Mapping[object, str] = {
    functional.conv2d: CONV,
    torch.conv2d: CONV,
    torch.add: ADD,
    torch.Tensor.add: ADD,
    torch.Tensor.__add__: ADD,
    torch.Tensor.__radd__: ADD,
    torch.cat: MOVE,
    torch.concat: MOVE,
    torch.max_pool2d: MOVE,
    functional.max_pool2d: MOVE,
    functional.interpolate: MOVE,
}


class NetworkCalls(TorchFunctionMode):
    """While it is active, hands over the calls that matter, in the order of the network."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - what any function of PyTorch returns
        """Sort the calls; see `torch.overrides`."""
        kwargs = dict(kwargs or {})
        kind = KINDS.get(func)
        if kind is None or not _matters(kind, func, args, kwargs):
            return func(*args, **kwargs)
        return self.call(kind, func, args, kwargs)

    @abstractmethod
    def call(
        self, kind: str, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> torch.Tensor:
        """Make the call, in one's own way.

        Args:
            kind: CONV, ADD, or MOVE: nearest resize, max pooling, concatenation.
            func: the function, with its arguments.
            args: positional ones, tensors first; see `tensors_of`.
            kwargs: the others.
        """


def _matters(
    kind: str, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> bool:
    if kind == ADD:
        # Of two feature maps; not of a bias, and not of what transformers add.
        return (
            len(args) == 2
            and all(isinstance(item, torch.Tensor) and item.dim() == 4 for item in args)
            and args[0].shape == args[1].shape
        )
    if func is functional.interpolate:
        mode = kwargs.get('mode', args[3] if len(args) > 3 else 'nearest')
        return bool(mode == 'nearest')
    if kind == MOVE:
        return all(tensor.dim() == 4 for tensor in tensors_of(kind, args))
    return True


def tensors_of(kind: str, args: Sequence[Any]) -> list[torch.Tensor]:
    """The activations that a call takes; weights and biases are none."""
    if kind == ADD:
        return list(args[:2])
    if kind == MOVE and not isinstance(args[0], torch.Tensor):
        return list(args[0])
    return [args[0]]


def with_tensors(kind: str, args: Sequence[Any], tensors: list[torch.Tensor]) -> list[Any]:
    """The arguments of a call with other activations in their places."""
    if kind == ADD:
        return [*tensors, *args[2:]]
    if kind == MOVE and not isinstance(args[0], torch.Tensor):
        return [tensors, *args[1:]]
    return [tensors[0], *args[1:]]
