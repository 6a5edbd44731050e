"""Who drives the car: a follower of lanes, the Traffic Manager, or a person at a keyboard."""
