"""Networks by name. A network maps (N, 3, H, W) float tensors to (N, classes, H, W) logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from lane_seg_train.config import NetConfig
    from lane_seg_train.nets.unet import UNet

__all__ = ['build_net']


def build_net(config: NetConfig, num_classes: int) -> UNet:
    """Build a network; weights are random.

    Raises:
        LaneSegError: no network of that name, or arguments that do not fit.
    """
    from lane_seg_train.nets.unet import UNet

    if config.name != 'unet':
        raise LaneSegError(f"expected a network out of ['unet'], found {config.name!r}")
    return UNet(
        num_classes=num_classes,
        width=config.width,
        depth=config.depth,
        multipliers=config.multipliers,
    )
