"""A small listening camera for tests."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import carla

WIDTH, HEIGHT = 160, 90


class Eye:
    """A camera and the images that it has sent.

    Args:
        world: where to spawn it.
        kind: 'rgb', 'depth', 'semantic_segmentation' or 'instance_segmentation'.
        transform: in the world, or in the frame of the parent.
        parent: actor to attach it to, or None.
        attributes: of the blueprint, beside the image size.
    """

    def __init__(
        self,
        world: carla.World,
        kind: str,
        transform: carla.Transform,
        parent: carla.Actor | None = None,
        **attributes: object,
    ) -> None:
        blueprint = world.get_blueprint_library().find(f'sensor.camera.{kind}')
        size = {'image_size_x': WIDTH, 'image_size_y': HEIGHT}
        for name, value in {**size, **attributes}.items():
            blueprint.set_attribute(name, str(value))
        self.actor = world.spawn_actor(blueprint, transform, attach_to=parent)
        self.images: queue.Queue[carla.Image] = queue.Queue()
        self.actor.listen(self.images.put)

    def image(self) -> carla.Image:
        """Return the next image."""
        return self.images.get(timeout=20)


def bgra(image: carla.Image) -> np.ndarray:
    """Return the pixels (H, W, 4) uint8."""
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)
