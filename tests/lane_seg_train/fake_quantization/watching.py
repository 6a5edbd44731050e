"""What a network really computes: each call, and the calls whose results it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from lane_seg_train.fake_quantization.quantized_net import QuantizedNet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import nn

PER_TENSOR = 'fake_quantize_per_tensor_affine'
PER_CHANNEL = 'fake_quantize_per_channel_affine'
ADDITIONS = ('add', '__add__')
MOVES = ('cat', 'max_pool2d', 'interpolate')


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a function of PyTorch.

    Attributes:
        name: of the function.
        args: its arguments; tensors as they are after the run.
        kwargs: likewise.
        makers: the calls that made or last changed its tensors; None for inputs and weights.
        tensors: these tensors, in the same order.
        result: what it returned.
    """

    name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    makers: list[Call | None]
    tensors: list[torch.Tensor]
    result: object

    @property
    def is_move(self) -> bool:
        mode = self.kwargs.get('mode', 'nearest')
        return self.name in MOVES and mode == 'nearest'


class Watch(TorchFunctionMode):
    """Records what is left to compute after the modes entered later have had their turn."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.maker: dict[int, Call] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        tensors = list(tensors_in([*args, *(kwargs or {}).values()]))
        makers = [self.maker.get(id(tensor)) for tensor in tensors]
        result = func(*args, **(kwargs or {}))
        name = getattr(func, '__name__', str(func))
        call = Call(name, args, kwargs or {}, makers, tensors, result)
        self.calls.append(call)  # keeps all tensors alive, so that no id is used twice
        for tensor in tensors_in([result]):
            self.maker[id(tensor)] = call
        return result

    def of(self, *names: str) -> list[Call]:
        return [call for call in self.calls if call.name in names]


def tensors_in(items: Sequence[object]) -> Iterator[torch.Tensor]:
    for item in items:
        if isinstance(item, torch.Tensor):
            yield item
        elif isinstance(item, (list, tuple)):
            yield from tensors_in(item)


def watched(net: nn.Module, image: torch.Tensor) -> tuple[Watch, torch.Tensor]:
    """Run a network; return what was seen, and its logits."""
    watch = Watch()
    with torch.no_grad(), watch:
        logits = net(image)
    return watch, logits


def sources(call: Call | None) -> set[Call | None]:
    """The calls that a tensor comes from, looking through what only moves values."""
    if call is None or not call.is_move:
        return {call}
    return {source for maker in call.makers for source in sources(maker)}


def is_quantized(call: Call | None) -> bool:
    return all(source is not None and source.name == PER_TENSOR for source in sources(call))


def check_placement(net: QuantizedNet, image: torch.Tensor) -> Watch:
    """Hold all rules of int8 placement on one run of the network."""
    watch, logits = watched(net, image)
    convolutions = watch.of('conv2d')
    assert convolutions
    for call in convolutions:
        assert is_quantized(call.makers[0]), call.args[0].shape
        assert call.makers[1] is not None
        assert call.makers[1].name == PER_CHANNEL

    rounded = [id(call.tensors[0]) for call in watch.of(PER_TENSOR)]
    assert len(set(rounded)) == len(rounded)  # each tensor once
    assert len({id(call.args[1]) for call in watch.of(PER_TENSOR)}) == net.placement.activations

    for call in watch.of('batch_norm'):
        assert [maker.name for maker in call.makers[:1] if maker] == ['conv2d']
    for call in watch.of('relu', 'relu_', 'relu6', 'hardtanh', 'prelu'):
        [maker] = [maker for maker in call.makers[:1] if maker]
        assert maker.name != PER_TENSOR
        assert not maker.is_move or not is_quantized(maker)

    for call in watch.of(*ADDITIONS):
        shapes = [tensor.shape for tensor in call.tensors]
        if len(shapes) == 2 and len(shapes[0]) == 4 and shapes[0] == shapes[1]:
            assert [is_quantized(maker) for maker in call.makers] == [True, True]

    needed = {
        maker
        for call in (*convolutions, *watch.of(*ADDITIONS))
        for maker in call.makers[:2]
        if maker is not None and maker.is_move and is_quantized(maker)
    }
    for call in needed:
        scales = {id(source.args[1]) for source in sources(call) if source is not None}
        assert len(scales) == 1, call.name
    check_float(watch, logits)
    return watch


def check_float(watch: Watch, logits: torch.Tensor) -> None:
    """Nothing is rounded between the logits and what they are computed from."""
    ends = (*ADDITIONS, 'conv2d')
    call = watch.maker[id(logits)]
    while call.name not in ends:
        assert call.name not in (PER_TENSOR, PER_CHANNEL)
        [call] = [maker for maker in call.makers[:1] if maker]
