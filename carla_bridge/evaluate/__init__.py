"""`carla-bridge evaluate`: how well, how fast and how reliably a running node segments.

Nothing here speaks to CARLA: it listens to ROS topics, whoever publishes them.
"""
