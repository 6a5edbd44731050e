"""What can be spawned: cameras, four small sensors and some vehicles, under CARLA's own names.

Names and attributes are CARLA's, so that scripts written for it find what they look for. Of a
camera, size, field of view and `sensor_tick` have an effect; lens, exposure, post-processing and
the noise of GNSS and IMU are accepted and do nothing. The sizes of the cars are about those of the
real models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from carla_bridge.mini_carla.profiles import Profile
from carla_bridge.mini_carla.vehicle import VehicleModel

__all__ = ['CAMERA_KINDS', 'VEHICLES', 'Attribute', 'Blueprint', 'blueprints', 'definitions']

# What each camera shows, in the words of the renderer.
CAMERA_KINDS = {
    'sensor.camera.rgb': 'rgb',
    'sensor.camera.depth': 'depth',
    'sensor.camera.semantic_segmentation': 'semantic',
    'sensor.camera.instance_segmentation': 'instance',
}

_BOOL, _INT, _FLOAT, _STRING, _COLOUR = range(5)


@dataclass(frozen=True)
class Attribute:
    """One attribute of a blueprint: its name, type, default and recommended values."""

    name: str
    type: int
    default: str
    recommended: tuple[str, ...] = ()
    fixed: bool = False


@dataclass(frozen=True)
class Blueprint:
    """An entry of the library.

    Attributes:
        name: CARLA's id of it.
        attributes: what can be set.
        vehicle: how it drives; None if it is no vehicle.
        missing: what mini_carla lacks to spawn it; '' for what can be spawned.
    """

    name: str
    attributes: tuple[Attribute, ...]
    vehicle: VehicleModel | None = None
    missing: str = ''


@dataclass(frozen=True)
class _Car:
    name: str
    base_type: str
    model: VehicleModel
    colours: tuple[str, ...]


_PAINTS = ('180,20,20', '20,40,150', '225,225,225', '25,25,28', '120,124,128')

VEHICLES = (
    _Car('vehicle.audi.tt', 'car', VehicleModel((2.09, 0.99, 0.69), 1450.0, 160e3), _PAINTS),
    _Car('vehicle.dodge.charger_2020', 'car', VehicleModel((2.5, 0.94, 0.77), 1900.0), _PAINTS),
    _Car('vehicle.lincoln.mkz_2017', 'car', VehicleModel((2.45, 1.06, 0.75)), _PAINTS),
    _Car('vehicle.lincoln.mkz_2020', 'car', VehicleModel((2.45, 0.93, 0.74)), _PAINTS),
    _Car('vehicle.mini.cooper_s', 'car', VehicleModel((1.9, 0.86, 0.74), 1300.0), _PAINTS),
    _Car('vehicle.nissan.patrol', 'car', VehicleModel((2.3, 0.97, 0.93), 2600.0), _PAINTS),
    _Car('vehicle.tesla.model3', 'car', VehicleModel((2.4, 0.93, 0.74), 1850.0, 200e3), _PAINTS),
    _Car(
        'vehicle.mercedes.sprinter',
        'van',
        VehicleModel((2.96, 1.0, 1.28), 3100.0, 100e3, 3.0, 4.5e-4, 38.0),
        ('235,235,235', '200,170,30', '60,80,120'),
    ),
    _Car(
        'vehicle.carlamotors.firetruck',
        'truck',
        VehicleModel((4.23, 1.25, 1.8), 12000.0, 230e3, 2.0, 4e-4, 42.0),
        ('190,25,20',),
    ),
)

_ROLES = ('autopilot', 'scenario', 'ego_vehicle', 'hero')


def _numbers(text: str) -> tuple[Attribute, ...]:
    """Attributes of type Float from 'name value name value ...'."""
    words = text.split()
    return tuple(
        Attribute(name, _FLOAT, value) for name, value in zip(words[::2], words[1::2], strict=True)
    )


_SENSOR = (
    Attribute('role_name', _STRING, 'front'),
    Attribute('ros_name', _STRING, ''),
)
_CAMERA = (
    Attribute('image_size_x', _INT, '800'),
    Attribute('image_size_y', _INT, '600'),
    *_numbers(
        'fov 90.0 sensor_tick 0.0 lens_circle_falloff 5.0 lens_circle_multiplier 0.0 '
        'lens_k -1.0 lens_kcube 0.0 lens_x_size 0.08 lens_y_size 0.08'
    ),
    *_SENSOR,
)
_GNSS = (
    *_numbers(
        'sensor_tick 0.0 noise_alt_bias 0.0 noise_alt_stddev 0.0 noise_lat_bias 0.0 '
        'noise_lat_stddev 0.0 noise_lon_bias 0.0 noise_lon_stddev 0.0'
    ),
    Attribute('noise_seed', _INT, '0'),
    *_SENSOR,
)
_IMU = (
    *_numbers(
        'sensor_tick 0.0 noise_accel_stddev_x 0.0 noise_accel_stddev_y 0.0 '
        'noise_accel_stddev_z 0.0 noise_gyro_bias_x 0.0 noise_gyro_bias_y 0.0 '
        'noise_gyro_bias_z 0.0 noise_gyro_stddev_x 0.0 noise_gyro_stddev_y 0.0 '
        'noise_gyro_stddev_z 0.0'
    ),
    Attribute('noise_seed', _INT, '0'),
    *_SENSOR,
)
_LIDAR = (
    Attribute('channels', _INT, '32'),
    Attribute('points_per_second', _INT, '56000'),
    *_numbers(
        'sensor_tick 0.0 range 10.0 rotation_frequency 10.0 upper_fov 10.0 lower_fov -30.0 '
        'horizontal_fov 360.0'
    ),
    Attribute('dropoff_general_rate', _FLOAT, '0.45', ('0.45',)),
    Attribute('dropoff_intensity_limit', _FLOAT, '0.8', ('0.8',)),
    Attribute('dropoff_zero_intensity', _FLOAT, '0.4', ('0.4',)),
    Attribute('noise_stddev', _FLOAT, '0.0'),
    *_SENSOR,
)
_RADAR = (
    Attribute('points_per_second', _INT, '1500'),
    *_numbers('sensor_tick 0.0 range 100.0 horizontal_fov 30.0 vertical_fov 30.0'),
    *_SENSOR,
)
_WALKER = (
    Attribute('is_invincible', _BOOL, 'true'),
    Attribute('speed', _FLOAT, '0.0', ('0.0', '1.4', '3.0')),
    Attribute('role_name', _STRING, 'pedestrian'),
    Attribute('gender', _STRING, 'female', fixed=True),
    Attribute('age', _STRING, 'adult', fixed=True),
    Attribute('generation', _INT, '2', fixed=True),
)
_PHOTO = (
    Attribute('enable_postprocess_effects', _BOOL, 'true'),
    Attribute('exposure_mode', _STRING, 'histogram', ('manual', 'histogram')),
    Attribute('blade_count', _INT, '5'),
    *_numbers(
        'gamma 2.2 fstop 1.4 min_fstop 1.2 iso 100.0 shutter_speed 200.0 bloom_intensity 0.675 '
        'lens_flare_intensity 0.1 exposure_compensation 0.0 exposure_min_bright 10.0 '
        'exposure_max_bright 12.0 exposure_speed_up 3.0 exposure_speed_down 1.0 '
        'calibration_constant 16.0 focal_distance 1000.0 blur_amount 1.0 blur_radius 0.0 '
        'motion_blur_intensity 0.45 motion_blur_max_distortion 0.35 '
        'motion_blur_min_object_screen_size 0.1 slope 0.88 toe 0.55 shoulder 0.26 '
        'black_clip 0.0 white_clip 0.04 temp 6500.0 tint 0.0 '
        'chromatic_aberration_intensity 0.0 chromatic_aberration_offset 0.0'
    ),
)
# CARLA's own examples look all of these up before they need one of them, and many scripts spawn
# pedestrians as a part of their traffic and go on where that fails.
_ABSENT = {
    'sensor.camera.cosmos_visualization': ('visualisation for Cosmos', _CAMERA),
    'sensor.camera.dvs': ('event camera', _CAMERA),
    'sensor.camera.normals': ('camera of surface normals', _CAMERA),
    'sensor.camera.optical_flow': ('camera of optical flow', _CAMERA),
    'sensor.lidar.ray_cast': ('lidar', _LIDAR),
    'sensor.lidar.ray_cast_semantic': ('lidar', _LIDAR),
    'sensor.other.radar': ('radar', _RADAR),
    'walker.pedestrian.0001': ('pedestrians', _WALKER),
    'controller.ai.walker': ('pedestrians', _SENSOR[:1]),
}


def blueprints() -> dict[str, Blueprint]:
    """Return {name: blueprint} of the library."""
    return {blueprint.name: blueprint for blueprint in _all()}


def _all() -> Iterator[Blueprint]:
    for name, kind in CAMERA_KINDS.items():
        yield Blueprint(name, _CAMERA + (_PHOTO if kind == 'rgb' else ()))
    yield Blueprint('sensor.other.collision', _SENSOR)
    yield Blueprint('sensor.other.lane_invasion', _SENSOR)
    yield Blueprint('sensor.other.gnss', _GNSS)
    yield Blueprint('sensor.other.imu', _IMU)
    for name, (missing, attributes) in _ABSENT.items():
        yield Blueprint(name, attributes, missing=missing)
    for car in VEHICLES:
        attributes = (
            Attribute('role_name', _STRING, 'autopilot', _ROLES),
            Attribute('color', _COLOUR, car.colours[0], car.colours),
            Attribute('sticky_control', _BOOL, 'true'),
            Attribute('ros_name', _STRING, ''),
            Attribute('number_of_wheels', _INT, '4', fixed=True),
            Attribute('base_type', _STRING, car.base_type, fixed=True),
            Attribute('generation', _INT, '2', fixed=True),
            Attribute('special_type', _STRING, '', fixed=True),
        )
        yield Blueprint(car.name, attributes, car.model)


def definitions(profile: Profile) -> list[object]:
    """Return the blueprint library as the client of a version reads it."""
    return [
        [
            number,
            blueprint.name,
            blueprint.name.replace('.', ','),
            [
                [
                    attribute.name,
                    profile.first_attribute_type + attribute.type,
                    attribute.default,
                    list(attribute.recommended),
                    not attribute.fixed,
                    bool(attribute.recommended),
                ]
                for attribute in blueprint.attributes
            ],
        ]
        for number, blueprint in enumerate(_all(), start=1)
    ]
