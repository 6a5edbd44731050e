"""A U-Net shaped by what int8 kernels do well.

U-Net: Ronneberger et al., 2015 (arXiv:1505.04597). The changes, each for a measured reason (see
docs/decisions): a stride-2 stem instead of full-resolution convolutions; dense 3x3 convolutions
(depthwise ones leave most of an int8 unit idle); skips are added, not concatenated (half the
decoder's work, one scale); 1x1 convolution and nearest resize instead of a transposed one (which
TensorRT runs in float); the last step from half to full resolution is a depth-to-space of the
logits (Shi et al., 2016, arXiv:1609.05158).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ['UNet']

STEM_STRIDE = 2


def conv_bn_relu(
    in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1
) -> nn.Sequential:
    """Convolution with 'same' padding, batch normalization, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Small dense U-Net with a strided stem and additive skips.

    Args:
        num_classes: number of output channels.
        width: channels after the stem.
        depth: number of halvings after the stem.
        multipliers: channels of level i are `width * multipliers[i]`; depth + 1 of them.

    Shape:
        input (N, 3, H, W) float, (x - 128) / 64 of BGR 0..255; output (N, num_classes, H, W)
        logits. H and W must be multiples of `size_multiple`.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        width: int = 24,
        depth: int = 4,
        multipliers: Sequence[int] = (1, 2, 4, 8, 8),
    ) -> None:
        super().__init__()
        if depth < 1 or len(multipliers) != depth + 1:
            raise LaneSegError(
                f'expected depth + 1 = {depth + 1} multipliers, found {list(multipliers)}'
            )
        self.size_multiple = STEM_STRIDE * 2**depth
        channels = [width * factor for factor in multipliers]
        self.stem = conv_bn_relu(3, channels[0], stride=STEM_STRIDE)
        self.encoder = nn.ModuleList([conv_bn_relu(channels[0], channels[0])])
        self.up = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for shallow, deep in zip(channels, channels[1:], strict=False):
            self.encoder.append(
                nn.Sequential(conv_bn_relu(shallow, deep, stride=2), conv_bn_relu(deep, deep))
            )
            self.up.append(
                nn.Sequential(nn.Conv2d(deep, shallow, 1, bias=False), nn.BatchNorm2d(shallow))
            )
            self.decoder.append(conv_bn_relu(shallow, shallow))
        self.head = nn.Conv2d(channels[0], num_classes * STEM_STRIDE**2, 1)
        self.depth_to_space = nn.PixelShuffle(STEM_STRIDE)

    def check_size(self, height: int, width: int) -> None:
        """Raise LaneSegError, naming the nearest valid size, if the input cannot be halved."""
        multiple = self.size_multiple
        if height % multiple or width % multiple or not height or not width:
            near = [max(multiple, round(size / multiple) * multiple) for size in (height, width)]
            raise LaneSegError(
                f'expected height and width to be multiples of {multiple}, found '
                f'{height}x{width}; the nearest valid size is {near[0]}x{near[1]}'
            )

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        """Compute logits; see Shape above."""
        skips = []
        features = self.stem(tensor)
        for level in self.encoder:
            features = level(features)
            skips.append(features)
        skips.pop()
        for up, decode, skip in zip(
            reversed(self.up), reversed(self.decoder), reversed(skips), strict=True
        ):
            larger = functional.interpolate(up(features), scale_factor=2.0, mode='nearest')
            features = decode(functional.relu(skip + larger))
        logits: torch.Tensor = self.depth_to_space(self.head(features))
        return logits
