"""Sensor files: ours and ros-bridge's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.connection import CarlaError
from carla_bridge.rig import default_rig, rig_from_file, rig_from_mapping

OBJECTS = {
    'objects': [
        {'type': 'sensor.pseudo.traffic_lights', 'id': 'traffic_lights'},
        {
            'type': 'vehicle.tesla.model3',
            'id': 'ego_vehicle',
            'sensors': [
                {
                    'type': 'sensor.camera.rgb',
                    'id': 'rgb_front',
                    'spawn_point': {'x': 0.65, 'y': 0.4, 'z': 2.0, 'pitch': 10.0, 'yaw': 20.0},
                    'image_size_x': 804,
                    'image_size_y': 612,
                    'fov': 90.0,
                    'enable_postprocess_effects': True,
                    'attached_objects': [{'type': 'actor.pseudo.control', 'id': 'control'}],
                },
                {'type': 'sensor.pseudo.tf', 'id': 'tf'},
            ],
        },
    ]
}


def test_the_file_of_ros_bridge_is_read_in_the_frame_of_ros(tmp_path: Path) -> None:
    path = tmp_path / 'objects.json'
    path.write_text(json.dumps(OBJECTS), encoding='utf-8')
    rig = rig_from_file(path)
    assert (rig.vehicle, rig.id) == ('vehicle.tesla.model3', 'ego_vehicle')
    assert rig.ignored == ('sensor.pseudo.tf',)
    (camera,) = rig.sensors
    assert camera.is_camera
    assert (camera.x, camera.y, camera.z) == (0.65, -0.4, 2.0)
    assert (camera.pitch, camera.yaw, camera.roll) == (-10.0, -20.0, 0.0)
    assert camera.attributes == {
        'image_size_x': '804',
        'image_size_y': '612',
        'fov': '90',
        'enable_postprocess_effects': 'true',
    }


def test_our_file_is_read_in_the_frame_of_carla(tmp_path: Path) -> None:
    path = tmp_path / 'rig.yaml'
    path.write_text(
        'id: hero\nsensors:\n'
        '  - {id: left, type: sensor.camera.rgb, y: -0.4, yaw: -20, sensor_tick: 0.1}\n',
        encoding='utf-8',
    )
    rig = rig_from_file(path)
    (camera,) = rig.sensors
    assert (rig.id, camera.y, camera.yaw) == ('hero', -0.4, -20.0)
    assert camera.attributes == {'sensor_tick': '0.1'}


def test_without_a_file_two_cameras_see_the_same() -> None:
    rgb, semantic = default_rig(width=640, height=360, fov_deg=70.0).sensors
    assert (rgb.type, semantic.type) == (
        'sensor.camera.rgb',
        'sensor.camera.semantic_segmentation',
    )
    assert rgb.attributes == semantic.attributes
    assert rgb.attributes['fov'] == '70'


@pytest.mark.parametrize(
    ('content', 'named'),
    [
        ({'sensors': 3}, 'sensors'),
        ({'sensors': []}, 'found none'),
        ({'sensors': [{'type': 'sensor.pseudo.tf', 'id': 'tf'}]}, 'found none'),
        ({'sensors': [{'type': 'sensor.camera.rgb'}]}, 'id'),
        ({'sensors': [{'type': 'sensor.camera.rgb', 'id': 'a', 'x': 'far'}]}, "'far'"),
        ({'sensors': [{'type': 'sensor.camera.rgb', 'id': 'a'}] * 2}, 'twice'),
        ({'objects': []}, 'one vehicle'),
    ],
)
def test_what_is_wrong_in_a_file_is_named(content: dict[str, object], named: str) -> None:
    with pytest.raises(CarlaError, match=named):
        rig_from_mapping(content, source='rig.yaml')


@pytest.mark.parametrize('text', ['[1, 2]', 'a: [', '{', '\x00'])
@pytest.mark.parametrize('name', ['rig.yaml', 'objects.json'])
def test_a_file_that_is_no_sensor_file_is_refused(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding='utf-8')
    with pytest.raises(CarlaError, match=name):
        rig_from_file(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(['objects', 'sensors', 'type', 'id', 'x', 'spawn_point']), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(['objects', 'sensors', 'id', 'vehicle']), JSON))
def test_any_content_gives_a_rig_or_a_clear_error(content: dict[str, object]) -> None:
    try:
        rig = rig_from_mapping(content, source='rig.yaml')
    except CarlaError as error:
        assert 'expected' in str(error)
    else:
        assert rig.sensors
