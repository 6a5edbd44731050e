"""Renderer of mini_carla: pictures, labels and depth from one set of polygons."""

from __future__ import annotations

from carla_bridge.mini_carla.render.renderer import PICTURES, Renderer
from carla_bridge.mini_carla.render.weather import Weather

__all__ = ['PICTURES', 'Renderer', 'Weather']
