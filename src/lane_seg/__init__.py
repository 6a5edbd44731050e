"""Core of lane_seg_ros: what the model eats and returns. Needs numpy, OpenCV and PyYAML only."""

__version__ = '0.1.0'
