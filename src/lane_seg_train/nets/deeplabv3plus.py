"""DeepLabV3+ on MobileNetV2, the latter out of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from lane_seg_train.nets.huggingface import pretrained, require_transformers
from lane_seg_train.nets.layers import conv_norm_relu, dropout, upsampled
from lane_seg_train.nets.net import Net, size_factor
from lane_seg_train.nets.pretrained import HALF, adapt_first_convolution

if TYPE_CHECKING:
    from lane_seg_train.config import NetConfig

__all__ = ['DeepLabV3Plus']

NAME = 'deeplabv3plus_mobilenetv2'
# Of the backbone; the last blocks are dilated instead of strided.
OUTPUT_STRIDE = 16
LOW_LEVEL = 1  # the last block at a quarter of the resolution
LOW_LEVEL_CHANNELS = 48
CHANNELS = 256


class DeepLabV3Plus(Net):
    """Backbone and pooling of transformers, decoder of ours.

    `MobileNetV2ForSemanticSegmentation` is what Sandler et al., 2018 (arXiv:1801.04381, section
    6.3) use: features at a sixteenth of the resolution, a 1x1 convolution and image-level pooling
    without atrous branches. It has no decoder. That of DeepLabV3+ (Chen et al., 2018,
    arXiv:1802.02611) is added here: low-level features at a quarter of the resolution, reduced to
    48 channels, and two depthwise separable 3x3 convolutions.

    Batch normalization of the pooled features takes a batch of two images or more in training.

    Args:
        config: variant (factor of the backbone's channels, '1.0' by default), dropout,
            in_channels and weights of it.
        num_classes: number of output channels.

    Raises:
        LaneSegError: transformers is not installed.
    """

    keys = ('variant',)

    def __init__(self, config: NetConfig, num_classes: int) -> None:
        super().__init__(config.in_channels, OUTPUT_STRIDE)
        self.factor = size_factor(NAME, config.variant)
        transformers = require_transformers(NAME)
        self._take_over(
            transformers.MobileNetV2ForSemanticSegmentation(self._configuration(self.in_channels))
        )
        low = self.backbone.get_submodule(f'layer.{LOW_LEVEL}.reduce_1x1.convolution')
        assert isinstance(low, nn.Conv2d)
        self.low_level = conv_norm_relu(low.out_channels, LOW_LEVEL_CHANNELS, kernel=1)
        self.decoder = nn.Sequential(
            *_separable(CHANNELS + LOW_LEVEL_CHANNELS, CHANNELS), *_separable(CHANNELS, CHANNELS)
        )
        self.dropout = dropout(config.dropout)
        self.head = nn.Conv2d(CHANNELS, num_classes, 1)

    def logits_from_features(self, features: torch.Tensor) -> torch.Tensor:
        """Backbone, pooling, decoder, head; see the base class."""
        hidden = self.backbone(features, output_hidden_states=True, return_dict=True).hidden_states
        low, high = self.low_level(hidden[LOW_LEVEL]), hidden[-1]
        pooled = self.pooling(functional.adaptive_avg_pool2d(high, 1))
        near = self.near(high)
        context = self.projection(torch.cat([pooled.expand_as(near), near], dim=1))
        both = torch.cat([upsampled(context, OUTPUT_STRIDE // 4), low], dim=1)
        return upsampled(self.head(self.dropout(self.decoder(both))), 4)

    def start_from(self, weights: str) -> None:
        """Take over weights.

        Args:
            weights: a file as in the base class; or a folder of transformers, or a name on its
                hub, of a MobileNetV2 with or without segmentation head. They learned on RGB
                -1..1, and are changed to fit ours; where they padded as TensorFlow does, the
                features lie half a cell beside their old places.

        Raises:
            LaneSegError: nothing readable, or weights of another network.
        """
        if Path(weights).expanduser().is_file():
            super().start_from(weights)
            return
        model = pretrained(
            require_transformers(NAME).MobileNetV2ForSemanticSegmentation,
            self._configuration(3),
            weights,
            encoder='mobilenet_v2.',
        )
        self._take_over(model)
        adapt_first_convolution(self.backbone, HALF, self.in_channels)

    def _configuration(self, in_channels: int) -> object:
        return require_transformers(NAME).MobileNetV2Config(
            num_channels=in_channels,
            depth_multiplier=self.factor,
            output_stride=OUTPUT_STRIDE,
            # That of TensorFlow pads each layer by an operation of its own.
            tf_padding=False,
        )

    def _take_over(self, model: nn.Module) -> None:
        """Keep of a model of transformers what lies before its classifier."""
        self.backbone = model.get_submodule('mobilenet_v2')
        # It serves the classifier of images, and nothing would teach it.
        self.backbone.conv_1x1 = nn.Identity()
        self.pooling = model.get_submodule('segmentation_head.conv_pool')
        self.near = model.get_submodule('segmentation_head.conv_aspp')
        self.projection = model.get_submodule('segmentation_head.conv_projection')
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                # transformers has 0.997, the share of the old mean in TensorFlow; in PyTorch that
                # is the share of the new one, and only the last batch would count.
                module.momentum = 0.1


def _separable(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    """A 3x3 convolution of each channel, then a 1x1 convolution."""
    return (
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        conv_norm_relu(in_channels, out_channels, kernel=1),
    )
