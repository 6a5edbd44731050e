"""How the node is started, as the arguments of a launch file say; nothing here needs `launch`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lane_seg_ros.launching.arguments import FLAG, Argument, LaunchArgumentError

__all__ = ['NodeSetup', 'beside', 'node_setup', 'topic_remapping']

_Value: TypeAlias = bool | str | list[str]

_TOKEN = re.compile('[A-Za-z_][A-Za-z0-9_]*')
_CAMERA = re.compile('[A-Za-z][A-Za-z0-9_]*')
_TOPIC = re.compile('(?:/|~/)?[A-Za-z_][A-Za-z0-9_]*(?:/[A-Za-z_][A-Za-z0-9_]*)*')
_NAMESPACE = re.compile('/?(?:[A-Za-z_][A-Za-z0-9_]*(?:/[A-Za-z_][A-Za-z0-9_]*)*)?')


@dataclass(frozen=True)
class NodeSetup:
    """How the node is to be started.

    Attributes:
        name: of the node.
        namespace: in which it is, absolute; '/' at the top.
        parameters: that win over those of the file.
        remappings: (from, to) pairs of topics.
        cameras: names; empty for one camera on plain topics.
        respawn_delay_s: seconds; None where it is not started again.
        log_level: of the node's own logger.
    """

    name: str
    namespace: str
    parameters: Mapping[str, _Value]
    remappings: tuple[tuple[str, str], ...]
    cameras: tuple[str, ...]
    respawn_delay_s: float | None
    log_level: str

    @property
    def full_name(self) -> str:
        """Name with namespace, from the root."""
        return f'{self.namespace.rstrip("/")}/{self.name}'

    @property
    def logger(self) -> str:
        """Name of the node's logger."""
        return self.full_name[1:].replace('/', '.')

    @property
    def image_topic(self) -> str:
        """Full name of the image topic; of several cameras that of the first."""
        name = f'{self.cameras[0]}/image' if self.cameras else 'image'
        topic = dict(self.remappings).get(name, name)
        if topic.startswith('~/'):
            return self.full_name + topic[1:]
        return topic if topic.startswith('/') else f'{self.namespace.rstrip("/")}/{topic}'

    @property
    def outputs(self) -> str:
        """Full name that the outputs begin with; of several cameras those of the first."""
        return f'{self.full_name}/{self.cameras[0]}' if self.cameras else self.full_name


def node_setup(
    values: Mapping[str, str],
    *,
    arguments: Iterable[Argument],
    base_namespace: str = '',
    remappings: Iterable[tuple[str, str]] = (),
    **parameters: _Value,
) -> NodeSetup:
    """Say how the node is to be started.

    Args:
        values: of all arguments, from `checked_values`.
        arguments: of the launch file.
        base_namespace: that of the group in which the launch file is included.
        remappings: more of them.
        **parameters: of the node that the launch file sets itself.

    Raises:
        LaunchArgumentError: a name cannot be one, or arguments contradict each other.
    """
    if not _TOKEN.fullmatch(values['name']):
        raise LaunchArgumentError(
            f"expected name to be letters, digits and _, a letter first; found '{values['name']}'"
        )
    cameras = _cameras(values.get('cameras', ''))
    if cameras and (values['image'] != 'image' or values['camera_info']):
        raise LaunchArgumentError(
            'expected image (with camera_info) or cameras, found both; give several cameras as '
            'cameras:=front=/topic/of/front,rear=/topic/of/rear'
        )
    own = [
        rule
        for name, topic in (cameras or {'': values['image']}).items()
        for rule in _camera_remappings(name, topic, values['camera_info'])
    ]
    set_by_arguments: dict[str, _Value] = {
        argument.parameter: values[argument.name] == 'true'
        if argument.choices == FLAG
        else values[argument.name]
        for argument in arguments
        if argument.parameter and values[argument.name]
    }
    if cameras:
        set_by_arguments['cameras'] = list(cameras)
    return NodeSetup(
        name=values['name'],
        namespace=_namespace(base_namespace, values['namespace']),
        parameters={**set_by_arguments, **parameters},
        remappings=(*own, *remappings),
        cameras=tuple(cameras),
        respawn_delay_s=_seconds(values) if values['respawn'] == 'true' else None,
        log_level=values['log_level'],
    )


def topic_remapping(argument: str, topic: str, *, default: str) -> list[tuple[str, str]]:
    """The rule that leads an input to a topic; none where it is there already.

    Args:
        argument: which one it comes from, for the error.
        topic: as the user gave it.
        default: name of the input in the node.

    Raises:
        LaunchArgumentError: it cannot be a topic.
    """
    if not _TOPIC.fullmatch(topic):
        raise LaunchArgumentError(
            f'expected {argument} to be a topic such as /camera/{default}, with letters, digits '
            f"and _ between slashes; found '{topic}'"
        )
    return [] if topic == default else [(default, topic)]


def beside(topic: str, name: str = 'camera_info') -> str:
    """A topic in the namespace of another one: /a/image -> /a/camera_info."""
    return topic[: topic.rfind('/') + 1] + name


def _camera_remappings(name: str, topic: str, info_topic: str) -> list[tuple[str, str]]:
    """The rules of one camera's image and calibration; name '' is the only camera."""
    prefix, argument = (f'{name}/', 'cameras') if name else ('', 'image')
    if topic.endswith('/compressed'):
        raise LaunchArgumentError(
            f"expected {argument} without its transport, found '{topic}'; give "
            f'{topic.removesuffix("/compressed")} and image_transport:=compressed'
        )
    return [
        *topic_remapping(argument, topic, default=f'{prefix}image'),
        *topic_remapping(
            'camera_info', info_topic or beside(topic), default=f'{prefix}camera_info'
        ),
    ]


def _cameras(text: str) -> dict[str, str]:
    """Read `front,rear` or `front=/topic,rear=/topic`: image topics by name."""
    cameras: dict[str, str] = {}
    for part in text.split(',') if text else ():
        name, _, topic = (piece.strip() for piece in part.partition('='))
        if not _CAMERA.fullmatch(name) or name in cameras or part.rstrip().endswith('='):
            raise LaunchArgumentError(
                'expected cameras to be names that differ, with commas between them (letters, '
                f"digits, _; a letter first), each with =/its/topic or without; found '{text}'"
            )
        cameras[name] = topic or f'{name}/image'
    return cameras


def _namespace(base: str, namespace: str) -> str:
    """Both together, absolute."""
    if not _NAMESPACE.fullmatch(namespace):
        raise LaunchArgumentError(
            f"expected a namespace such as front or /car/front, found '{namespace}'"
        )
    joined = namespace if namespace.startswith('/') else f'{base}/{namespace}'
    return '/' + joined.strip('/')


def _seconds(values: Mapping[str, str]) -> float:
    """The delay before the node is started again."""
    try:
        seconds = float(values['respawn_delay'])
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise LaunchArgumentError(
            f"expected respawn_delay in seconds, from 0 to 3600; found '{values['respawn_delay']}'"
        )
    return seconds
