"""Where the files lie that are no Python: models, launch files, parameters, rviz layouts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ['share_folders']

_SHARE = Path('share') / 'lane_seg_ros'


def share_folders() -> list[Path]:
    """List the folders that may hold `models/`, `launch/` and so on; not all of them exist.

    What belongs to the code that runs comes first: its checkout, or the prefix that it is
    installed in, be that a virtual environment, a user's own folder (`pip install --user`),
    /usr/local, a folder given by `--target`, or a colcon workspace. Then come the prefixes that
    ROS 2 knows (AMENT_PREFIX_PATH), for models of other packages, and Python's own.
    """
    packages = Path(__file__).resolve().parents[1]
    if packages.name == 'src':
        own = [packages.parent]
    else:  # PREFIX/lib/python3.X/site-packages, or a folder given by --target
        own = [prefix / _SHARE for prefix in (*packages.parents[2:3], packages)]
    known = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    others = [prefix / _SHARE for prefix in (*known, Path(sys.prefix))]
    return list(dict.fromkeys([*own, *others]))
