"""Ways to move a car through a CARLA town without the Traffic Manager.

`WaypointFollower` drives; `Teleport` jumps along a way and puts the car down a little askew.
"""

from carla_bridge.ego.follower import WaypointFollower
from carla_bridge.ego.lane_path import LanePath
from carla_bridge.ego.teleport import Teleport

__all__ = ['LanePath', 'Teleport', 'WaypointFollower']
