"""Read a parameter file before the node does: ROS 2 passes over what it does not find in it.

A file that is not there is a warning of launch, a section under another node's name and a
misspelled parameter are not even that: the node would run with its defaults.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

import yaml

from lane_seg_ros.launching.arguments import LaunchArgumentError

__all__ = ['check_params_file']

# What every node has beside its own parameters.
_EVERY_NODE = re.compile('use_sim_time|start_type_description_service|qos_overrides')


def check_params_file(path: Path, node: str) -> list[str]:
    """Check that a file has parameters for a node.

    Args:
        path: of the YAML file.
        node: full name of the node.

    Returns:
        One complaint for each name that is no parameter of ours.

    Raises:
        LaunchArgumentError: it cannot be read, or has no section for this node.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise LaunchArgumentError(
            f'expected params_file to be a YAML file of parameters, found {path}: {error.strerror}'
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LaunchArgumentError(f'params_file {path} is no YAML: {error}') from error
    sections = content if isinstance(content, dict) else {}
    ours = [
        section['ros__parameters']
        for name, section in sections.items()
        if isinstance(section, dict)
        and isinstance(section.get('ros__parameters'), dict)
        and _pattern(str(name)).fullmatch(node)
    ]
    if not ours:
        raise LaunchArgumentError(
            f'expected params_file {path} to have a section `/**:` or `{node}:` with '
            f'`ros__parameters:` below it, found {", ".join(map(str, sections)) or "none"}: the '
            'node would not take anything from it'
        )
    return [
        complaint for section in ours for name in section for complaint in _complaints(str(name))
    ]


def _pattern(section: str) -> re.Pattern[str]:
    """The nodes for which a section is: * stands for one part of a name, ** for any number."""
    text = re.escape(section if section.startswith('/') else f'/{section}')
    text = text.replace(r'/\*\*/', '(?:/.+)?/').replace(r'\*\*', '.*').replace(r'\*', '[^/]+')
    return re.compile(text)


def _complaints(name: str) -> list[str]:
    """What is wrong with the name of a parameter, if anything."""
    # rclpy is needed to know ours, and not to start a launch file that names no such thing.
    from lane_seg_ros.parameters import LaneSegParameters

    known = [*LaneSegParameters.__dataclass_fields__]
    if name in known or _EVERY_NODE.match(name):
        return []
    close = get_close_matches(name, known, n=1)
    hint = f'; did you mean {close[0]}?' if close else ''
    return [f'params_file: {name} is no parameter of lane_seg_node and has no effect on it{hint}']
