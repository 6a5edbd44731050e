"""Networks by name. A network maps (N, 3, H, W) float tensors to (N, classes, H, W) logits."""

from __future__ import annotations

import dataclasses
import importlib
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest

if TYPE_CHECKING:
    from lane_seg_train.config import NetConfig
    from lane_seg_train.nets.net import Net

__all__ = ['NETS', 'build_net']

# Name -> module below this one and class in it, imported when it is asked for.
NETS = {
    'unet': ('unet', 'UNet'),
    'mobilenetv2_unet': ('mobilenetv2_unet', 'MobileNetV2UNet'),
    'fcn8s': ('fcn8s', 'FCN8s'),
    'enet': ('enet', 'ENet'),
    'deeplabv3plus_mobilenetv2': ('deeplabv3plus', 'DeepLabV3Plus'),
    'segformer': ('segformer', 'SegFormer'),
}
# What every network heeds; `Net.keys` says what else.
COMMON_KEYS = ('name', 'in_channels', 'dropout', 'weights')


def build_net(config: NetConfig, num_classes: int) -> Net:
    """Build a network; its weights are random, or those that `config.weights` names.

    Args:
        config: the network. A value that this network does not heed must be left at its default.
        num_classes: number of output channels, at least 2.

    Raises:
        LaneSegError: no network of that name, a value that does not fit, a package that is not
            installed, or no such weights.
    """
    if config.name not in NETS:
        hint = nearest(config.name, NETS)
        raise LaneSegError(
            f'net.name: expected one of {", ".join(NETS)}, found {config.name!r}{hint}'
        )
    if num_classes < 2:
        raise LaneSegError(f'expected at least 2 classes, found {num_classes}')
    module, name = NETS[config.name]
    net_class = getattr(importlib.import_module(f'{__name__}.{module}'), name)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name not in (*COMMON_KEYS, *net_class.keys) and value != field.default:
            raise LaneSegError(
                f'net.{field.name}: expected the default, {field.default!r}, for {config.name} '
                f'does not heed it; found {value!r}. It heeds '
                f'{", ".join((*net_class.keys, *COMMON_KEYS[1:]))}'
            )
    net: Net = net_class(config, num_classes)
    if config.weights:
        net.start_from(config.weights)
    return net
