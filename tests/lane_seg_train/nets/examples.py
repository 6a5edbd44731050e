"""One small network of each kind, and of each kind of U-Net, for the tests of all networks."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from lane_seg_train.config import NetConfig
from lane_seg_train.nets import build_net
from lane_seg_train.nets.net import Net

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec('transformers') is None, reason='needs transformers'
)

EXAMPLES = {
    'unet': NetConfig(width=4, depth=2),
    'unet, grey': NetConfig(width=4, depth=2, in_channels=1),
    'unet, stem of stride 1': NetConfig(width=4, depth=2, stem_stride=1),
    'unet, stem of stride 4': NetConfig(width=4, depth=1, stem_stride=4),
    'unet, dropout': NetConfig(width=4, depth=2, dropout=0.3),
    'unet of 2015': NetConfig(
        width=4,
        depth=2,
        multipliers=(1, 2, 4),
        stem_stride=1,
        skip='concat',
        convs=2,
        down='pool',
        batch_norm=False,
    ),
    'mobilenetv2_unet': NetConfig(name='mobilenetv2_unet', variant='0.35'),
    'mobilenetv2_unet, concat': NetConfig(
        name='mobilenetv2_unet', variant='0.35', skip='concat', convs=2, in_channels=1
    ),
    'fcn8s': NetConfig(name='fcn8s', variant='0.0625', dropout=0.1),
    'fcn8s of 2015': NetConfig(name='fcn8s', variant='0.0625', batch_norm=False, in_channels=1),
    'enet': NetConfig(name='enet'),
    'enet, grey': NetConfig(name='enet', in_channels=1, dropout=0.1),
    'deeplabv3plus_mobilenetv2': NetConfig(name='deeplabv3plus_mobilenetv2', variant='0.35'),
    'deeplabv3plus_mobilenetv2, grey': NetConfig(
        name='deeplabv3plus_mobilenetv2', variant='0.35', in_channels=1, dropout=0.1
    ),
    'segformer': NetConfig(name='segformer', variant='b0'),
    'segformer, grey': NetConfig(name='segformer', in_channels=1, dropout=0.1),
}
# Those of the package transformers, which may be absent.
EXTRA = ('deeplabv3plus_mobilenetv2', 'segformer')
all_examples = pytest.mark.parametrize(
    'example',
    [
        pytest.param(name, marks=needs_transformers if name.startswith(EXTRA) else ())
        for name in EXAMPLES
    ],
)


def build(config: NetConfig, classes: int = 3) -> Net:
    """The same random weights each time."""
    torch.manual_seed(0)
    return build_net(config, classes)


def experienced(config: NetConfig, size: tuple[int, int] = (64, 96), classes: int = 3) -> Net:
    """A network in eval mode whose batch normalization has seen some data."""
    net = build(config, classes)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain mean of all batches: a few are enough
    with torch.no_grad():
        for _ in range(4):
            net(torch.randn(2, 3, *size))
    return net.eval()
