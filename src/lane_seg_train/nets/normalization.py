"""What every network gets instead of grey levels; training and the exported graph share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ['normalized']


def normalized(image: torch.Tensor) -> torch.Tensor:
    """(x - 128) / 64: uint8 0..255 becomes float -2..1.984, of the same shape.

    Scaled by a power of two, the 256 grey levels lie exactly on the int8 grid of step 1/64, so
    that quantizing the network's input loses nothing.
    """
    return (image.float() - 128.0) / 64.0
