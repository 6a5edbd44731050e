"""Arguments of the launch files, and what they mean for the node; nothing here needs `launch`.

An argument that stands for a parameter of the node is empty by default, which leaves that to the
parameter file: a default of its own would silently win over what the user wrote there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from lane_seg.engines import ENGINES
from lane_seg.errors import LaneSegError

__all__ = [
    'FLAG',
    'Argument',
    'LaunchArgumentError',
    'checked_values',
    'node_arguments',
    'unknown_arguments',
]

FLAG = ('true', 'false')
# launch_ros keeps what holds for a group of nodes among the arguments.
_OF_LAUNCH_ROS = {'ros_namespace', 'ros_remaps', 'global_params'}
_LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')


class LaunchArgumentError(LaneSegError):
    """An argument of a launch file is wrong; nothing has been started."""


@dataclass(frozen=True)
class Argument:
    """One argument of a launch file.

    Attributes:
        name: as typed before `:=`.
        default: what it is where nobody gives it.
        description: for `ros2 launch ... --show-args`.
        choices: what it may be, besides its default; empty if anything.
        parameter: of the node, which it sets unless it is empty.
    """

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()
    parameter: str = ''

    @property
    def help(self) -> str:
        """The description with what it does not say: the choices, and what empty means."""
        choices = f' One of: {", ".join(self.choices)}.' if self.choices else ''
        empty = ' Empty: as params_file says.' if self.parameter and not self.default else ''
        return f'{self.description}{choices}{empty}'


_NODE_ARGUMENTS = (
    Argument('name', 'lane_seg_node', 'Name of the node; the topics that go out begin with it.'),
    Argument('namespace', '', 'Namespace of the node and of its relative topics.'),
    Argument('image', 'image', 'Topic of the camera images, without that of a transport.'),
    Argument(
        'camera_info', '', 'Topic of the calibration. Empty: camera_info beside the image topic.'
    ),
    Argument(
        'cameras',
        '',
        'Several cameras on one engine, in place of image: names with commas between them '
        '(front,rear takes front/image and rear/image), or name=topic '
        '(front=/cam_f/image_raw,rear=/cam_r/image_raw), each with camera_info beside it.',
        parameter='cameras',
    ),
    Argument(
        'image_transport',
        '',
        'How the images come; compressed takes JPEG or PNG from <image>/compressed.',
        choices=('raw', 'compressed'),
        parameter='image_transport',
    ),
    Argument(
        'model', '', 'Model bundle: name of a folder in models/, or a path.', parameter='model'
    ),
    Argument('engine', '', 'Inference engine.', choices=ENGINES, parameter='engine'),
    Argument('params_file', '', 'YAML file of node parameters; the shipped one explains each.'),
    Argument(
        'profile',
        'true',
        'Give all processes the 16 MB shared-memory profile of Fast DDS and malloc settings for '
        'large images, except what is set in the environment already; false sets nothing.',
        choices=FLAG,
    ),
    Argument(
        'use_sim_time', '', 'Take the time from /clock.', choices=FLAG, parameter='use_sim_time'
    ),
    Argument(
        'autostart',
        '',
        'Whether the node configures and activates itself; false leaves that to a lifecycle '
        'manager.',
        choices=FLAG,
        parameter='autostart',
    ),
    Argument('log_level', 'info', 'What the node logs at least.', choices=_LOG_LEVELS),
    Argument('respawn', 'false', 'Start the node again whenever it ends.', choices=FLAG),
    Argument('respawn_delay', '2.0', 'Seconds before it is started again.'),
    Argument('rviz', 'false', 'Start rviz2 with lane_seg.rviz.', choices=FLAG),
)


def node_arguments(*, without: Iterable[str] = (), **defaults: str) -> tuple[Argument, ...]:
    """The arguments for one node.

    Args:
        without: names that make no sense in this launch file.
        **defaults: other defaults than the usual ones, by name.

    Raises:
        KeyError: `without` or `defaults` names none of them.
    """
    named = {argument.name: argument for argument in _NODE_ARGUMENTS}
    for name in without:
        del named[name]
    for name, default in defaults.items():
        named[name] = dataclasses.replace(named[name], default=default)
    return tuple(named.values())


def checked_values(arguments: Iterable[Argument], given: Mapping[str, str]) -> dict[str, str]:
    """Check each argument by itself.

    Args:
        arguments: of the launch file.
        given: text of each, by name.

    Returns:
        The texts, without spaces around them; true and false in small letters.

    Raises:
        LaunchArgumentError: one is none of its choices.
    """
    values: dict[str, str] = {}
    for argument in arguments:
        text = given[argument.name].strip()
        if argument.choices == FLAG:
            text = text.lower()
        if argument.choices and text not in (*argument.choices, argument.default):
            raise LaunchArgumentError(
                f'expected {argument.name} to be one of {", ".join(argument.choices)}; '
                f"found '{text}'"
            )
        values[argument.name] = text
    return values


def unknown_arguments(arguments: Iterable[Argument], given: Iterable[str]) -> list[str]:
    """Complaints about names that look like misspelled arguments: launch itself ignores them."""
    known = [argument.name for argument in arguments]
    complaints = []
    for name in sorted(set(given) - set(known) - _OF_LAUNCH_ROS):
        close = get_close_matches(name, known, n=1, cutoff=0.75)
        if close:
            complaints.append(
                f'{name} is no argument of this launch file; did you mean {close[0]}?'
            )
    return complaints
