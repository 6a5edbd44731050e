"""What an ideal camera says about itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

__all__ = ['ideal_camera_info']


def ideal_camera_info(k: NDArray[np.float64], *, height: int, width: int) -> CameraInfo:
    """Describe a camera without distortion; the header is left to the caller.

    Args:
        k: (3, 3) intrinsic matrix, pixels.
        height: rows of its images.
        width: columns of its images.
    """
    return CameraInfo(
        height=height,
        width=width,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=k.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=np.column_stack((k, np.zeros(3))).ravel().tolist(),
    )
