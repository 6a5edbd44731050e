"""The parts of the publisher that need no server."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.camera_images import metres_from_depth
from carla_bridge.publish.cameras import topic_part
from carla_bridge.publish.report import Report


@given(st.text())
def test_any_name_becomes_one_that_ros_takes(name: str) -> None:
    assert re.fullmatch(r'[A-Za-z_][A-Za-z0-9_]*', topic_part(name))


@given(st.from_regex(r'[A-Za-z_][A-Za-z0-9_]*', fullmatch=True))
def test_a_name_that_ros_takes_stays(name: str) -> None:
    assert topic_part(name) == name


@given(st.integers(0, 2**24 - 1))
def test_depth_has_24_bits_with_red_as_the_lowest(value: int) -> None:
    red, green, blue = value & 255, value >> 8 & 255, value >> 16
    pixels = np.array([[[blue, green, red, 255]]], np.uint8)
    expected = value / (2**24 - 1) * 1000
    assert metres_from_depth(pixels)[0, 0] == pytest.approx(expected, rel=1e-6)


def test_the_report_counts_what_happened_since_the_last_line() -> None:
    report = Report()
    assert report.line(100.0, 7.0) == ''
    for _ in range(60):
        report.tick()
        report.image()
        report.image()
    report.lost(3)
    assert report.line(104.9, 9.0) == ''
    assert report.line(106.0, 10.0) == (
        '10.0 ticks/s, 20.0 images/s, 0.50 x real time, 3 images lost'
    )
    assert report.line(112.0, 10.0) == (
        '0.0 ticks/s, 0.0 images/s, 0.00 x real time, 0 images lost'
    )
