"""MobileNetV2 as an encoder, and the names that torchvision gives to its weights.

Sandler et al., 2018 (arXiv:1801.04381), table 2 without the last, classifying layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from lane_seg_train.nets.pretrained import IMAGENET, adapted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

__all__ = ['MobileNetV2', 'encoder_weights']

# Expansion, channels, number of blocks, stride of the first of them.
BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
STEM_CHANNELS = 32
# Weights by which torchvision's names are recognized, below `features`.
SIGNATURE = ('0.0.weight', '0.1.running_mean', '1.conv.0.0.weight')


class MobileNetV2(nn.Module):
    """Inverted residuals with linear bottlenecks.

    Args:
        in_channels: 3 or 1.
        factor: of the channels, 1.0 is the network of the paper.

    Attributes:
        channels: of the features that `forward` returns.

    Shape:
        input (N, in_channels, H, W), output five tensors (N, channels[i], H / 2^(i+1),
        W / 2^(i+1)): the last of each resolution.
    """

    def __init__(self, in_channels: int, factor: float) -> None:
        super().__init__()
        size = _divisible(STEM_CHANNELS * factor)
        self.stem = _conv_norm_relu6(in_channels, size, kernel=3, stride=2)
        self.blocks = nn.ModuleList()
        self.channels: list[int] = []
        for expansion, channels, count, first_stride in BLOCKS:
            for index in range(count):
                stride = first_stride if index == 0 else 1
                if stride == 2:
                    self.channels.append(size)
                out = _divisible(channels * factor)
                self.blocks.append(InvertedResidual(size, out, stride, expansion))
                size = out
        self.channels.append(size)

    def forward(self, features: torch.Tensor) -> list[torch.Tensor]:
        """Compute the features of five resolutions; see Shape above."""
        levels = []
        features = self.stem(features)
        for block in self.blocks:
            if block.stride == 2:
                levels.append(features)
            features = block(features)
        return [*levels, features]


class InvertedResidual(nn.Module):
    """Expand (1x1), convolve each channel (3x3), project (1x1, linear); add the input if alike."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.stride = stride
        self.is_residual = stride == 1 and in_channels == out_channels
        hidden = in_channels * expansion
        self.expand = nn.Identity() if expansion == 1 else _conv_norm_relu6(in_channels, hidden)
        self.depthwise = _conv_norm_relu6(hidden, hidden, kernel=3, stride=stride, groups=hidden)
        self.project = nn.Sequential(
            nn.Conv2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        result: torch.Tensor = self.project(self.depthwise(self.expand(features)))
        return features + result if self.is_residual else result


def encoder_weights(
    state: Mapping[str, torch.Tensor], in_channels: int
) -> dict[str, torch.Tensor] | None:
    """Recognize the weights of the encoder alone.

    Args:
        state: a state dict of the encoder, or of torchvision's `mobilenet_v2`; the latter has
            learned on ImageNet's normalization, and is changed to fit ours.
        in_channels: 3 or 1.

    Returns:
        A state dict of the encoder, or None if `state` is something else.
    """
    if 'stem.0.weight' in state and 'blocks.0.project.0.weight' in state:
        return dict(state)
    if not {f'features.{name}' for name in SIGNATURE} <= set(state):
        return None
    names = _torchvision_names()
    found = {
        f'{names[part]}.{rest}': tensor
        for name, tensor in state.items()
        for part, rest in [name.rsplit('.', 1)]
        if part in names
    }
    weight, offset = adapted(found['stem.0.weight'], IMAGENET, in_channels)
    mean = found['stem.1.running_mean'] - offset
    return {**found, 'stem.0.weight': weight, 'stem.1.running_mean': mean}


def _torchvision_names() -> dict[str, str]:
    """Names of layers, torchvision's -> ours; `features.18` and `classifier` have none."""
    names = {'features.0.0': 'stem.0', 'features.0.1': 'stem.1'}
    for index in range(sum(count for _, _, count, _ in BLOCKS)):
        # Each but the last is a group of convolution and normalization.
        groups = ['depthwise'] if index == 0 else ['expand', 'depthwise']
        ours = [f'{group}.{layer}' for group in groups for layer in (0, 1)]
        theirs = [f'{group}.{layer}' for group in range(len(groups)) for layer in (0, 1)]
        ours += ['project.0', 'project.1']
        theirs += [str(len(groups)), str(len(groups) + 1)]
        for their, our in zip(theirs, ours, strict=True):
            names[f'features.{index + 1}.conv.{their}'] = f'blocks.{index}.{our}'
    return names


def _conv_norm_relu6(
    in_channels: int, out_channels: int, *, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


def _divisible(channels: float) -> int:
    """The nearest multiple of 8, but no more than a tenth less (as the authors round)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
