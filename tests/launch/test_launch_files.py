"""The launch files agree with the node, their parameter file and their page; needs no `launch`."""

from __future__ import annotations

import ast
import dataclasses
import re
import runpy
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy')

from lane_seg_ros.launching.actions import SHOWN_NODE, SHOWN_OUTPUTS
from lane_seg_ros.launching.arguments import FLAG, Argument, checked_values
from lane_seg_ros.launching.node_setup import NodeSetup, node_setup
from lane_seg_ros.parameters import LaneSegParameters

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ROOT / 'launch'
FILES = sorted(path.name for path in LAUNCH.glob('*.launch.py'))
PARAMETERS = {field.name: field for field in dataclasses.fields(LaneSegParameters)}


def arguments_of(file: str) -> tuple[Argument, ...]:
    """What the file declares."""
    arguments = runpy.run_path(str(LAUNCH / file))['ARGUMENTS']
    assert isinstance(arguments, tuple)
    return arguments


def setup_of(file: str, **given: str) -> NodeSetup:
    """How the file would start the node, without what it sets by itself."""
    arguments = arguments_of(file)
    texts = {argument.name: given.get(argument.name, argument.default) for argument in arguments}
    return node_setup(checked_values(arguments, texts), arguments=arguments)


def test_there_are_the_three_launch_files() -> None:
    assert FILES == ['carla_demo.launch.py', 'lane_seg.launch.py', 'mapping.launch.py']


@pytest.mark.parametrize('file', FILES)
def test_a_launch_file_imports_launch_only_when_it_runs(file: str) -> None:
    tree = ast.parse((LAUNCH / file).read_text(encoding='utf-8'))
    imported = [node.module or '' for node in tree.body if isinstance(node, ast.ImportFrom)] + [
        alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names
    ]
    assert [name for name in imported if name.split('.')[0] in ('launch', 'launch_ros')] == []
    assert 'generate_launch_description' in [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    ]


@pytest.mark.parametrize('file', FILES)
def test_every_argument_has_a_name_of_its_own_and_a_description(file: str) -> None:
    arguments = arguments_of(file)
    names = [argument.name for argument in arguments]
    assert len(names) == len(set(names))
    assert [a.name for a in arguments if len(a.description) < 10 or a.help[-1] != '.'] == []


@pytest.mark.parametrize('file', FILES)
def test_an_argument_that_stands_for_a_parameter_has_its_name_and_its_choices(file: str) -> None:
    standing = [argument for argument in arguments_of(file) if argument.parameter]
    # Of every node, and not among those that ours declares.
    ours = [argument for argument in standing if argument.parameter != 'use_sim_time']
    assert {'model', 'engine', 'autostart'} <= {argument.name for argument in ours}
    for argument in ours:
        field = PARAMETERS[argument.parameter]
        flag = FLAG if field.type == 'bool' else ()
        assert argument.name == argument.parameter
        assert argument.choices == (flag or field.metadata['rule'].choices)
        assert argument.default == '', 'it would win over the parameter file'


def test_the_parameter_file_holds_every_parameter_with_its_default() -> None:
    content = yaml.safe_load((LAUNCH / 'params/lane_seg.yaml').read_text(encoding='utf-8'))
    written = content['/**']['ros__parameters']
    defaults = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(LaneSegParameters()).items()
    }
    assert written == defaults
    # ROS tells 1 from 1.0, == does not.
    assert {n: type(v) for n, v in written.items()} == {n: type(v) for n, v in defaults.items()}


def test_the_parameter_file_explains_the_choices_of_each_parameter() -> None:
    text = (LAUNCH / 'params/lane_seg.yaml').read_text(encoding='utf-8')
    for name, field in PARAMETERS.items():
        for choice in field.metadata['rule'].choices:
            assert choice in text, f'{name} may be {choice}'


@pytest.mark.parametrize('file', FILES)
def test_the_page_names_every_argument_of_a_launch_file_and_no_other(file: str) -> None:
    page = (ROOT / 'docs/launch.md').read_text(encoding='utf-8')
    sections = dict(re.findall(r'^## (\S+\.launch\.py)\n(.*?)(?=^## |\Z)', page, re.M | re.S))
    rows = re.findall(r'^\| (`[^|]*) \|', sections[file] + sections['lane_seg.launch.py'], re.M)
    named = {name for row in rows for name in re.findall(r'`(\w+)`', row)}
    arguments = {argument.name for argument in arguments_of(file)}
    assert arguments - named == set()
    own_rows = re.findall(r'^\| (`[^|]*) \|', sections[file], re.M)
    assert {name for row in own_rows for name in re.findall(r'`(\w+)`', row)} <= arguments


def test_every_command_of_the_page_has_arguments_that_there_are() -> None:
    page = (ROOT / 'docs/launch.md').read_text(encoding='utf-8').replace('\\\n', ' ')
    commands = re.findall(r'ros2 launch lane_seg_ros (\S+)(.*)', page)
    assert {file for file, _ in commands} == set(FILES)
    for file, rest in commands:
        given = set(re.findall(r'(\w+):=', rest.partition('#')[0]))
        assert given <= {argument.name for argument in arguments_of(file)}


def test_every_topic_that_is_remapped_is_one_that_the_node_takes() -> None:
    source = ast.parse((ROOT / 'src/lane_seg_ros/camera.py').read_text(encoding='utf-8'))
    inputs = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant)}
    rules = [
        *setup_of('lane_seg.launch.py', image='/cam/image_raw').remappings,
        *setup_of('lane_seg.launch.py', cameras='front=/front/image_raw').remappings,
        *setup_of('carla_demo.launch.py').remappings,
    ]
    names = {name.removeprefix('front/') for name, _ in rules}
    depth = re.findall(r"default='(depth\w*)'", (LAUNCH / 'mapping.launch.py').read_text())
    assert names == {'image', 'camera_info'}
    assert set(depth) == {'depth', 'depth_camera_info'}
    assert names | set(depth) <= inputs


def test_every_topic_of_the_node_in_the_views_of_rviz_moves_with_the_node() -> None:
    text = ''.join(path.read_text(encoding='utf-8') for path in LAUNCH.glob('rviz/*.rviz'))
    shown = set(re.findall(rf'{SHOWN_NODE}/([\w/]+)', text))
    assert {'overlay', 'mask_color'} <= shown <= set(SHOWN_OUTPUTS)


def test_the_demo_takes_the_camera_that_the_bridge_publishes() -> None:
    from carla_bridge.rig import default_rig

    rig = default_rig(width=64, height=48, fov_deg=90.0)
    setup = setup_of('carla_demo.launch.py')
    topics = [f'/carla/{rig.id}/{sensor.id}/image' for sensor in rig.sensors]
    assert setup.image_topic in topics
    assert setup.parameters['use_sim_time'] is True
    assert ('camera_info', setup.image_topic.replace('/image', '/camera_info')) in setup.remappings
