"""What a town of mini_carla is made of: ground polygons, boxes, lane borders, spawn points.

mini_carla is our stand-in for the CARLA server. Towns build these objects, the renderer draws
them and the server moves actors among them; no other shape passes between the three.

The world frame is Unreal's as the `carla` client sees it: x forward, y RIGHT, z up, in metres;
rotations are (pitch, yaw, roll) in degrees. OpenDRIVE has y LEFT, so y changes its sign between
the XML text and everything here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    'Box',
    'BoxKind',
    'LaneBorder',
    'Surface',
    'SurfaceKind',
    'Town',
    'Transform',
]

SurfaceKind = Literal[
    'road',
    'shoulder',
    'sidewalk',
    'kerb',
    'terrain',
    'lane_mark',
    'crosswalk',
    'stop_line',
    'arrow',
]

BoxKind = Literal[
    'building',
    'vehicle',
    'pole',
    'trunk',
    'crown',
    'wall',
    'guard_rail',
    'traffic_light',
]


@dataclass(frozen=True)
class Transform:
    """A place and an attitude in the world frame.

    Attributes:
        x: metres forward.
        y: metres to the right.
        z: metres up.
        pitch: degrees, nose up is positive.
        yaw: degrees, clockwise seen from above is positive, as in Unreal.
        roll: degrees, right side down is positive.
    """

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0

    def matrix(self) -> NDArray[np.float64]:
        """Return the (4, 4) matrix M with `world = M @ (x, y, z, 1)` of a point in this frame.

        It is the matrix that `carla.Transform.get_matrix()` returns for the same numbers.
        """
        pitch, yaw, roll = (math.radians(angle) for angle in (self.pitch, self.yaw, self.roll))
        cp, sp = math.cos(pitch), math.sin(pitch)
        cy, sy = math.cos(yaw), math.sin(yaw)
        cr, sr = math.cos(roll), math.sin(roll)
        return np.array(
            [
                [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr, self.x],
                [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr, self.y],
                [sp, -cp * sr, cp * cr, self.z],
                [0.0, 0.0, 0.0, 1.0],
            ]
        )


# Arrays have no single truth value: objects that hold them are compared by identity.
@dataclass(frozen=True, eq=False)
class Surface:
    """A nearly flat polygon of the ground or of the paint on it.

    Long strips come in pieces of at most about 6 m, so that each follows curves and hills.

    Attributes:
        kind: what it is made of.
        vertices: (N, 3) float32, a simple polygon in the world frame, metres; counter-clockwise
            for somebody who looks down on it (that is in x and y of OpenDRIVE; the numbers of
            our y RIGHT frame therefore give a negative signed area).
        colour: 'white' or 'yellow' for paint, '' otherwise.
        instance: 1 to 65535; pieces of one mark, or of one road, have the same number.
        wear: of paint, 0 (fresh) to 1 (gone).
    """

    kind: SurfaceKind
    vertices: NDArray[np.float32]
    colour: str = ''
    instance: int = 1
    wear: float = 0.0


@dataclass(frozen=True)
class Box:
    """A cuboid that stands on, or moves over, the ground.

    Attributes:
        kind: what it stands for.
        transform: of its centre.
        extent: half sizes along its own x, y and z, metres.
        colour: (blue, green, red), 0 to 255.
        instance: 1 to 65535.
    """

    kind: BoxKind
    transform: Transform
    extent: tuple[float, float, float]
    colour: tuple[int, int, int]
    instance: int


@dataclass(frozen=True, eq=False)
class LaneBorder:
    """Analytic truth: where the paint of one lane border lies, for tests and labels.

    Attributes:
        road: OpenDRIVE id of the road.
        lane: OpenDRIVE id of the lane whose outer border this is; 0 is the reference line.
        kind: type of the mark in OpenDRIVE's words: 'solid', 'broken', 'solid solid', ...
        colour: 'white' or 'yellow'.
        width_m: of one painted line, metres.
        points: (N, 3) float64, centre line of the paint in the world frame, a point at least
            every 0.5 m, in direction of rising s. Of a double line it is the middle between both
            lines; dashes are not cut out.
    """

    road: int
    lane: int
    kind: str
    colour: str
    width_m: float
    points: NDArray[np.float64]


def _flat(x: float, y: float) -> float:
    """Height of a ground without hills, metres."""
    return 0.0


@dataclass(frozen=True, eq=False)
class Town:
    """One world: the text that the client parses and the shapes that the renderer draws.

    Attributes:
        name: 'Town_ring', ...; never the name of one of CARLA's own maps.
        opendrive: OpenDRIVE 1.4 XML text of the very geometry that the surfaces are made of.
        surfaces: ground and paint; the order of drawing is the renderer's business.
        boxes: everything that stands still: buildings, trees, poles, walls.
        borders: the painted lane borders.
        spawn_points: where vehicles may start, above the middle of a driving lane, in its
            direction.
        ground: height of the ground in metres at world x, y; what `height` asks.
    """

    name: str
    opendrive: str
    surfaces: tuple[Surface, ...]
    boxes: tuple[Box, ...]
    borders: tuple[LaneBorder, ...]
    spawn_points: tuple[Transform, ...]
    ground: Callable[[float, float], float] = _flat

    def height(self, x: float, y: float) -> float:
        """Return the height of the ground in metres at world coordinates `x`, `y`.

        It is that of the carriageway; a sidewalk is a kerb higher.
        """
        return self.ground(x, y)
