"""How large a network is and how much it computes, without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from torch import nn

__all__ = ['NetSummary', 'summarize']


@dataclass(frozen=True)
class NetSummary:
    """Size and work of a network at one input size.

    Attributes:
        parameters: number of weights; what batch normalization keeps besides is no part of it,
            for the exported graph has it folded into the convolutions.
        gmac: 10^9 multiply-accumulates of one image: of convolutions and matrix products, all
            else is not counted.
        float32_mb: 10^6 bytes of the weights as float32, what is deployed before quantization:
            never the optimizer's state.
    """

    parameters: int
    gmac: float
    float32_mb: float

    def __str__(self) -> str:
        return (
            f'{self.parameters / 1e6:.2f} M parameters ({self.float32_mb:.1f} MB as float32), '
            f'{self.gmac:.2f} GMAC'
        )


def summarize(net: nn.Module, height: int, width: int) -> NetSummary:
    """Count parameters and multiply-accumulates; the network computes nothing and stays as it is.

    Args:
        net: the network; may lie on any device and be in training.
        height: input height in pixels, one that the network takes.
        width: input width in pixels.
    """
    # On this device tensors have shapes and no content.
    shapes = {
        name: torch.empty_like(item, device='meta')
        for name, item in [*net.named_parameters(), *net.named_buffers()]
    }
    image = torch.empty((1, 3, height, width), device='meta')
    was_training = net.training
    counter = FlopCounterMode(display=False)
    net.eval()
    try:
        with torch.no_grad(), counter:
            functional_call(net, shapes, (image,))
    finally:
        net.train(was_training)
    parameters = sum(item.numel() for item in net.parameters())
    return NetSummary(
        parameters=parameters,
        gmac=counter.get_total_flops() / 2 / 1e9,
        float32_mb=parameters * 4 / 1e6,
    )
