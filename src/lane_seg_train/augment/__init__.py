"""Random changes of a training image and its target: geometry, light, weather, camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg_train.augment.geometry import random_warp, warped
from lane_seg_train.augment.lamps import glare, night
from lane_seg_train.augment.photometric import blur, light, noise
from lane_seg_train.augment.shadows import shadow
from lane_seg_train.augment.view import View
from lane_seg_train.augment.weather import fog, rain

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from lane_seg_train.config import AugmentConfig

    Image = NDArray[np.uint8]

__all__ = ['augment']

# In the order in which light meets them, on its way to the lens.
_WEATHER: dict[str, Callable[[Image, View, np.random.Generator], Image]] = {
    'night': night,
    'fog': fog,
    'rain': rain,
    'glare': glare,
}


def augment(
    image: NDArray[np.uint8],
    target: NDArray[np.uint8],
    config: AugmentConfig,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Change one training example: move it, change the street, then the camera.

    Args:
        image: (H, W, 3) uint8 BGR.
        target: (H, W) uint8 ids of a `LabelTable`.
        config: ranges and probabilities.
        rng: the only source of chance.

    Returns:
        New image and target of the same shapes; the arguments stay as they are. Ids are only ever
        moved, to the nearest pixel; pixels from outside the picture are any class (255).
    """
    matrix = random_warp(target.shape, config, rng)
    image, target = warped(image, target, matrix)
    view = View.random(target.shape, matrix, rng)
    if rng.random() < config.shadow:
        image = shadow(image, view, rng)
    # Before the weather: a night that lost 40 grey levels afterwards would be nothing but black.
    image = light(image, config, rng)
    for key, change in _WEATHER.items():
        if rng.random() < getattr(config, key):
            image = change(image, view, rng)
    if rng.random() < config.blur:
        image = blur(image, rng)
    return noise(image, float(rng.uniform(0, config.noise)), rng), target
