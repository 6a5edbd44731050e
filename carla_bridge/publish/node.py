"""The node `carla_publisher`: the topics of a scene, and what is written to them.

Everything of one tick has one stamp, the simulation time of the tick. /clock goes out first, so
that a listener's clock is never behind the images; camera_info goes out before its image, for a
listener pairs an image with what it already has.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from carla_bridge.pinhole import PinholeCamera
from carla_bridge.publish.cameras import PublishedCamera, PublishedVehicle, Scene
from carla_bridge.publish.messages import camera_info, message_maker, time_msg
from carla_bridge.publish.poses import RosPose, twist_of
from lane_seg_ros.qos import image_qos

if TYPE_CHECKING:
    import carla
    from geometry_msgs.msg import TransformStamped

__all__ = ['CarlaNode', 'static_transforms']

_NAME = 'carla_publisher'
_DEPTH = 10  # of ros-bridge
_WORLD = 'map'
_LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class CarlaNode(Node):
    """Publishers of /clock and, from `open` on, of a scene.

    tf and odometry are left out, with a line in the log, where tf2_msgs or nav_msgs are not
    installed: neither belongs to the wheels that stand in for a ROS installation.
    """

    def __init__(self) -> None:
        super().__init__(_NAME)
        self._clock_out = self.create_publisher(Clock, '/clock', _DEPTH)
        self._cameras: dict[str, _CameraTopics] = {}
        self._vehicles: tuple[_VehicleTopics, ...] = ()
        self._tf: _Tf | None = None

    def open(self, scene: Scene, *, version: str, raw_tags: bool) -> None:
        """Create the topics of a scene.

        Args:
            scene: what is published from now on.
            version: of the server.
            raw_tags: see `message_maker`.
        """
        self._tf = _Tf.where_installed(self)
        odometry = _message_type(self, 'nav_msgs', 'Odometry')
        self._vehicles = tuple(
            _VehicleTopics(self, vehicle, self._tf, odometry) for vehicle in scene.vehicles
        )
        self._cameras = {
            camera.name: _CameraTopics(self, camera, self._tf, version=version, raw_tags=raw_tags)
            for camera in scene.cameras
        }
        if self._tf is not None:
            self._tf.send_static(static_transforms(scene))

    def publish_state(self, snapshot: carla.WorldSnapshot) -> None:
        """Publish the time of a tick and where the vehicles are."""
        stamp = time_msg(snapshot.timestamp.elapsed_seconds)
        self._clock_out.publish(Clock(clock=stamp))
        header = Header(stamp=stamp, frame_id=_WORLD)
        for vehicle in self._vehicles:
            vehicle.publish(snapshot, header)
        if self._tf is not None:
            self._tf.send()

    def watched(self, name: str) -> bool:
        """Whether somebody subscribes to the images of a camera."""
        return self._cameras[name].watched

    def publish_image(self, name: str, image: carla.Image) -> None:
        """Publish the image of a camera, if somebody listens, and its camera_info."""
        self._cameras[name].publish(image)

    def publish_info(self, name: str, snapshot: carla.WorldSnapshot) -> None:
        """Publish the camera_info of a camera that sent no image in a tick."""
        self._cameras[name].publish_info(time_msg(snapshot.timestamp.elapsed_seconds))


class _CameraTopics:
    def __init__(
        self,
        node: Node,
        camera: PublishedCamera,
        tf: _Tf | None,
        *,
        version: str,
        raw_tags: bool,
    ) -> None:
        self._name = camera.name
        self._make_msg = message_maker(camera.kind, version, raw_tags=raw_tags)
        qos = image_qos('reliable', depth=_DEPTH)
        self._image_out = node.create_publisher(Image, f'/carla/{camera.name}/image', qos)
        self._info_out = node.create_publisher(
            CameraInfo, f'/carla/{camera.name}/camera_info', qos
        )
        self._pinhole: PinholeCamera | None = None
        self._tf = tf if camera.mount is None else None

    @property
    def watched(self) -> bool:
        return bool(self._image_out.get_subscription_count())

    def publish(self, image: carla.Image) -> None:
        stamp = time_msg(image.timestamp)
        header = Header(stamp=stamp, frame_id=self._name)
        self._pinhole = PinholeCamera(image.width, image.height, image.fov)
        self._info_out.publish(camera_info(self._pinhole, header))
        if self.watched:
            self._image_out.publish(self._make_msg(image, header))
        if self._tf is not None:
            place = RosPose.of(np.array(image.transform.get_matrix()), optical=True)
            world = Header(stamp=stamp, frame_id=_WORLD)
            self._tf.moving.append(place.transform_msg(world, self._name))
            self._tf.send()

    def publish_info(self, stamp: Time) -> None:
        if self._pinhole is not None:  # known from the first image on
            header = Header(stamp=stamp, frame_id=self._name)
            self._info_out.publish(camera_info(self._pinhole, header))


class _VehicleTopics:
    def __init__(
        self, node: Node, vehicle: PublishedVehicle, tf: _Tf | None, odometry: type | None
    ) -> None:
        self._vehicle = vehicle
        self._tf = tf
        self._odometry = odometry
        if odometry is not None:
            self._odometry_out = node.create_publisher(
                odometry, f'/carla/{vehicle.name}/odometry', _DEPTH
            )

    def publish(self, snapshot: carla.WorldSnapshot, header: Header) -> None:
        now = snapshot.find(self._vehicle.actor.id)
        if now is None:  # it has been destroyed, or is not in the world yet
            return
        matrix = np.array(now.get_transform().get_matrix())
        pose = RosPose.of(matrix)
        if self._tf is not None:
            self._tf.moving.append(pose.transform_msg(header, self._vehicle.name))
        if self._odometry is not None:
            velocity, turning = now.get_velocity(), now.get_angular_velocity()
            msg = self._odometry(header=header, child_frame_id=self._vehicle.name)
            msg.pose.pose = pose.pose_msg()
            msg.twist.twist = twist_of(
                matrix,
                (velocity.x, velocity.y, velocity.z),
                (turning.x, turning.y, turning.z),
            )
            self._odometry_out.publish(msg)


class _Tf:
    """Transforms that wait to be sent, and the two topics of tf.

    Attributes:
        moving: for the next message on /tf.
    """

    def __init__(self, node: Node, message: type) -> None:
        self._message = message
        self._out = node.create_publisher(message, '/tf', 100)  # tf2_ros's own depth
        self._static_out = node.create_publisher(message, '/tf_static', _LATCHED)
        self.moving: list[TransformStamped] = []

    @classmethod
    def where_installed(cls, node: Node) -> _Tf | None:
        """Make it, or say why not."""
        message = _message_type(node, 'tf2_msgs', 'TFMessage')
        return None if message is None else cls(node, message)

    def send(self) -> None:
        """Publish what waits for /tf."""
        if self.moving:
            self._out.publish(self._message(transforms=self.moving))
            self.moving = []

    def send_static(self, transforms: list[TransformStamped]) -> None:
        """Publish /tf_static, which late subscribers get as well."""
        if transforms:
            self._static_out.publish(self._message(transforms=transforms))


def static_transforms(scene: Scene) -> list[TransformStamped]:
    """Return where cameras are fixed to their vehicles: /tf_static."""
    return [
        RosPose.of(camera.mount, optical=True).transform_msg(
            Header(frame_id=camera.vehicle), camera.name
        )
        for camera in scene.cameras
        if camera.mount is not None
    ]


def _message_type(node: Node, package: str, name: str) -> type | None:
    """Import a message that may not be installed; None, with a line in the log, if it is not."""
    try:
        found: type = getattr(importlib.import_module(f'{package}.msg'), name)
    except ModuleNotFoundError:
        node.get_logger().info(
            f'{name} is not published: {package} is not installed (apt install '
            f'ros-<distro>-{package.replace("_", "-")})'
        )
        return None
    return found
