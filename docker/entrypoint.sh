#!/bin/bash
# Source ROS and this package, then become the command, which so gets SIGTERM itself.
set -e

# Not `set -u`: the files of ROS read variables that are not set. The dashes keep our arguments
# from being taken for theirs.
source "${ROS_ROOT:-/opt/ros/$ROS_DISTRO}/setup.bash" --
source "${LANE_SEG_ROOT:-/opt/lane_seg}/local_setup.bash" --
exec "$@"
