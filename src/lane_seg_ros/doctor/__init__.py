"""`lane-seg doctor`: what is wrong with a camera topic, and who must change what.

`graph` looks at the running ROS graph and fills in `observations`. The modules `check_*` turn
these into findings; they are pure functions and know no ROS. `report` shows the findings.
"""
