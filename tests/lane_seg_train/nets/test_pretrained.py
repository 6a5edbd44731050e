"""Weights learned on the images of others see the same in ours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lane_seg.errors import LaneSegError
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.nets.pretrained import (
    HALF,
    IMAGENET,
    Normalization,
    adapt_first_convolution,
    adapted,
)


def image_bgr(seed: int = 0, size: tuple[int, int] = (20, 30)) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (1, 3, *size), np.uint8))


def as_others_see_it(image: torch.Tensor, normalization: Normalization) -> torch.Tensor:
    """RGB, 0..1, minus mean, by standard deviation: written down as their papers do."""
    blue, green, red = image[0].double() / 255
    planes = [
        (plane - mean) / std
        for plane, mean, std in zip(
            (red, green, blue), normalization.mean, normalization.std, strict=True
        )
    ]
    return torch.stack(planes)[None].float()


@pytest.mark.parametrize('normalization', [IMAGENET, HALF])
def test_the_changed_convolution_sees_the_same_in_our_image(normalization: Normalization) -> None:
    weight = torch.randn(5, 3, 3, 3)
    image = image_bgr()
    changed, offset = adapted(weight, normalization, 3)
    ours = functional.conv2d(normalized(image), changed, offset)
    theirs = functional.conv2d(as_others_see_it(image, normalization), weight)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_one_channel_sees_what_the_other_network_sees_in_a_grey_image() -> None:
    weight = torch.randn(5, 3, 3, 3)
    image = image_bgr()[:, :1]
    changed, offset = adapted(weight, IMAGENET, 1)
    ours = functional.conv2d(normalized(image), changed, offset)
    theirs = functional.conv2d(as_others_see_it(image.expand(1, 3, -1, -1), IMAGENET), weight)
    assert changed.shape == (5, 1, 3, 3)
    assert torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('with_norm', [True, False])
def test_a_module_is_changed_in_place_and_the_offset_lands_where_it_has_to(
    channels: int, with_norm: bool
) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    nn.init.uniform_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    layers = [nn.Conv2d(3, 4, 3, bias=not with_norm), *([norm] if with_norm else [])]
    module = nn.Sequential(nn.Identity(), nn.Sequential(*layers)).eval()
    image = image_bgr()
    if channels == 1:
        image = image[:, :1].expand(1, 3, -1, -1)
    with torch.no_grad():
        theirs = module(as_others_see_it(image, IMAGENET))
        adapt_first_convolution(module, IMAGENET, channels)
        ours = module(normalized(image)[:, :channels])
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_weights_that_do_not_read_three_channels_are_refused() -> None:
    with pytest.raises(LaneSegError, match=r'reads R, G and B, found weights of shape \(5, 1, 3'):
        adapted(torch.zeros(5, 1, 3, 3), IMAGENET, 3)
