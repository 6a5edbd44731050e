"""Home of the CARLA side: recorder, camera publisher, stand-in server; no module here yet."""
