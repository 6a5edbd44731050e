"""Environment variables that give every process of a launch file what large images need.

Our own executables see to it themselves (`lane_seg_ros.middleware`). A camera driver or rviz does
not, and the shared-memory segment that counts is the publisher's.
"""

from __future__ import annotations

from collections.abc import Mapping

from lane_seg.allocator import MALLOC_VARIABLES
from lane_seg_ros.middleware import (
    NO_TUNING_VARIABLE,
    PROFILE_PATH,
    PROFILE_VARIABLES,
    TRANSPORT_VARIABLES,
)

__all__ = ['image_path_environment']


def image_path_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables to set, those left out about which the user has decided.

    Args:
        environ: the environment as it is.
    """
    if environ.get(NO_TUNING_VARIABLE, '0') not in ('', '0'):
        return {}
    settings: dict[str, str] = {}
    middleware = environ.get('RMW_IMPLEMENTATION', '')
    if (not middleware or 'fastrtps' in middleware) and all(
        environ.get(name) in (None, '', str(PROFILE_PATH)) for name in TRANSPORT_VARIABLES
    ):
        settings |= dict.fromkeys(PROFILE_VARIABLES, str(PROFILE_PATH))
    if not any(name in environ for name in MALLOC_VARIABLES):
        settings |= {name: str(value) for name, value in MALLOC_VARIABLES.items()}
    return settings
