"""Front door: a road scene of one seed, a picture with its label for every moment."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg_scene.camera import PinholeCamera
from lane_seg_scene.draw import Canvas
from lane_seg_scene.ground import (
    GroundRows,
    GroundTexture,
    Paint,
    ground_rows,
    paint_pixels,
    road_label,
)
from lane_seg_scene.props import Props, SeenProp
from lane_seg_scene.road import CentreLine, RoadPiece, road_layout
from lane_seg_scene.sky import Panorama
from lane_seg_scene.textures import grain_tile, ground_texture, noise
from lane_seg_scene.traffic import SeenCar, Traffic
from lane_seg_scene.weather import random_weather

__all__ = ['BACKGROUND', 'LANE_MARKING', 'ROAD', 'RoadScene', 'SceneFrame']

BACKGROUND, ROAD, LANE_MARKING = 0, 1, 2


@dataclass(frozen=True)
class SceneFrame:
    """One picture with its truth.

    Attributes:
        image: BGR uint8 (H, W, 3).
        label: uint8 (H, W); 0 background, 1 road, 2 lane marking.
        time_s: the moment, in seconds of driving.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    time_s: float


class RoadScene:
    """Endless procedural road seen from a driving car.

    A frame depends on seed, size, field of view and time only: the same input gives the same
    bytes, in any order of calls. The constructor paints all textures and takes most of a second;
    a frame takes milliseconds. An object must not be used by two threads at a time.

    Args:
        seed: chooses road, weather, surroundings, camera position; any integer >= 0.
        height: image rows, 32 to 4096.
        width: image columns, 32 to 4096.
        fov_deg: horizontal field of view in degrees, 20 to 130.
    """

    def __init__(
        self, seed: int = 0, *, height: int = 720, width: int = 1280, fov_deg: float = 70.0
    ) -> None:
        _check(seed, height, width, fov_deg)
        rng = np.random.default_rng(seed)
        self.seed = seed
        self.weather = random_weather(rng)
        urban = bool(rng.random() < 0.45)
        self.layout = road_layout(rng, urban=urban)
        self.centre_line = CentreLine.random(rng, min_radius_m=130.0 if urban else 260.0)
        self._speed = float(rng.uniform(17.0, 23.0))
        self._start = float(rng.uniform(0.0, 2000.0))
        self._pitch = math.radians(float(rng.uniform(-6.0, 1.0)))
        self._camera = PinholeCamera(
            height=height, width=width, fov_deg=fov_deg, z=float(rng.uniform(1.2, 1.8))
        )
        self._sway = rng.uniform(0, 2 * math.pi, 6)
        worn = noise(rng, (512, 512), (256, 256)) + noise(rng, (512, 512), (64, 64))
        self._opacity = np.clip(rng.uniform(0.6, 1.05) + 0.15 * worn, 0.2, 0.97).ravel()
        self._paint_bgr = np.stack(
            [
                self.weather.lit((208.0, 216, 218)),
                self.weather.lit((70.0, 178, 215)),
            ]
        ).astype(np.float32)
        self._ground = GroundTexture(
            ground_texture(rng, self.layout, self.weather),
            grain_tile(rng, float(rng.uniform(5.0, 12.0))),
        )
        self._panorama = Panorama(
            rng,
            self._camera,
            self.weather,
            self.centre_line,
            pitch=self._pitch,
            urban=urban,
        )
        self._props = Props(rng, self.layout, self.weather)
        self._traffic = Traffic(rng, self.layout, self.weather, self._speed)
        self._blur = bool(rng.random() < 0.4)
        self._sensor = rng.integers(
            0, int(rng.integers(3, 9)), (height + 64, width + 64, 3), dtype=np.uint8
        )

    @property
    def camera_matrix(self) -> NDArray[np.float64]:
        """Intrinsic matrix K, (3, 3) float64; pixel centres have integer coordinates."""
        return self._camera.matrix

    def position(self, time_s: float) -> float:
        """Arc length in metres at which the camera car is."""
        return self._start + self._speed * time_s

    def camera(self, time_s: float) -> PinholeCamera:
        """Camera at a moment, in the frame of the centre line at `position(time_s)`."""
        a, b, c, d, e, g = self._sway.tolist()
        drift = 0.22 * math.sin(0.31 * time_s + a) + 0.10 * math.sin(0.83 * time_s + b)
        nod = 0.0035 * math.sin(5.1 * time_s + c) + 0.0025 * math.sin(8.7 * time_s + d)
        yaw = 0.012 * math.sin(0.31 * time_s + a + 1.6) + 0.006 * math.sin(0.9 * time_s + e)
        heave = 0.012 * math.sin(7.3 * time_s + g)
        return PinholeCamera(
            height=self._camera.height,
            width=self._camera.width,
            fov_deg=self._camera.fov_deg,
            y=self.layout.ego_t + drift,
            z=self._camera.z + heave,
            yaw=yaw,
            pitch=self._pitch + nod,
        )

    def frame(self, time_s: float) -> SceneFrame:
        """Render the picture and its label at `time_s` seconds.

        Raises:
            ValueError: `time_s` is not a finite number.
        """
        if not math.isfinite(time_s):
            raise ValueError(f'time_s must be a finite number of seconds, not {time_s}')
        camera = self.camera(time_s)
        here = self.position(time_s)
        piece = self.centre_line.piece(here, behind=32.0)
        rows = ground_rows(camera, piece)
        heading = float(self.centre_line.heading(np.array([here]))[0])

        image = np.empty((camera.height, camera.width, 3), np.uint8)
        label = np.zeros((camera.height, camera.width), np.uint8)
        canvas = Canvas(camera, image, label)
        props = self._props.visible(canvas, piece, here)
        cars = self._traffic.visible(canvas, piece, here, time_s)

        self._panorama.draw(image, camera, heading)
        if len(rows.s):
            self._ground.draw(rows, image)
            paint = paint_pixels(rows, self.layout.markings)
            self._draw_paint(paint, image)
            self._draw_light(canvas, rows, props, cars, heading)
            road_label(rows, self.layout, label)
            solid = paint.coverage >= 0.5
            label[paint.row[solid], paint.column[solid]] = LANE_MARKING
        self._draw_things(canvas, piece, here, props, cars)
        self._expose(image, time_s)
        return SceneFrame(image, label, time_s)

    def _draw_paint(self, paint: Paint, image: NDArray[np.uint8]) -> None:
        """Blend worn paint over the ground of `image`."""
        wear = ((paint.s * 20).astype(np.int32) & 511) * 512
        wear += (paint.t * 40).astype(np.int32) & 511
        alpha = (paint.coverage * np.take(self._opacity, wear))[:, None]
        place = paint.row * image.shape[1] + paint.column
        pixels = image.reshape(-1, 3)
        below = np.take(pixels, place, axis=0).astype(np.float32)
        colour = np.take(self._paint_bgr, paint.yellow.view(np.uint8), axis=0)
        colour -= below
        colour *= alpha
        below += colour
        pixels[place] = below.astype(np.uint8)

    def _draw_light(
        self,
        canvas: Canvas,
        rows: GroundRows,
        props: list[SeenProp],
        cars: list[SeenCar],
        heading: float,
    ) -> None:
        """Grain, shadows and haze on the ground of the canvas."""
        ground = canvas.image[rows.first :]
        gain = np.empty(ground.shape[:2], np.uint8)
        self._ground.draw_grain(rows, gain)
        shade = np.full(ground.shape[:2], 255, np.uint8)
        cos, sin = math.cos(heading), math.sin(heading)
        x, y, z = self.weather.sun.tolist()
        sun = np.array([cos * x + sin * y, cos * y - sin * x, z])
        level = 255 * self.weather.shadow
        if self.weather.shadow < 0.8:
            for prop in props:
                if prop.foot[2] < 90.0:
                    canvas.shade(self._props.shadow(prop, sun), level, shade, rows.first)
        for car in cars:
            if car.depth < 90.0:
                for outline, dark in self._traffic.shadows(car, sun):
                    canvas.shade(outline, level if not dark else 0.75 * level, shade, rows.first)
        cv2.blur(shade, (5, 5), dst=shade)
        cv2.multiply(gain, shade, dst=gain, scale=1 / 255)
        cv2.multiply(ground, cv2.merge([gain, gain, gain]), dst=ground, scale=1 / 128)

        far = int(np.searchsorted(-rows.distance, -30.0))
        if far:
            left = np.exp(-rows.distance[:far] / self.weather.haze_m)[:, None, None]
            left = left.astype(np.float32)
            haze = (1 - left) * self.weather.haze.astype(np.float32)
            ground[:far] = (ground[:far] * left + haze).astype(np.uint8)

    def _draw_things(
        self,
        canvas: Canvas,
        piece: RoadPiece,
        here: float,
        props: list[SeenProp],
        cars: list[SeenCar],
    ) -> None:
        """Draw everything that stands or drives, from far to near."""
        # Guard rails stand between the near surroundings and the near cars.
        stage_m = 60.0
        # A house counts from its far end: whatever drives or grows along it is before it.
        queue: list[tuple[float, SeenProp | SeenCar]] = [
            (float(prop.foot[2]) + prop.length, prop) for prop in props
        ]
        queue += [(car.depth, car) for car in cars]
        queue.sort(key=lambda entry: -entry[0])
        rails = self.layout.rail_left or self.layout.rail_right
        late: list[SeenCar] = []
        for depth, thing in queue:
            if isinstance(thing, SeenProp):
                self._props.draw(canvas, thing)
            elif rails and depth < stage_m:
                late.append(thing)
            else:
                self._traffic.draw(canvas, thing)
        self._props.draw_rails(canvas, piece, here)
        for thing in late:
            self._traffic.draw(canvas, thing)

    def _expose(self, image: NDArray[np.uint8], time_s: float) -> None:
        """Lens blur and sensor noise, in place."""
        if self._blur:
            cv2.GaussianBlur(image, (3, 3), 0.6, dst=image)
        height, width = image.shape[:2]
        rng = np.random.default_rng([self.seed, int(np.float64(time_s).view(np.uint64))])
        y0, x0, y1, x1 = rng.integers(0, 64, 4).tolist()
        cv2.add(image, self._sensor[y0 : y0 + height, x0 : x0 + width], dst=image)
        cv2.subtract(image, self._sensor[y1 : y1 + height, x1 : x1 + width], dst=image)


def _check(seed: int, height: int, width: int, fov_deg: float) -> None:
    """Refuse what cannot be rendered."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f'seed must be an integer >= 0, not {seed!r}')
    for name, value in (('height', height), ('width', width)):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or not 32 <= value <= 4096:
            raise ValueError(f'{name} must be an integer from 32 to 4096 pixels, not {value!r}')
    if not 20.0 <= fov_deg <= 130.0:
        raise ValueError(f'fov_deg must be from 20 to 130 degrees, not {fov_deg!r}')
