"""FCN-8s: VGG16, made convolutional, with the scores of three resolutions added.

Long et al., 2015 (arXiv:1411.4038), on VGG16 of Simonyan and Zisserman, 2015 (arXiv:1409.1556).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from lane_seg.errors import LaneSegError
from lane_seg_train.nets.layers import conv_norm_relu, dropout, initialize_for_relu, upsampled
from lane_seg_train.nets.net import Net, size_factor
from lane_seg_train.nets.pretrained import IMAGENET, adapted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lane_seg_train.config import NetConfig

__all__ = ['FCN8s']

# Channels and number of the 3x3 convolutions before each pooling.
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
DENSE_CHANNELS = 4096  # of the two dense layers, fc6 and fc7
DENSE_KERNEL = 7  # fc6 reads 7x7 places of pool5


class FCN8s(Net):
    """VGG16 with fc6 and fc7 as convolutions; scores of pool3, pool4 and fc7 are added.

    The differences from the paper: convolutions are padded by half their kernel (instead of the
    image by 100 pixels, cropped again); scores are enlarged by bilinear interpolation, which is
    what the paper's transposed convolutions start from and its last one stays at (a transposed
    convolution would run in float on the car); batch normalization, unless it is switched off,
    lets the network learn without pretrained weights. The paper drops out half of fc6 and fc7
    (`dropout: 0.5`).

    134 million weights, most of them in fc6, make this a network to compare with, not to drive
    with.

    Args:
        config: variant (factor of the channels, '1.0' by default), batch_norm, dropout and
            in_channels of it.
        num_classes: number of output channels.
    """

    keys = ('variant', 'batch_norm')

    def __init__(self, config: NetConfig, num_classes: int) -> None:
        super().__init__(config.in_channels, 32)
        factor = size_factor('fcn8s', config.variant)
        self.encoder = VGG16(
            config.in_channels, factor, batch_norm=config.batch_norm, drop=config.dropout
        )
        self.head = nn.ModuleList([nn.Conv2d(n, num_classes, 1) for n in self.encoder.channels])
        initialize_for_relu(self)

    def logits_from_features(self, features: torch.Tensor) -> torch.Tensor:
        """Score three resolutions, add them from the smallest to the largest."""
        scores = [
            score(level) for score, level in zip(self.head, self.encoder(features), strict=True)
        ]
        total: torch.Tensor = scores.pop()
        while scores:
            total = scores.pop() + upsampled(total, 2)
        return upsampled(total, 8)

    def encoder_weights(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
        """Take weights of the encoder with our names or those of torchvision.

        These are `vgg16` without and `vgg16_bn` with batch normalization, with their classifier
        or without it: then fc6 and fc7 stay random.
        """
        if 'stages.0.0.0.weight' in state and 'fc6.0.weight' in state:
            return dict(state)
        if not {'features.0.weight', 'features.0.bias'} <= set(state):
            return None
        return self.encoder.from_torchvision(state, self.in_channels)


class VGG16(nn.Module):
    """VGG16 with convolutions instead of dense layers.

    Args:
        in_channels: 3 or 1.
        factor: of the channels, 1.0 is the network of the paper.
        batch_norm: whether batch normalization follows the 3x3 convolutions.
        drop: probability of each channel after fc6 and fc7 to be dropped.

    Attributes:
        channels: of the features that `forward` returns.

    Shape:
        input (N, in_channels, H, W); output pool3 (N, channels[0], H / 8, W / 8), pool4 at a
        sixteenth, fc7 at a 32nd of the resolution.
    """

    def __init__(self, in_channels: int, factor: float, *, batch_norm: bool, drop: float) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        size = in_channels
        sizes = []
        for channels, count in STAGES:
            stage = []
            for _ in range(count):
                out = max(1, round(channels * factor))
                stage.append(conv_norm_relu(size, out, batch_norm=batch_norm))
                size = out
            self.stages.append(nn.Sequential(*stage, nn.MaxPool2d(2)))
            sizes.append(size)
        dense = max(1, round(DENSE_CHANNELS * factor))
        self.fc6 = conv_norm_relu(size, dense, kernel=DENSE_KERNEL, batch_norm=False)
        self.fc7 = conv_norm_relu(dense, dense, kernel=1, batch_norm=False)
        self.dropout = dropout(drop)
        self.channels = [sizes[2], sizes[3], dense]

    def forward(self, features: torch.Tensor) -> list[torch.Tensor]:
        """Compute the features of three resolutions; see Shape above."""
        levels = []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        features = self.dropout(self.fc6(features))
        return [*levels[2:4], self.dropout(self.fc7(features))]

    def from_torchvision(
        self, state: Mapping[str, torch.Tensor], in_channels: int
    ) -> dict[str, torch.Tensor]:
        """Rename the weights of torchvision's `vgg16` or `vgg16_bn`.

        Args:
            state: their state dict; learned on ImageNet's normalization, and changed to fit ours.
            in_channels: 3 or 1.

        Raises:
            LaneSegError: the one has batch normalization, the other has not.
        """
        own = self.state_dict()
        normalized = [any(name.endswith('running_mean') for name in item) for item in (own, state)]
        if normalized[0] != normalized[1]:
            raise LaneSegError(
                f'net.weights: expected weights {"with" if normalized[0] else "without"} batch '
                'normalization, found the other kind; `batch_norm: true` takes those of '
                'vgg16_bn, `batch_norm: false` those of vgg16'
            )
        names = {'classifier.0': 'fc6.0', 'classifier.3': 'fc7.0'}
        place = 0
        for index, stage in enumerate(self.stages):
            # Theirs is one flat sequence of layers, pooling and ReLU counted.
            for inner, block in enumerate(stage.children()):
                layers = len(block) if isinstance(block, nn.Sequential) else 1
                for layer in range(layers):
                    names[f'features.{place}'] = f'stages.{index}.{inner}.{layer}'
                    place += 1
        found = {
            f'{names.get(part, part)}.{rest}': tensor
            for name, tensor in state.items()
            for part, rest in [name.rsplit('.', 1)]
            if part != 'classifier.6'
        }
        weight, offset = adapted(found['stages.0.0.0.weight'], IMAGENET, in_channels)
        found['stages.0.0.0.weight'] = weight
        found['stages.0.0.0.bias'] = found['stages.0.0.0.bias'] + offset
        for name in [name for name in found if name.endswith('.bias') and name not in own]:
            # Their convolutions have a bias before batch normalization too.
            mean = name.replace('.0.bias', '.1.running_mean')
            found[mean] = found[mean] - found.pop(name)
        for name in [name for name in own if name.startswith('fc')]:
            # A dense layer is a convolution as large as its input.
            given = found.get(name, own[name])
            is_dense = given.numel() == own[name].numel()
            found[name] = given.reshape(own[name].shape) if is_dense else given
        return found
