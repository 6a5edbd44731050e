"""Round to the grid of int8 and stay in float: what an int8 engine will compute, in PyTorch."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ['CODE_MAX', 'FakeQuantizer', 'codes_within']

# Symmetric: -127..127 for weights. Activations may use -128 too, as QuantizeLinear does.
CODE_MAX = 127
# What no tensor of a network comes near; keeps scales of dead channels above zero.
SMALLEST_AMAX = 1e-8


def codes_within(bits: int) -> int:
    """Largest code of a symmetric grid: 127 for 8 bits, 7 for 4."""
    return int(2 ** (bits - 1) - 1)


class FakeQuantizer(nn.Module):
    """Rounds a tensor to `codes * scale`, codes being what int8 can hold, zero point 0.

    The gradient passes where the value is within the grid and is zero where it is clipped
    (straight-through; Jacob et al., 2018, arXiv:1712.05877, Bengio et al., 2013, arXiv:1308.3432).
    In an ONNX export it becomes QuantizeLinear and DequantizeLinear.

    Args:
        channels: number of scales: one for each slice along the first dimension (weights), or
            None for one scale altogether (activations).
        bits: 8; fewer only to measure what fewer would cost.

    Attributes:
        scale: float32, (channels,) or (); a buffer, so that it is saved with the weights.
        enabled: False passes tensors through.
    """

    scale: torch.Tensor
    zero_point: torch.Tensor

    def __init__(self, channels: int | None = None, *, bits: int = 8) -> None:
        super().__init__()
        shape = () if channels is None else (channels,)
        self.per_channel = channels is not None
        self.code_max = codes_within(bits)
        self.enabled = True
        self.register_buffer('scale', torch.ones(shape))
        self.register_buffer('zero_point', torch.zeros(shape, dtype=torch.int32), persistent=False)

    def set_amax(self, amax: torch.Tensor | float) -> None:
        """Choose the scale that maps `amax`, the largest magnitude, to the largest code.

        Args:
            amax: of the shape of `scale`, at least 0.
        """
        amax = torch.as_tensor(amax, dtype=self.scale.dtype, device=self.scale.device)
        self.scale.copy_(amax.clamp_min(SMALLEST_AMAX) / self.code_max)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        """Round; same shape and type."""
        if not self.enabled:
            return tensor
        low = -self.code_max - 1
        if self.per_channel:
            rounded: torch.Tensor = torch.fake_quantize_per_channel_affine(
                tensor, self.scale, self.zero_point, 0, low, self.code_max
            )
        else:
            rounded = torch.fake_quantize_per_tensor_affine(
                tensor, self.scale, self.zero_point, low, self.code_max
            )
        return rounded
