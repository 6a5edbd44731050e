"""ENet: small, early halvings, a short decoder.

Paszke et al., 2016 (arXiv:1606.02147).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from lane_seg_train.nets.layers import dropout
from lane_seg_train.nets.net import Net

if TYPE_CHECKING:
    from lane_seg_train.config import NetConfig

__all__ = ['ENet']

# Sections 2 and 3 of the paper: one bottleneck for each entry.
SECTION: tuple[dict[str, int], ...] = (
    {},
    {'dilation': 2},
    {'asymmetric': 5},
    {'dilation': 4},
    {},
    {'dilation': 8},
    {'asymmetric': 5},
    {'dilation': 16},
)


class ENet(Net):
    """Bottlenecks with projections, dilated and asymmetric convolutions; 0.36 million weights.

    Max-unpooling has to carry the places of the maxima through the network; TensorRT does not
    read ONNX's MaxUnpool. Here the main branch of an enlarging bottleneck is a 1x1 convolution and
    a nearest resize, as in our U-Net, and its other branch resizes and convolves instead of a
    transposed convolution. The last transposed convolution is a convolution and a depth-to-space,
    which computes the same family of functions (Shi et al., 2016, arXiv:1609.05158).

    The paper drops out channels with probability 0.01 in section 1 and 0.1 after it: that is
    `dropout: 0.1`.

    Args:
        config: dropout and in_channels of it.
        num_classes: number of output channels.
    """

    def __init__(self, config: NetConfig, num_classes: int) -> None:
        super().__init__(config.in_channels, 8)
        early, late = config.dropout / 10, config.dropout
        self.initial = Initial(config.in_channels, 16)
        self.encoder = nn.Sequential(
            Shrinking(16, 64, early),
            *[Bottleneck(64, early) for _ in range(4)],
            Shrinking(64, 128, late),
            *[Bottleneck(128, late, **options) for _ in range(2) for options in SECTION],
        )
        self.decoder = nn.Sequential(
            Enlarging(128, 64, late),
            *[Bottleneck(64, late) for _ in range(2)],
            Enlarging(64, 16, late),
            Bottleneck(16, late),
        )
        self.head = nn.Conv2d(16, num_classes * 4, 3, padding=1)
        self.depth_to_space = nn.PixelShuffle(2)

    def logits_from_features(self, features: torch.Tensor) -> torch.Tensor:
        """Encoder, decoder, head; see the base class."""
        features = self.decoder(self.encoder(self.initial(features)))
        logits: torch.Tensor = self.depth_to_space(self.head(features))
        return logits


class Initial(nn.Module):
    """Halve the image: its own maxima beside what a strided convolution finds.

    Only the latter are normalized, for the image already is; so the normalization can be folded
    into the convolution.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        found = channels - in_channels
        self.extension = nn.Sequential(
            nn.Conv2d(in_channels, found, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(found),
        )
        self.activation = nn.PReLU(channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) to (N, channels, H / 2, W / 2)."""
        both = [self.extension(image), functional.max_pool2d(image, 2)]
        result: torch.Tensor = self.activation(torch.cat(both, dim=1))
        return result


class Bottleneck(nn.Module):
    """Project to a quarter of the channels, convolve, expand; add the input."""

    def __init__(
        self, channels: int, drop: float, *, dilation: int = 1, asymmetric: int = 0
    ) -> None:
        super().__init__()
        inner = channels // 4
        if asymmetric:
            half = asymmetric // 2
            middle = [
                nn.Conv2d(inner, inner, (asymmetric, 1), padding=(half, 0), bias=False),
                nn.Conv2d(inner, inner, (1, asymmetric), padding=(0, half), bias=False),
            ]
        else:
            middle = [nn.Conv2d(inner, inner, 3, padding=dilation, dilation=dilation, bias=False)]
        self.extension = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            *_norm_prelu(inner),
            *middle,
            *_norm_prelu(inner),
            *_expansion(inner, channels, drop),
        )
        self.activation = nn.PReLU(channels)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) to the same shape."""
        result: torch.Tensor = self.activation(features + self.extension(features))
        return result


class Shrinking(nn.Module):
    """A bottleneck that halves the size: maxima are added to as many channels as they have."""

    def __init__(self, in_channels: int, out_channels: int, drop: float) -> None:
        super().__init__()
        inner = out_channels // 4
        self.extension = nn.Sequential(
            nn.Conv2d(in_channels, inner, 2, stride=2, bias=False),
            *_norm_prelu(inner),
            nn.Conv2d(inner, inner, 3, padding=1, bias=False),
            *_norm_prelu(inner),
            *_expansion(inner, out_channels, drop),
        )
        self.activation = nn.PReLU(out_channels)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / 2, W / 2)."""
        maxima, found = functional.max_pool2d(features, 2), self.extension(features)
        alike = features.shape[1]
        # Instead of adding zeros to the other channels.
        both = [maxima + found[:, :alike], found[:, alike:]]
        result: torch.Tensor = self.activation(torch.cat(both, dim=1))
        return result


class Enlarging(nn.Module):
    """A bottleneck that doubles the size; see ENet for what stands in for max-unpooling."""

    def __init__(self, in_channels: int, out_channels: int, drop: float) -> None:
        super().__init__()
        inner = out_channels // 4
        self.main = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.Upsample(scale_factor=2.0, mode='nearest'),
        )
        self.extension = nn.Sequential(
            nn.Conv2d(in_channels, inner, 1, bias=False),
            *_norm_prelu(inner),
            nn.Upsample(scale_factor=2.0, mode='nearest'),
            nn.Conv2d(inner, inner, 3, padding=1, bias=False),
            *_norm_prelu(inner),
            *_expansion(inner, out_channels, drop),
        )
        self.activation = nn.PReLU(out_channels)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) to (N, out_channels, 2 H, 2 W)."""
        result: torch.Tensor = self.activation(self.main(features) + self.extension(features))
        return result


def _norm_prelu(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.PReLU(channels)


def _expansion(inner: int, channels: int, drop: float) -> tuple[nn.Module, ...]:
    """1x1 convolution back to all channels, and the dropout that regularizes the branch."""
    return (
        nn.Conv2d(inner, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        dropout(drop),
    )
