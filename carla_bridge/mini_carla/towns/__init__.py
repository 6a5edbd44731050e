"""The towns of mini_carla: road networks, their OpenDRIVE text and the shapes made of them.

A town is described once, as roads with lanes and marks; its text, its polygons, its analytic
borders and its spawn points all come from that one description. `load_town` builds one.
"""

from carla_bridge.mini_carla.towns.catalogue import available_towns, load_town

__all__ = ['available_towns', 'load_town']
