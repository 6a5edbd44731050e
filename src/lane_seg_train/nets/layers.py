"""Building blocks that several networks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    'conv_norm_relu',
    'decode',
    'decoder_step',
    'dropout',
    'initialize_for_relu',
    'pointwise',
    'stacked',
    'upsampled',
]


def conv_norm_relu(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int = 3,
    stride: int = 1,
    batch_norm: bool = True,
) -> nn.Sequential:
    """Convolution with 'same' padding, batch normalization (or a bias), ReLU."""
    padding = kernel // 2
    convolution = nn.Conv2d(
        in_channels, out_channels, kernel, stride, padding, bias=not batch_norm
    )
    norm = [nn.BatchNorm2d(out_channels)] if batch_norm else []
    return nn.Sequential(convolution, *norm, nn.ReLU(inplace=True))


def stacked(
    in_channels: int, out_channels: int, count: int, *, batch_norm: bool = True
) -> nn.Sequential:
    """`count` 3x3 convolutions of the kind of `conv_norm_relu`, one after the other."""
    sizes = [in_channels] + [out_channels] * count
    layers = [conv_norm_relu(*pair, batch_norm=batch_norm) for pair in zip(sizes, sizes[1:])]  # noqa: B905
    # One of them is not wrapped: so are the weights named in checkpoints.
    return layers[0] if count == 1 else nn.Sequential(*layers)


def pointwise(in_channels: int, out_channels: int, *, batch_norm: bool = True) -> nn.Sequential:
    """1x1 convolution and batch normalization (or a bias), linear."""
    convolution = nn.Conv2d(in_channels, out_channels, 1, bias=not batch_norm)
    return nn.Sequential(convolution, *([nn.BatchNorm2d(out_channels)] if batch_norm else []))


def decoder_step(
    deep: int, shallow: int, *, skip: str, convs: int, batch_norm: bool = True
) -> tuple[nn.Sequential, nn.Sequential]:
    """Make what leads from one level of a U-Net to the next larger one, for `decode`.

    Args:
        deep: channels that come from below.
        shallow: channels of the skip, and of the result.
        skip: 'add' or 'concat'.
        convs: 3x3 convolutions after the skip.
        batch_norm: whether batch normalization follows each convolution.

    Returns:
        The 1x1 convolution before the resize, and the convolutions after the skip.
    """
    joined = 2 * shallow if skip == 'concat' else shallow
    return (
        pointwise(deep, shallow, batch_norm=batch_norm),
        stacked(joined, shallow, convs, batch_norm=batch_norm),
    )


def decode(
    features: torch.Tensor,
    skips: Sequence[torch.Tensor],
    up: nn.ModuleList,
    decoder: nn.ModuleList,
    *,
    skip: str,
) -> torch.Tensor:
    """Run the decoder of a U-Net: 1x1 convolution, nearest resize, skip, convolutions.

    Args:
        features: (N, C, H, W), the deepest features.
        skips: features of the other levels, from the largest to the smallest.
        up: first parts of the steps of `decoder_step`, in the order of the skips.
        decoder: second parts.
        skip: 'add' or 'concat'.

    Returns:
        Features of the size of the largest skip.
    """
    for enlarge, convolve, other in zip(
        reversed(up), reversed(decoder), reversed(skips), strict=True
    ):
        larger = functional.interpolate(enlarge(features), scale_factor=2.0, mode='nearest')
        if skip == 'concat':
            joined = torch.cat([other, larger], dim=1)
        else:
            joined = functional.relu(other + larger)
        features = convolve(joined)
    return features


def upsampled(tensor: torch.Tensor, factor: int) -> torch.Tensor:
    """Enlarge (N, C, H, W) to (N, C, factor H, factor W), bilinear between pixel centres."""
    return functional.interpolate(
        tensor, scale_factor=float(factor), mode='bilinear', align_corners=False
    )


def dropout(probability: float) -> nn.Module:
    """Drop whole channels (Tompson et al., 2015, arXiv:1411.4280), or nothing at all."""
    return nn.Dropout2d(probability) if probability else nn.Identity()


def initialize_for_relu(net: nn.Module) -> None:
    """Draw the weights of all convolutions so that ReLU keeps the variance.

    Without batch normalization a deep network learns nothing from PyTorch's own, smaller ones.
    He et al., 2015 (arXiv:1502.01852).
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
            if module.bias is not None:
                nn.init.zeros_(module.bias)
