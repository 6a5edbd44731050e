"""MobileNetV2 with the decoder of a U-Net: light, and its encoder may come trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from lane_seg_train.nets.layers import decode, decoder_step, dropout
from lane_seg_train.nets.mobilenetv2 import MobileNetV2, encoder_weights
from lane_seg_train.nets.net import Net, size_factor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from lane_seg_train.config import NetConfig

__all__ = ['MobileNetV2UNet']


class MobileNetV2UNet(Net):
    """Encoder of Sandler et al., 2018 (arXiv:1801.04381), decoder of `UNet`.

    The decoder has the channels of the encoder's skips, and like that of `UNet` it ends at half
    resolution in a depth-to-space. Depthwise convolutions are cheap in float and leave most of an
    int8 unit idle: for the car, compare it with `unet` on the target.

    Args:
        config: variant (factor of the channels, '1.0' by default), skip, convs, dropout and
            in_channels of it.
        num_classes: number of output channels.
    """

    keys = ('variant', 'skip', 'convs')

    def __init__(self, config: NetConfig, num_classes: int) -> None:
        super().__init__(config.in_channels, 32)
        self.skip = config.skip
        factor = size_factor('mobilenetv2_unet', config.variant)
        self.encoder = MobileNetV2(config.in_channels, factor)
        channels = self.encoder.channels
        self.up = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for shallow, deep in zip(channels, channels[1:], strict=False):
            up, decoder = decoder_step(deep, shallow, skip=config.skip, convs=config.convs)
            self.up.append(up)
            self.decoder.append(decoder)
        self.dropout = dropout(config.dropout)
        self.head = nn.Conv2d(channels[0], num_classes * 4, 1)
        self.depth_to_space = nn.PixelShuffle(2)

    def logits_from_features(self, features: torch.Tensor) -> torch.Tensor:
        """Encoder, decoder, head; see the base class."""
        *skips, deepest = self.encoder(features)
        decoded = decode(self.dropout(deepest), skips, self.up, self.decoder, skip=self.skip)
        logits: torch.Tensor = self.depth_to_space(self.head(decoded))
        return logits

    def encoder_weights(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
        """Take weights of the encoder with our names or those of torchvision's `mobilenet_v2`."""
        return encoder_weights(state, self.in_channels)
