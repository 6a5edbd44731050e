"""ROS 2 shell around lane_seg: nodes, image messages, parameters. Needs rclpy."""
