"""Plan-view curves: lines, arcs and clothoids, evaluated exactly and joined smoothly.

The frame is OpenDRIVE's: x, y in metres with y LEFT, heading in radians counter-clockwise from
x. Positive curvature turns left. The elements are those of OpenDRIVE 1.4, section 5.3.4
(`line`, `arc`, `spiral`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ['Curve', 'Element', 'Pose', 'arc', 'bend', 'line', 'turn_between']

Array = NDArray[np.float64]

# Gauss-Legendre nodes on [0, 1]: exact to rounding for clothoids that turn by less than 90 deg.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_NODES, _WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2


@dataclass(frozen=True)
class Pose:
    """A point of a curve: x, y in metres and the heading in radians."""

    x: float
    y: float
    heading: float

    def shifted(self, t: float) -> Pose:
        """Return the pose `t` metres to the left with the same heading."""
        return replace(
            self, x=self.x - t * math.sin(self.heading), y=self.y + t * math.cos(self.heading)
        )

    def turned(self) -> Pose:
        """Return the pose with the opposite heading."""
        return replace(self, heading=self.heading + math.pi)


@dataclass(frozen=True)
class Element:
    """One `geometry` of OpenDRIVE, without its place: the curvature changes linearly.

    Attributes:
        length: metres.
        start: curvature at its beginning, 1/m.
        end: curvature at its end, 1/m; equal to `start` for lines and arcs.
    """

    length: float
    start: float = 0.0
    end: float = 0.0

    @property
    def kind(self) -> str:
        """OpenDRIVE's name: 'line', 'arc' or 'spiral'."""
        if self.start != self.end:
            return 'spiral'
        return 'arc' if self.start else 'line'

    def along(self, pose: Pose, distance: Array) -> tuple[Array, Array, Array]:
        """Return x, y and heading, each (N,), `distance` (N,) metres after `pose`."""
        # The heading is a polynomial of second degree in the distance.
        slope = (self.end - self.start) / self.length
        u = distance[:, None] * _NODES
        if self.kind == 'spiral':
            heading = pose.heading + u * (self.start + slope * u / 2)
            x = pose.x + distance * (np.cos(heading) @ _WEIGHTS)
            y = pose.y + distance * (np.sin(heading) @ _WEIGHTS)
        else:
            # A chord: its length is d sinc(k d / 2), its direction that of the middle.
            half = self.start * distance / 2
            chord = distance * np.sinc(half / math.pi)
            x = pose.x + chord * np.cos(pose.heading + half)
            y = pose.y + chord * np.sin(pose.heading + half)
        return x, y, pose.heading + distance * (self.start + slope * distance / 2)


def line(length: float) -> tuple[Element, ...]:
    """Return a straight piece of `length` metres."""
    return (Element(length),)


def arc(radius: float, degrees: float) -> tuple[Element, ...]:
    """Return a circular arc; positive `degrees` turn left, `radius` is in metres."""
    curvature = math.copysign(1 / radius, degrees)
    return (Element(radius * math.radians(abs(degrees)), curvature, curvature),)


def bend(radius: float, degrees: float, easing: float) -> tuple[Element, ...]:
    """Return clothoid, arc, clothoid: a turn without a jump of the curvature.

    Args:
        radius: of the arc, metres.
        degrees: of the whole turn, positive to the left.
        easing: length of each clothoid, metres; together they turn by `easing / radius`.
    """
    curvature = math.copysign(1 / radius, degrees)
    rest = math.radians(abs(degrees)) - easing / radius
    if rest <= 0:
        raise ValueError(
            f'expected clothoids that turn less than {degrees} deg, found {easing} m at radius '
            f'{radius} m; shorten them or widen the radius'
        )
    return (
        Element(easing, 0.0, curvature),
        Element(radius * rest, curvature, curvature),
        Element(easing, curvature, 0.0),
    )


@dataclass(frozen=True)
class Curve:
    """A reference line: elements one after the other from a first pose."""

    start: Pose
    elements: tuple[Element, ...]

    @property
    def length(self) -> float:
        """Arc length in metres."""
        return float(sum(element.length for element in self.elements))

    @property
    def end(self) -> Pose:
        """The pose where the curve ends."""
        last, pose = self.elements[-1], self.poses[-1]
        x, y, heading = last.along(pose, np.array([last.length]))
        return Pose(float(x[0]), float(y[0]), float(heading[0]))

    @cached_property
    def poses(self) -> tuple[Pose, ...]:
        """The pose at which each element begins."""
        poses = [self.start]
        for element in self.elements[:-1]:
            x, y, heading = element.along(poses[-1], np.array([element.length]))
            poses.append(Pose(float(x[0]), float(y[0]), float(heading[0])))
        return tuple(poses)

    @cached_property
    def starts(self) -> Array:
        """Arc length (N,) in metres at which each element begins."""
        lengths = [element.length for element in self.elements]
        return np.concatenate([[0.0], np.cumsum(lengths)[:-1]])

    def at(self, s: Array) -> tuple[Array, Array, Array]:
        """Return x, y and heading, each (N,), at arc lengths `s` (N,) in metres."""
        which = self._which(s)
        x, y, heading = np.empty_like(s), np.empty_like(s), np.empty_like(s)
        for i in range(int(which.min()), int(which.max()) + 1):
            here = which == i
            d = s[here] - self.starts[i]
            x[here], y[here], heading[here] = self.elements[i].along(self.poses[i], d)
        return x, y, heading

    def _which(self, s: Array) -> NDArray[np.intp]:
        """Return the index (N,) of the element at arc lengths `s` (N,)."""
        last = len(self.elements) - 1
        return np.clip(np.searchsorted(self.starts, s, side='right') - 1, 0, last)

    def curvature(self, s: Array) -> Array:
        """Return the curvature (N,) in 1/m at arc lengths `s` (N,)."""
        which = self._which(s)
        first = np.array([element.start for element in self.elements])[which]
        last = np.array([element.end for element in self.elements])[which]
        length = np.array([element.length for element in self.elements])[which]
        return first + (last - first) * (s - self.starts[which]) / length


def turn_between(begin: Pose, end: Pose) -> Curve:
    """Return the way from one pose to another: a line, or lines and the widest arc between them.

    The tangents of both poses must meet ahead of the first and behind the second, or lie on one
    line: it is what the corners and the connecting roads of a junction need.

    Raises:
        ValueError: the poses cannot be joined in this way.
    """
    turn = (end.heading - begin.heading + math.pi) % (2 * math.pi) - math.pi
    dx, dy = end.x - begin.x, end.y - begin.y
    cos, sin = math.cos(begin.heading), math.sin(begin.heading)
    ahead, left = dx * cos + dy * sin, dy * cos - dx * sin
    if abs(turn) < 1e-9:
        if abs(left) > 1e-6 or ahead <= 0:
            raise ValueError(f'expected poses on one line, found {begin} and {end}')
        return Curve(begin, line(ahead))
    # Tangents: `ahead` = a + b cos(turn), `left` = b sin(turn).
    after = left / math.sin(turn)
    before = ahead - after * math.cos(turn)
    tangent = min(before, after)
    if tangent <= 0:
        raise ValueError(f'expected tangents that meet between the poses, found {begin}, {end}')
    radius = tangent / math.tan(abs(turn) / 2)
    elements = arc(radius, math.degrees(turn))
    # Splinters of a line would make splinters of every polygon.
    if before - tangent > 1e-6:
        elements = line(before - tangent) + elements
    if after - tangent > 1e-6:
        elements += line(after - tangent)
    return Curve(begin, elements)
