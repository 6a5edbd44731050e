"""The node's parameters: one block of fields, declared once, read into a frozen dataclass.

The fields of `LaneSegParameters` are the only list of parameters: name, default, description,
limits, and when each may be changed come from there, and so does what `ros2 param describe` says.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from lane_seg.engines import ENGINES

__all__ = ['LaneSegParameters', 'declare_parameters', 'updated_parameters']

_AnyValue: TypeAlias = bool | int | float | str | tuple[str, ...]
_TOPIC_TOKEN = re.compile('[A-Za-z][A-Za-z0-9_]*')
_Value = TypeVar('_Value', bool, int, float, str, tuple[str, ...])


class _Change(Enum):
    """When a parameter may be changed."""

    ANY_TIME = 'can be changed at any time'
    UNCONFIGURED = 'can be changed only while the node is unconfigured'
    NEVER = 'is read once, at start'


@dataclass(frozen=True)
class _Rule:
    """What is said about, and checked of, one parameter."""

    description: str
    change: _Change
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()

    def descriptor(self) -> ParameterDescriptor:
        """The ROS descriptor; ranges are checked by rclpy, choices by `updated_parameters`."""
        choices = f'one of: {", ".join(self.choices)}' if self.choices else ''
        descriptor = ParameterDescriptor(
            description=f'{self.description} ({self.change.value})',
            additional_constraints=choices,
            read_only=self.change is _Change.NEVER,
        )
        if self.limits is not None:
            low, high = self.limits
            if isinstance(low, int):
                descriptor.integer_range = [IntegerRange(from_value=low, to_value=int(high))]
            else:
                span = FloatingPointRange(from_value=low, to_value=float(high))
                descriptor.floating_point_range = [span]
        return descriptor


def _parameter(
    default: _Value,
    description: str,
    *,
    change: _Change = _Change.UNCONFIGURED,
    limits: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
) -> _Value:
    """One field of `LaneSegParameters` together with its rule."""
    rule = _Rule(description, change, limits, choices)
    value: _Value = field(default=default, metadata={'rule': rule})
    return value


@dataclass(frozen=True)
class LaneSegParameters:
    """Everything that can be chosen about the node."""

    model: str = _parameter(
        'default',
        'Model bundle: the name of a folder in models/, or a path. While the node is active the '
        'new one is loaded beside the old and takes over between two frames',
        change=_Change.ANY_TIME,
    )
    engine: str = _parameter(
        'auto', 'Inference engine; diagnostics name the one that really runs', choices=ENGINES
    )
    threads: int = _parameter(
        0, "CPU threads of the engine; 0 is the engine's own choice", limits=(0, 256)
    )
    cameras: tuple[str, ...] = _parameter(
        ('',),
        'Names of the cameras that share the engine: <name>/image comes in, ~/<name>/mask goes '
        "out; a single '' stands for one camera on the plain topics image and ~/mask",
    )
    image_transport: str = _parameter(
        'raw',
        'raw: sensor_msgs/Image on image; compressed: JPEG or PNG on image/compressed',
        choices=('raw', 'compressed'),
    )
    fast_path: bool = _parameter(
        True,
        'Read and write images as bytes where the middleware allows it; false always makes '
        'message objects, which takes longer',
    )
    lazy: bool = _parameter(
        False, 'Subscribe to a camera only while somebody listens to one of its outputs'
    )
    max_waiting_images: int = _parameter(
        1,
        'Images of a camera that may wait for the engine; 1: the newest replaces the one before '
        'it; more: none is passed over when the machine stalls for a moment, masks come later',
        limits=(1, 100),
    )
    max_age_ms: float = _parameter(
        0.0,
        'Drop images whose stamp is older than this when their turn comes; 0 drops none. Needs '
        'camera and node to share a clock',
        change=_Change.ANY_TIME,
        limits=(0.0, 60_000.0),
    )
    max_rate_hz: float = _parameter(
        0.0,
        'Masks per second and camera that are not exceeded, the newest image each time; 0 is no '
        'limit',
        change=_Change.ANY_TIME,
        limits=(0.0, 1000.0),
    )
    min_blob_area: int = _parameter(
        0,
        'Areas of a class of fewer pixels of the camera image than this go to the class around '
        'them; 0 keeps everything',
        change=_Change.ANY_TIME,
        limits=(0, 10_000_000),
    )
    max_engine_failures: int = _parameter(
        3,
        'Images in a row on which the engine may fail before the node deactivates itself',
        change=_Change.ANY_TIME,
        limits=(1, 1000),
    )
    publish_mask_color: bool = _parameter(
        True,
        'Publish ~/mask_color, the mask in the colours of its classes, while somebody subscribes '
        'to it (class ids look black in rviz)',
        change=_Change.ANY_TIME,
    )
    publish_overlay: bool = _parameter(
        True, 'Draw and publish ~/overlay while somebody listens', change=_Change.ANY_TIME
    )
    overlay_alpha: float = _parameter(
        0.5,
        'Opacity of the class colours in ~/overlay',
        change=_Change.ANY_TIME,
        limits=(0.0, 1.0),
    )
    publish_camera_info: bool = _parameter(
        True, 'Publish ~/camera_info with the header of each mask', change=_Change.ANY_TIME
    )
    publish_bundle: bool = _parameter(
        False,
        'Take depth and depth_camera_info as well and publish mask, camera info, depth and its '
        'camera info under one stamp in ~/bundle, for mapping',
    )
    bundle_tolerance_ms: float = _parameter(
        1.0,
        'How far the stamps of image and depth may differ in a bundle',
        limits=(0.0, 10_000.0),
    )
    input_reliability: str = _parameter(
        'best_effort',
        'Reliability asked of the camera; best_effort fits every publisher, reliable helps with a '
        'reliable one that loses large images on the way',
        choices=('best_effort', 'reliable'),
    )
    output_reliability: str = _parameter(
        'reliable',
        'Reliability offered with the masks and overlays; reliable fits every subscriber (rviz '
        'asks for it by default), best_effort never waits for a slow one',
        choices=('best_effort', 'reliable'),
    )
    queue_depth: int = _parameter(
        5, 'Messages that the middleware keeps per topic until they are taken', limits=(1, 100)
    )
    diagnostics_period_s: float = _parameter(
        1.0,
        'Seconds between two messages on /diagnostics',
        change=_Change.NEVER,
        limits=(0.1, 60.0),
    )
    stale_after_s: float = _parameter(
        2.0,
        'Seconds without an image after which /diagnostics warns',
        change=_Change.ANY_TIME,
        limits=(0.1, 3600.0),
    )
    metrics_port: int = _parameter(
        0,
        'Port on 127.0.0.1 on which the numbers of /diagnostics are served for Prometheus; 0 '
        'serves nothing',
        change=_Change.NEVER,
        limits=(0, 65535),
    )
    autostart: bool = _parameter(
        True,
        'Configure and activate at start; false leaves that to a lifecycle manager',
        change=_Change.NEVER,
    )
    autostart_retry_s: float = _parameter(
        0.0,
        'Seconds until autostart tries again after a start that failed, or starts anew what the '
        'engine has stopped; 0 ends the process, or waits to be activated',
        change=_Change.ANY_TIME,
        limits=(0.0, 3600.0),
    )


_RULES: dict[str, _Rule] = {
    item.name: item.metadata['rule'] for item in dataclasses.fields(LaneSegParameters)
}


def declare_parameters(node: Node) -> LaneSegParameters:
    """Declare all parameters on a node and return their values.

    Raises:
        rclpy.exceptions.ParameterException: a value given at start has the wrong type or is out
            of range.
        ValueError: a value given at start is none of the choices.
    """
    defaults = LaneSegParameters()
    values = {
        name: _frozen(
            node.declare_parameter(
                name, _ros_value(getattr(defaults, name)), rule.descriptor()
            ).value
        )
        for name, rule in _RULES.items()
    }
    for name, value in values.items():
        _check(name, value)
    return LaneSegParameters(**values)  # type: ignore[arg-type]


def updated_parameters(
    current: LaneSegParameters, changes: Sequence[Parameter], *, configured: bool
) -> LaneSegParameters:
    """The parameters after a change at run time.

    Args:
        current: the parameters before it.
        changes: what is to be set; names that are not ours (use_sim_time) are passed over.
        configured: whether the node has loaded its model.

    Raises:
        ValueError: a change is refused; the text is the reason, for the one who asked.
    """
    values: dict[str, _AnyValue] = {}
    for change in changes:
        rule = _RULES.get(change.name)
        if rule is None:
            continue
        value = _frozen(change.value)
        _check(change.name, value)
        if configured and rule.change is _Change.UNCONFIGURED:
            raise ValueError(
                f'{change.name} {rule.change.value}: deactivate and clean up first '
                f'(ros2 lifecycle set <node> deactivate, then cleanup), set {change.name}, then '
                'configure and activate'
            )
        values[change.name] = value
    return dataclasses.replace(current, **values)  # type: ignore[arg-type]


def _ros_value(value: _AnyValue) -> bool | int | float | str | list[str]:
    """A value as rclpy takes it."""
    return list(value) if isinstance(value, tuple) else value


def _frozen(value: bool | int | float | str | Sequence[str]) -> _AnyValue:
    """A value of rclpy as the frozen dataclass holds it."""
    return value if isinstance(value, bool | int | float | str) else tuple(value)


def _check(name: str, value: _AnyValue) -> None:
    """Raise ValueError where a value is none of the choices or names cameras wrongly."""
    choices = _RULES[name].choices
    if choices and value not in choices:
        raise ValueError(f"{name} must be one of: {', '.join(choices)}; it is '{value}'")
    if isinstance(value, tuple):
        alone = value == ('',)
        if not alone and (
            not value
            or len(set(value)) < len(value)
            or not all(_TOPIC_TOKEN.fullmatch(item) for item in value)
        ):
            raise ValueError(
                f'{name} must be names that differ and can be part of a topic (letters, digits, '
                f"_; a letter first), or a single ''; it is {list(value)}"
            )
