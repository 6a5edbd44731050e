"""Test double and demo world that speaks CARLA's wire protocol; it is not CARLA.

The unmodified `carla` client, its Traffic Manager included, connects to this server, so that the
whole chain from collection to driving runs where the simulator cannot. Its pictures are simple
and its towns are ours: nothing seen here says how a model does in CARLA, let alone on a road.
"""
