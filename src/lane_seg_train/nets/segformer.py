"""SegFormer out of transformers: a hierarchical transformer with a head of dense layers.

Xie et al., 2021 (arXiv:2105.15203).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg_train.nets.huggingface import pretrained, require_transformers
from lane_seg_train.nets.layers import upsampled
from lane_seg_train.nets.net import Net
from lane_seg_train.nets.pretrained import IMAGENET, adapt_first_convolution

if TYPE_CHECKING:
    import torch

    from lane_seg_train.config import NetConfig

__all__ = ['SegFormer']

NAME = 'segformer'
WIDE = [64, 128, 320, 512]
# Channels and blocks of the four stages, channels of the head: tables 6 and 7 of the paper.
VARIANTS = {
    'b0': ([32, 64, 160, 256], [2, 2, 2, 2], 256),
    'b1': (WIDE, [2, 2, 2, 2], 256),
    'b2': (WIDE, [3, 4, 6, 3], 768),
    'b3': (WIDE, [3, 4, 18, 3], 768),
    'b4': (WIDE, [3, 8, 27, 3], 768),
    'b5': (WIDE, [3, 6, 40, 3], 768),
}


class SegFormer(Net):
    """MiT encoder and its head; logits at a quarter of the resolution, enlarged bilinear.

    `dropout` is the probability of the head's channels and of stochastic depth alike; the paper
    has 0.1 for both.

    Args:
        config: variant ('b0' by default, up to 'b5'), dropout, in_channels and weights of it.
        num_classes: number of output channels.

    Raises:
        LaneSegError: transformers is not installed, or no such variant.
    """

    keys = ('variant',)
    head_name = 'model.decode_head.classifier.'

    def __init__(self, config: NetConfig, num_classes: int) -> None:
        super().__init__(config.in_channels, 32)
        self.variant = config.variant or 'b0'
        if self.variant not in VARIANTS:
            raise LaneSegError(
                f'net.variant: expected one of {", ".join(VARIANTS)}, found {config.variant!r}'
            )
        self.probability = config.dropout
        self.num_classes = num_classes
        transformers = require_transformers(NAME)
        self.model = transformers.SegformerForSemanticSegmentation(
            self._configuration(self.in_channels)
        )

    def logits_from_features(self, features: torch.Tensor) -> torch.Tensor:
        """Run the model and enlarge its logits; see the base class."""
        logits = self.model(features, return_dict=True).logits
        return upsampled(logits, 4)

    def start_from(self, weights: str) -> None:
        """Take over weights.

        Args:
            weights: a file as in the base class; or a folder of transformers, or a name on its
                hub, of a SegFormer or of its encoder ('nvidia/mit-b0'). They learned on
                ImageNet's normalization, and are changed to fit ours.

        Raises:
            LaneSegError: nothing readable, or weights of another network.
        """
        if Path(weights).expanduser().is_file():
            super().start_from(weights)
            return
        self.model = pretrained(
            require_transformers(NAME).SegformerForSemanticSegmentation,
            self._configuration(3),
            weights,
            encoder='segformer.',
        )
        adapt_first_convolution(self.model, IMAGENET, self.in_channels)

    def _configuration(self, in_channels: int) -> object:
        channels, blocks, head = VARIANTS[self.variant]
        return require_transformers(NAME).SegformerConfig(
            num_channels=in_channels,
            num_labels=self.num_classes,
            hidden_sizes=channels,
            depths=blocks,
            decoder_hidden_size=head,
            classifier_dropout_prob=self.probability,
            drop_path_rate=self.probability,
        )
