"""What goes out for one camera, written as bytes where that is possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rclpy.publisher import Publisher

from lane_seg_ros.image_cdr import cdr_from_image
from lane_seg_ros.image_messages import msg_from_image
from lane_seg_ros.pictures import Picture

__all__ = ['ImageOutput', 'Outputs']


@dataclass(frozen=True)
class ImageOutput:
    """Publishes images, as bytes where that is possible.

    Attributes:
        publisher: of sensor_msgs/Image.
        fast: write the bytes ourselves (see `image_cdr`).
    """

    publisher: Publisher
    fast: bool

    @property
    def wanted(self) -> bool:
        """Whether somebody listens."""
        return bool(self.publisher.get_subscription_count())

    def publish(self, image: NDArray[np.uint8], *, encoding: str, picture: Picture) -> None:
        """Publish an image with stamp and frame of the picture that it was made from.

        Args:
            image: (H, W) uint8 for 'mono8', (H, W, 3) uint8 for 'bgr8'.
            encoding: one of the two.
            picture: whose header it gets.
        """
        if not self.fast:
            msg = msg_from_image(image, encoding=encoding, header=picture.header)
            self.publisher.publish(msg)
            return
        self.publisher.publish(
            cdr_from_image(
                image,
                encoding=encoding,
                sec=picture.sec,
                nanosec=picture.nanosec,
                frame_id=picture.frame_id,
            )
        )


@dataclass(frozen=True)
class Outputs:
    """What goes out for one camera."""

    mask: ImageOutput
    confidence: ImageOutput
    mask_color: ImageOutput
    overlay: ImageOutput
    camera_info: Publisher
    timing: Publisher

    @property
    def publishers(self) -> tuple[Publisher, ...]:
        """All of them."""
        return (
            *(
                output.publisher
                for output in (self.mask, self.confidence, self.mask_color, self.overlay)
            ),
            self.camera_info,
            self.timing,
        )

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to any of them."""
        return any(publisher.get_subscription_count() for publisher in self.publishers)
