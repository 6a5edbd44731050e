"""Weights learned on another normalization of the image, made to fit ours.

Networks of others see RGB, ours see BGR (and on another scale). The change is affine in each
channel, so it goes into the weights of the first convolution: it costs nothing, and the first
convolution still reads (x - 128) / 64, which int8 holds without loss. Only the border differs: it
is padded with grey level 128 where the other network padded with the mean of its images.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from lane_seg.errors import LaneSegError

__all__ = ['HALF', 'IMAGENET', 'Normalization', 'adapt_first_convolution', 'adapted']


@dataclass(frozen=True)
class Normalization:
    """(x / 255 - mean) / std of RGB 0..255.

    Attributes:
        mean: of R, G, B on a scale of 0..1.
        std: likewise.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


# That of torchvision's and of most of transformers' models.
IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
# -1..1: models that come from TensorFlow, transformers' MobileNetV2 among them.
HALF = Normalization(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def adapted(
    weight: torch.Tensor, normalization: Normalization, in_channels: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make the weights of a first convolution read (x - 128) / 64 of BGR.

    Args:
        weight: (O, 3, K, K), learned on RGB with that normalization.
        normalization: what it was learned on.
        in_channels: 3, or 1 for a network that sees the grey mean: the sum over the channels,
            which is what the other network would see in a grey image.

    Returns:
        weight (O, in_channels, K, K), and what has to be added to the output, (O,).

    Raises:
        LaneSegError: weights that do not read three channels.
    """
    if weight.ndim != 4 or weight.shape[1] != 3:
        raise LaneSegError(
            'net.weights: expected a first convolution that reads R, G and B, found weights of '
            f'shape {tuple(weight.shape)}'
        )
    mean, std = (torch.tensor(item, dtype=weight.dtype) for item in vars(normalization).values())
    scale = 64 / 255 / std
    shift = (128 / 255 - mean) / std
    scaled = (weight * scale[:, None, None]).flip(1)
    if in_channels == 1:
        scaled = scaled.sum(dim=1, keepdim=True)
    return scaled, (weight * shift[:, None, None]).sum(dim=(1, 2, 3))


@torch.no_grad()
def adapt_first_convolution(
    module: nn.Module, normalization: Normalization, in_channels: int
) -> None:
    """Change the first convolution of a module in place, as `adapted` says.

    Args:
        module: its first convolution reads the image; it has a bias, or batch normalization
            follows it, the running mean of which takes the offset.
        normalization: what it was learned on.
        in_channels: 3 or 1.
    """
    convolution = next(item for item in module.modules() if isinstance(item, nn.Conv2d))
    weight, offset = adapted(convolution.weight, normalization, in_channels)
    convolution.weight = nn.Parameter(weight)
    convolution.in_channels = in_channels
    if convolution.bias is not None:
        convolution.bias += offset
        return
    norm = next(item for item in module.modules() if isinstance(item, nn.BatchNorm2d))
    assert norm.running_mean is not None
    norm.running_mean -= offset
