"""Procedural road scene: camera pictures with exact lane labels, without a simulator."""

from __future__ import annotations

from lane_seg_scene.camera import PinholeCamera
from lane_seg_scene.scene import BACKGROUND, LANE_MARKING, ROAD, RoadScene, SceneFrame

__all__ = ['BACKGROUND', 'LANE_MARKING', 'ROAD', 'PinholeCamera', 'RoadScene', 'SceneFrame']
