"""Say in plain words that ROS 2 is missing, instead of an ImportError."""

from __future__ import annotations

from importlib.util import find_spec

from lane_seg.errors import LaneSegError

__all__ = ['require_ros']


def require_ros() -> None:
    """Raise LaneSegError where rclpy or the image messages cannot be imported."""
    missing = [name for name in ('rclpy', 'sensor_msgs') if find_spec(name) is None]
    if missing:
        raise LaneSegError(
            f'this needs ROS 2, but Python finds no {" and no ".join(missing)}: source the setup '
            'file of a ROS 2 installation (source /opt/ros/<distro>/setup.bash), or install ROS 2 '
            "as Python wheels: pip install 'lane_seg_ros[ros]'"
        )
