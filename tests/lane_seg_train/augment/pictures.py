"""Pictures and configurations for the tests of augmentation."""

from __future__ import annotations

import numpy as np

from lane_seg_train.config import AugmentConfig

__all__ = ['EVERYTHING', 'NOTHING', 'street']

NOTHING = AugmentConfig(
    flip=0.0, vertical_flip=0.0, scale=(1.0, 1.0), stretch=0.0, rotate_deg=0.0, shear_deg=0.0,
    brightness=0.0, contrast=0.0, colour=0.0, channel_shift=0.0, gamma=0.0, blur=0.0, noise=0.0,
    shadow=0.0, rain=0.0, fog=0.0, glare=0.0, night=0.0,
)  # fmt: skip
EVERYTHING = AugmentConfig(
    flip=0.5, vertical_flip=0.3, scale=(0.4, 2.5), stretch=0.3, rotate_deg=20.0, shear_deg=15.0,
    channel_shift=15.0, blur=0.5, shadow=0.5, rain=0.5, fog=0.5, glare=0.5, night=0.5,
)  # fmt: skip


def street(height: int = 64, width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A bright sky over a grey street with a white line; the line is not in the middle.

    Returns:
        (H, W, 3) uint8 BGR with a little noise, and its (H, W) uint8 target: 0, 1, 2.
    """
    target = np.zeros((height, width), np.uint8)
    target[height // 3 :] = 1
    target[height // 3 :, width // 4 : width // 4 + 6] = 2
    colours = np.array([[215, 190, 170], [105, 100, 95], [220, 225, 225]], np.uint8)
    noise = np.random.default_rng(0).integers(-6, 7, (height, width, 1))
    return (colours[target] + noise).astype(np.uint8), target
