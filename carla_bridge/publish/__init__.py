"""CARLA's cameras as ROS 2 topics, with the names, types and frames of ros-bridge."""
