"""What the arguments of a launch file mean for the node."""

from __future__ import annotations

import pytest

from lane_seg_ros.launching.arguments import LaunchArgumentError, checked_values, node_arguments
from lane_seg_ros.launching.node_setup import NodeSetup, beside, node_setup, topic_remapping


def setup_of(*, base_namespace: str = '', **given: str) -> NodeSetup:
    """How the node is started where these arguments are given."""
    arguments = node_arguments(**given)
    texts = {argument.name: argument.default for argument in arguments}
    values = checked_values(arguments, texts)
    return node_setup(values, arguments=arguments, base_namespace=base_namespace)


def test_by_default_nothing_wins_over_the_parameter_file_and_nothing_is_remapped() -> None:
    setup = setup_of()
    assert setup.parameters == {}
    assert setup.remappings == ()
    assert setup.respawn_delay_s is None
    assert (setup.full_name, setup.logger) == ('/lane_seg_node', 'lane_seg_node')
    assert (setup.image_topic, setup.outputs) == ('/image', '/lane_seg_node')


def test_what_is_given_becomes_a_parameter_of_its_type() -> None:
    setup = setup_of(model='123', autostart='false', use_sim_time='True', cameras='on,rear')
    assert setup.parameters == {
        'model': '123',
        'autostart': False,
        'use_sim_time': True,
        'cameras': ['on', 'rear'],
    }


@pytest.mark.parametrize(
    ('base', 'namespace', 'full'),
    [
        ('', '', '/lane_seg_node'),
        ('', 'car', '/car/lane_seg_node'),
        ('/fleet', 'car/front', '/fleet/car/front/lane_seg_node'),
        ('/fleet', '/car', '/car/lane_seg_node'),
        ('/fleet', '', '/fleet/lane_seg_node'),
    ],
)
def test_a_namespace_is_that_of_the_group_and_its_own_unless_absolute(
    base: str, namespace: str, full: str
) -> None:
    setup = setup_of(base_namespace=base, namespace=namespace)
    assert setup.full_name == full
    assert setup.logger == full[1:].replace('/', '.')


def test_the_calibration_lies_beside_the_image_unless_it_is_named() -> None:
    assert setup_of(image='/cam/color/image_raw').remappings == (
        ('image', '/cam/color/image_raw'),
        ('camera_info', '/cam/color/camera_info'),
    )
    assert setup_of(image='/cam/image', camera_info='/k').remappings[1] == ('camera_info', '/k')
    assert beside('image') == 'camera_info'
    assert beside('/image') == '/camera_info'


def test_cameras_are_names_with_or_without_topics() -> None:
    setup = setup_of(cameras='front = /f/image_raw, rear', namespace='car')
    assert setup.cameras == ('front', 'rear')
    assert setup.remappings == (
        ('front/image', '/f/image_raw'),
        ('front/camera_info', '/f/camera_info'),
    )
    assert (setup.image_topic, setup.outputs) == ('/f/image_raw', '/car/lane_seg_node/front')
    assert setup_of(cameras='rear', namespace='car').image_topic == '/car/rear/image'


@pytest.mark.parametrize(
    'cameras', ['9x', 'front,', ',', 'front,front', 'front rear', 'front=', 'a/b', '_a', "'x'"]
)
def test_a_camera_with_a_bad_name_is_refused(cameras: str) -> None:
    with pytest.raises(LaunchArgumentError, match='expected cameras to be names'):
        setup_of(cameras=cameras)


@pytest.mark.parametrize('both', [{'image': '/cam/image'}, {'camera_info': '/k'}])
def test_image_and_cameras_exclude_each_other(both: dict[str, str]) -> None:
    with pytest.raises(LaunchArgumentError, match='found both'):
        setup_of(cameras='front', **both)


@pytest.mark.parametrize(
    ('given', 'complaint'),
    [
        ({'image': '/cam/image/compressed'}, 'give /cam/image and image_transport:=compressed'),
        ({'image': '/cam//image'}, 'expected image to be a topic'),
        ({'camera_info': 'k k'}, 'expected camera_info to be a topic'),
        ({'image': ''}, 'expected image to be a topic'),
        ({'cameras': 'front=/a b'}, 'expected cameras to be a topic'),
        ({'name': 'lane/seg'}, 'expected name'),
        ({'name': ''}, 'expected name'),
        ({'namespace': 'a b'}, 'expected a namespace'),
        ({'namespace': 'car/'}, 'expected a namespace'),
        ({'respawn': 'true', 'respawn_delay': 'soon'}, 'expected respawn_delay in seconds'),
        ({'respawn': 'true', 'respawn_delay': 'nan'}, 'expected respawn_delay in seconds'),
    ],
)
def test_what_cannot_be_a_name_or_a_number_is_refused(
    given: dict[str, str], complaint: str
) -> None:
    with pytest.raises(LaunchArgumentError, match=complaint):
        setup_of(**given)


def test_respawn_has_its_delay_in_seconds() -> None:
    assert setup_of(respawn='true', respawn_delay='0.5').respawn_delay_s == 0.5


def test_a_topic_that_is_the_inputs_own_needs_no_rule() -> None:
    assert topic_remapping('depth', 'depth', default='depth') == []
    assert topic_remapping('depth', '/d', default='depth') == [('depth', '/d')]
