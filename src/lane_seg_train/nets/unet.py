"""U-Nets; by default one shaped by what int8 kernels do well.

U-Net: Ronneberger et al., 2015 (arXiv:1505.04597). The changes, each for a measured reason (see
docs/decisions): a stride-2 stem instead of full-resolution convolutions; dense 3x3 convolutions
(depthwise ones leave most of an int8 unit idle); skips are added, not concatenated (half the
decoder's work, one scale); 1x1 convolution and nearest resize instead of a transposed one (which
TensorRT runs in float); the last step from half to full resolution is a depth-to-space of the
logits (Shi et al., 2016, arXiv:1609.05158).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from lane_seg_train.nets.layers import (
    conv_norm_relu,
    decode,
    decoder_step,
    dropout,
    initialize_for_relu,
    stacked,
)
from lane_seg_train.nets.net import Net

if TYPE_CHECKING:
    import torch

    from lane_seg_train.config import NetConfig

__all__ = ['UNet']


class UNet(Net):
    """A stem, `depth` halvings, and the way back up with a skip at each level.

    Level i has `width * multipliers[i]` channels. A level is one step down (a 3x3 convolution of
    stride 2, or max pooling), then `convs` 3x3 convolutions; on the way back, `convs` of them
    again. The stem shrinks by `stem_stride` before all that, and the head undoes it; a stem of
    stride 1 counts as the first convolution of its level.

    Ronneberger's U-Net is

        net: {name: unet, width: 64, depth: 4, multipliers: [1, 2, 4, 8, 16], stem_stride: 1,
              skip: concat, convs: 2, down: pool, batch_norm: false}

    but for two things: convolutions are padded, so that the logits have the size of the image,
    and the way up is a 1x1 convolution and a nearest resize instead of a 2x2 transposed one.

    Args:
        config: width, depth, multipliers, stem_stride, skip, convs, down, batch_norm, dropout and
            in_channels of it.
        num_classes: number of output channels.
    """

    keys = (
        'width', 'depth', 'multipliers', 'stem_stride', 'skip', 'convs', 'down', 'batch_norm'
    )  # fmt: skip

    def __init__(self, config: NetConfig, num_classes: int) -> None:
        super().__init__(config.in_channels, config.stem_stride * 2**config.depth)
        self.skip = config.skip
        batch_norm, convs = config.batch_norm, config.convs
        multipliers = config.multipliers or [min(2**i, 8) for i in range(config.depth + 1)]
        channels = [config.width * factor for factor in multipliers]
        self.stem = _stem(config.in_channels, channels[0], config.stem_stride, batch_norm)
        rest = convs - 1 if config.stem_stride == 1 else convs
        self.encoder = nn.ModuleList(
            [stacked(channels[0], channels[0], rest, batch_norm=batch_norm)]
        )
        self.up = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for shallow, deep in zip(channels, channels[1:], strict=False):
            if config.down == 'pool':
                down: nn.Module = nn.MaxPool2d(2)
                level = stacked(shallow, deep, convs, batch_norm=batch_norm)
            else:
                down = conv_norm_relu(shallow, deep, stride=2, batch_norm=batch_norm)
                level = stacked(deep, deep, convs, batch_norm=batch_norm)
            self.encoder.append(nn.Sequential(down, level))
            up, decoder = decoder_step(
                deep, shallow, skip=config.skip, convs=convs, batch_norm=batch_norm
            )
            self.up.append(up)
            self.decoder.append(decoder)
        self.dropout = dropout(config.dropout)
        self.head = nn.Conv2d(channels[0], num_classes * config.stem_stride**2, 1)
        is_strided = config.stem_stride > 1
        self.depth_to_space = nn.PixelShuffle(config.stem_stride) if is_strided else nn.Identity()
        if not batch_norm:
            initialize_for_relu(self)

    def logits_from_features(self, features: torch.Tensor) -> torch.Tensor:
        """Down and up again; see the base class."""
        features = self.stem(features)
        levels = []
        for level in self.encoder:
            features = level(features)
            levels.append(features)
        decoded = decode(
            self.dropout(features), levels[:-1], self.up, self.decoder, skip=self.skip
        )
        logits: torch.Tensor = self.depth_to_space(self.head(decoded))
        return logits


def _stem(in_channels: int, channels: int, stride: int, batch_norm: bool) -> nn.Sequential:
    if stride < 4:
        return conv_norm_relu(in_channels, channels, stride=stride, batch_norm=batch_norm)
    # One 3x3 convolution of stride 4 would not look at every fourth row and column.
    return nn.Sequential(
        conv_norm_relu(in_channels, channels, stride=2, batch_norm=batch_norm),
        conv_norm_relu(channels, channels, stride=2, batch_norm=batch_norm),
    )
