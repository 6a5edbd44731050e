"""A network that computes as its int8 file will."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from lane_seg_train.fake_quantization.fake_quantizer import FakeQuantizer
from lane_seg_train.fake_quantization.placement import Placement, QuantizedCalls, find_placement

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from lane_seg_train.nets.net import Net

__all__ = ['INPUT_SCALE', 'QuantizedNet']

# (x - 128) / 64 takes 256 values of this spacing: with this scale the input is quantized exactly.
INPUT_SCALE = 1 / 64


class QuantizedNet(nn.Module):
    """A network whose convolutions see int8 values, in float arithmetic.

    The network itself stays as it is, and its weights keep their full precision: they are rounded
    anew in every run. So it can go on learning, and leave quantization again.

    Args:
        net: the network; becomes part of this one.
        size: (height, width) of its input.
        exclude: convolutions that stay float; see `find_placement`.
        weight_bits: 8; fewer only to measure what fewer would cost.
        activation_bits: likewise; the image keeps its 8 bits.

    Shape:
        as the network's.
    """

    def __init__(
        self,
        net: Net,
        size: tuple[int, int],
        *,
        exclude: Sequence[str] = (),
        weight_bits: int = 8,
        activation_bits: int = 8,
    ) -> None:
        super().__init__()
        self.net = net
        self.exclude = tuple(exclude)
        parameter = next(net.parameters())
        was_training = net.training
        net.eval()
        self.placement: Placement = find_placement(
            net, torch.zeros((1, 3, *size), device=parameter.device), exclude
        )
        self.activations = nn.ModuleList(
            FakeQuantizer(bits=8 if number == self.placement.image else activation_bits)
            for number in range(self.placement.activations)
        )
        convolutions = dict(net.named_modules())
        # No name of a module may hold a dot.
        self.weights = nn.ModuleDict(
            {
                name.replace('.', '/'): FakeQuantizer(
                    len(convolutions[name].weight), bits=weight_bits
                )  # type: ignore[arg-type]
                for name in self.placement.weights
            }
        )
        self.set_weight_ranges()
        if self.placement.image is not None:
            image: FakeQuantizer = self.activations[self.placement.image]  # type: ignore[assignment]
            image.scale.fill_(INPUT_SCALE)
        self.train(was_training)

    def weight_quantizers(self) -> Iterator[tuple[str, nn.Parameter, FakeQuantizer]]:
        """Yield name, weight (out, in, kh, kw) and quantizer of every quantized convolution."""
        convolutions = dict(self.net.named_modules())
        for name in self.placement.weights:
            quantizer = self.weights[name.replace('.', '/')]
            assert isinstance(quantizer, FakeQuantizer)
            yield name, convolutions[name].weight, quantizer  # type: ignore[misc]

    def activation_quantizers(self) -> list[FakeQuantizer]:
        """The quantizers of activations, by number."""
        return [item for item in self.activations if isinstance(item, FakeQuantizer)]

    def set_weight_ranges(self) -> None:
        """Fit the scales of all weights to their maxima, channel by channel."""
        for _, weight, quantizer in self.weight_quantizers():
            quantizer.set_amax(weight.detach().abs().amax((1, 2, 3)))

    def enable(self, names: Collection[str] | None) -> None:
        """Quantize only these convolutions, weights and input each; None: all, and additions."""
        inputs = {self.placement.input_of[name] for name in names or ()}
        for number, quantizer in enumerate(self.activation_quantizers()):
            quantizer.enabled = names is None or number in inputs
        for name, _, quantizer in self.weight_quantizers():
            quantizer.enabled = names is None or name in names

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        """Compute logits from quantized values."""
        return self.run(tensor, self.activation_quantizers())

    def run(
        self,
        tensor: torch.Tensor,
        activations: Sequence[Callable[[torch.Tensor], torch.Tensor]],
        *,
        quantize_weights: bool = True,
    ) -> torch.Tensor:
        """Compute logits with something else in the places of the activation quantizers."""
        weights: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
            name: quantizer if quantize_weights else _same
            for name, _, quantizer in self.weight_quantizers()
        }
        with QuantizedCalls(self.placement, activations, weights):
            logits: torch.Tensor = self.net(tensor)
        return logits


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor
