"""The rviz and Foxglove files show what the node really publishes, in a way that fits."""

from __future__ import annotations

import itertools
import json
import re
import struct
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from std_msgs.msg import Float64MultiArray

from lane_seg_ros.parameters import LaneSegParameters
from lane_seg_ros.qos import image_qos
from tests.lane_seg_ros.node_process import Client, road_msg, running_node
from tests.tiny_bundle import make_tiny_bundle

ROOT = Path(__file__).resolve().parents[2]
RVIZ_FILES = sorted((ROOT / 'launch/rviz').glob('*.rviz'))
LANE_SEG = ROOT / 'launch/rviz/lane_seg.rviz'
FOXGLOVE_FILE = ROOT / 'launch/foxglove/lane_seg.json'
GUIDE = (ROOT / 'docs/rviz.md').read_text(encoding='utf-8')
NODE = '/lane_seg_node'
# The camera's own topic: an input of the node, for which a launch file or a user puts another.
CAMERA = '/image'

# Names of rviz_default_plugins/plugins_description.xml and rviz_common, the same on the branches
# humble and jazzy, with the properties that the classes have there and that may be saved.
TOPIC_PROPERTIES = {
    'Depth', 'Durability Policy', 'History Policy', 'Reliability Policy', 'Value',
}  # fmt: skip
ALL_DISPLAYS = {'Class', 'Enabled', 'Name', 'Value'}
DISPLAYS = {
    'rviz_default_plugins/Camera': {
        'Far Plane Distance', 'Image Rendering', 'Overlay Alpha', 'Topic', 'Visibility',
        'Zoom Factor',
    },
    'rviz_default_plugins/DepthCloud': {
        'Alpha', 'Auto Size', 'Color Image Topic', 'Color Transformer', 'Color Transport Hint',
        'Decay Time', 'Depth Map Topic', 'Depth Map Transport Hint', 'Occlusion Compensation',
        'Queue Size', 'Reliability Policy', 'Selectable', 'Style', 'Topic Filter',
    },
    'rviz_default_plugins/Grid': {
        'Alpha', 'Cell Size', 'Color', 'Line Style', 'Normal Cell Count', 'Offset', 'Plane',
        'Plane Cell Count', 'Reference Frame',
    },
    'rviz_default_plugins/Image': {
        'Max Value', 'Median window', 'Min Value', 'Normalize Range', 'Topic',
    },
    'rviz_default_plugins/TF': {
        'Frame Timeout', 'Frames', 'Marker Scale', 'Show Arrows', 'Show Axes', 'Show Names',
        'Tree', 'Update Interval',
    },
}  # fmt: skip
WITH_WINDOW = {'rviz_default_plugins/Camera', 'rviz_default_plugins/Image'}
PANELS = {'rviz_common/Displays', 'rviz_common/Time'}
TOOLS = {
    f'rviz_default_plugins/{it}' for it in ('FocusCamera', 'Interact', 'Measure', 'MoveCamera')
}
VIEWS = {'rviz_default_plugins/Orbit'}
# Spelt as each property spells its options.
RELIABILITY = {
    'Reliable': ReliabilityPolicy.RELIABLE,
    'Best Effort': ReliabilityPolicy.BEST_EFFORT,
    'Best effort': ReliabilityPolicy.BEST_EFFORT,
}
FOXGLOVE_PANELS = {'DiagnosticSummary', 'Image', 'Plot'}

each_file = pytest.mark.parametrize('path', RVIZ_FILES, ids=lambda path: path.name)


@dataclass(frozen=True)
class Asked:
    """A subscription that a display makes."""

    display: str
    topic: str
    qos: QoSProfile


@cache
def loaded(path: Path) -> dict[str, Any]:
    """The content of an rviz file."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding='utf-8'))
    return content


def displays_of(path: Path) -> list[dict[str, Any]]:
    """The displays of an rviz file."""
    found: list[dict[str, Any]] = loaded(path)['Visualization Manager']['Displays']
    return found


def subscriptions_of(path: Path) -> list[Asked]:
    """What the displays of an rviz file subscribe to, the unticked ones included."""
    found = []
    for display in displays_of(path):
        name = display['Name']
        # rviz asks for camera_info beside the image, in this way whatever the display says.
        beside = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
        if display['Class'] in WITH_WINDOW:
            topic = display['Topic']
            qos = QoSProfile(
                depth=topic['Depth'],
                history={'Keep Last': HistoryPolicy.KEEP_LAST}[topic['History Policy']],
                reliability=RELIABILITY[topic['Reliability Policy']],
                durability={'Volatile': DurabilityPolicy.VOLATILE}[topic['Durability Policy']],
            )
            found.append(Asked(name, topic['Value'], qos))
            if display['Class'].endswith('/Camera'):
                found.append(Asked(name, camera_info_beside(topic['Value']), beside))
        if display['Class'].endswith('/DepthCloud'):
            qos = QoSProfile(
                depth=display['Queue Size'],
                reliability=RELIABILITY[display['Reliability Policy']],
            )
            found.append(Asked(name, display['Depth Map Topic'], qos))
            found.append(Asked(name, display['Color Image Topic'], qos))
            found.append(Asked(name, camera_info_beside(display['Depth Map Topic']), beside))
    return found


def camera_info_beside(topic: str) -> str:
    """The name that image_transport derives from that of an image."""
    return f'{topic.rpartition("/")[0]}/camera_info'


def windows_of(path: Path) -> dict[str, bool]:
    """{panel: whether it is visible} in the state of the main window, as Qt 5 writes it."""
    state = bytes.fromhex(str(loaded(path)['Window Geometry']['QMainWindow State']))
    found = {}
    for match in re.finditer(rb'\xfb(?=(.{4}))', state, re.DOTALL):
        length = struct.unpack('>I', match[1])[0]
        start = match.end() + 4
        if start + length < len(state):
            name = state[start : start + length].decode('utf-16-be', errors='replace')
            found[name] = bool(state[start + length] & 1)
    return found


@dataclass(frozen=True)
class Seen:
    """What a running node offers and says.

    Attributes:
        offered: {topic: quality of service of its publishers}.
        timing: labels of ~/timing, by index.
        status: of the pipeline, in /diagnostics.
    """

    offered: dict[str, list[QoSProfile]]
    timing: list[str]
    status: DiagnosticStatus


@pytest.fixture(scope='module')
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A real node with everything on, looked at once."""
    folder = tmp_path_factory.mktemp('rviz')
    model = str(make_tiny_bundle(folder / 'tiny'))
    timings: list[Float64MultiArray] = []
    with running_node(folder / 'node.log', model=model, publish_bundle=True):
        client = Client()
        try:
            client.node.create_subscription(
                Float64MultiArray, f'{NODE}/timing', timings.append, 10
            )
            numbers = itertools.count()

            def timed() -> bool:
                client.mask_of(road_msg(next(numbers)))
                return bool(timings)

            client.wait_until(timed, 'a message on ~/timing')
            status = client.status_where(lambda values: values['state'] == 'active')
            topics = {asked.topic for path in RVIZ_FILES for asked in subscriptions_of(path)}
            offered = {
                topic: [
                    info.qos_profile for info in client.node.get_publishers_info_by_topic(topic)
                ]
                for topic in topics | set(foxglove_topics())
            }
        finally:
            client.close()
    return Seen(offered, [dimension.label for dimension in timings[0].layout.dim], status)


def fits(offered: QoSProfile, asked: QoSProfile) -> bool:
    """Whether messages flow from a publisher to a subscription."""
    compatibility, _ = qos_check_compatible(offered, asked)
    return bool(compatibility != QoSCompatibility.ERROR)


def foxglove_topics() -> list[str]:
    """All topics of the Foxglove layout."""
    text = FOXGLOVE_FILE.read_text(encoding='utf-8')
    return re.findall(r'"(/[a-z_]+(?:/[a-z_]+)*)', text)


def panels_of(layout: dict[str, Any] | str) -> list[str]:
    """The panels of an arrangement, from the top left."""
    if isinstance(layout, str):
        return [layout]
    return panels_of(layout['first']) + panels_of(layout['second'])


def test_both_uses_have_a_file() -> None:
    assert [path.name for path in RVIZ_FILES] == ['lane_seg.rviz', 'mapping.rviz']


@each_file
def test_every_class_and_property_is_one_of_rviz(path: Path) -> None:
    manager = loaded(path)['Visualization Manager']
    for display in displays_of(path):
        assert set(display) <= DISPLAYS[display['Class']] | ALL_DISPLAYS, display['Name']
        assert display['Enabled'] == display['Value'], 'rviz saves both'
        if 'Topic' in display:
            assert set(display['Topic']) == TOPIC_PROPERTIES, display['Name']
    assert {panel['Class'] for panel in loaded(path)['Panels']} == PANELS
    assert {tool['Class'] for tool in manager['Tools']} <= TOOLS
    assert manager['Views']['Current']['Class'] in VIEWS


@each_file
def test_every_topic_is_published_by_the_node_with_a_quality_that_fits(
    path: Path, seen: Seen
) -> None:
    for asked in subscriptions_of(path):
        if asked.topic == CAMERA:
            continue
        assert seen.offered[asked.topic], f'{asked.display}: nobody publishes {asked.topic}'
        assert all(fits(publisher, asked.qos) for publisher in seen.offered[asked.topic])


def test_the_camera_image_fits_every_camera() -> None:
    asked = [one for one in subscriptions_of(LANE_SEG) if one.topic == CAMERA]
    assert len(asked) == 1
    for reliability in ('best_effort', 'reliable'):
        assert fits(image_qos(reliability, depth=5), asked[0].qos)


def test_reliable_displays_get_nothing_from_best_effort_outputs_as_the_guide_says() -> None:
    assert LaneSegParameters().output_reliability == 'reliable'
    reliable = [
        one
        for one in subscriptions_of(LANE_SEG)
        if one.qos.reliability == ReliabilityPolicy.RELIABLE
    ]
    assert {one.display for one in reliable} == {'Overlay', 'Mask colour', 'Overlay with frames'}
    assert not any(fits(image_qos('best_effort', depth=5), one.qos) for one in reliable)


@each_file
def test_windows_are_visible_where_displays_are_ticked(path: Path) -> None:
    """As soon as it restores a window, rviz ticks or unticks its display by what it finds."""
    expected = {panel['Name']: True for panel in loaded(path)['Panels']}
    for display in displays_of(path):
        if display['Class'] in WITH_WINDOW:
            expected[display['Name']] = display['Enabled']
    assert windows_of(path) == expected
    geometry = loaded(path)['Window Geometry']
    assert {name for name, value in geometry.items() if isinstance(value, dict)} == set(expected)


@each_file
def test_the_guide_names_every_topic_and_display(path: Path) -> None:
    for asked in subscriptions_of(path):
        assert f'`{asked.topic}`' in GUIDE, asked.topic
        assert asked.display in GUIDE
    assert path.name in GUIDE


def test_every_topic_of_the_foxglove_layout_is_published(seen: Seen) -> None:
    topics = set(foxglove_topics())
    assert topics >= {f'{NODE}/overlay', f'{NODE}/mask_color', f'{NODE}/timing', '/diagnostics'}
    for topic in topics:
        assert seen.offered[topic], f'nobody publishes {topic}'
        assert topic in GUIDE


def test_the_foxglove_layout_shows_every_configured_panel_once() -> None:
    content = json.loads(FOXGLOVE_FILE.read_text(encoding='utf-8'))
    shown = panels_of(content['layout'])
    assert sorted(shown) == sorted(content['configById'])
    assert {panel.partition('!')[0] for panel in shown} == FOXGLOVE_PANELS


def test_the_plots_of_foxglove_read_what_their_labels_say(seen: Seen) -> None:
    panels = json.loads(FOXGLOVE_FILE.read_text(encoding='utf-8'))['configById']
    for series in panels['Plot!timing']['paths']:
        found = re.fullmatch(rf'{NODE}/timing\.data\[(\d+)\]', series['value'])
        assert found is not None
        assert seen.timing[int(found[1])] == f'{series["label"]}_ms'
    (series,) = panels['Plot!fps']['paths']
    filters = re.findall(r'\{(\w+)=="([^"]+)"\}', series['value'])
    assert filters == [('name', seen.status.name), ('key', 'fps')]
    assert 'fps' in {item.key for item in seen.status.values}


def test_the_pictures_are_there_and_small() -> None:
    named = re.findall(r'\]\((images/rviz_[^)]+)\)', GUIDE)
    assert named == ['images/rviz_topics.jpg', 'images/rviz_panels.jpg']
    for name in named:
        path = ROOT / 'docs' / name
        assert cv2.imread(str(path)) is not None
        assert path.stat().st_size < 400_000


def test_the_pictures_can_be_made_of_a_recording(tmp_path: Path) -> None:
    bands = np.repeat(np.array([20, 100, 250], np.uint8), 160)
    picture = np.ascontiguousarray(np.broadcast_to(bands[None, :, None], (270, 480, 3)))
    cv2.imwrite(str(tmp_path / 'road.png'), picture)
    words = ['--input', str(tmp_path / 'road.png'), '--seconds', '0.5']
    words += ['--model', str(make_tiny_bundle(tmp_path / 'tiny'))]
    done = subprocess.run(
        [sys.executable, str(ROOT / 'benchmarks/rviz_pictures.py'), str(tmp_path), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = cv2.imread(str(tmp_path / 'rviz_topics.jpg'))
    assert made is not None
    rows, columns = made.shape[0] // 2, made.shape[1] // 2
    panels = {
        'camera': made[60 : rows - 40, 30 : columns - 30],
        'overlay': made[60 : rows - 40, columns + 30 : -30],
        'mask': made[rows + 40 : -60, 30 : columns - 30],
        'mask_color': made[rows + 40 : -60, columns + 30 : -30],
    }
    assert panels['camera'].max() > 200
    assert panels['mask'].max() < 12, 'ids look black'
    assert panels['mask_color'].max() > 200
    assert not np.array_equal(panels['overlay'], panels['camera'])
