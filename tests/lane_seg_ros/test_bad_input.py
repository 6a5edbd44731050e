"""Bad images through the real node: counted under their cause, logged once, and life goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('openvino')
pytest.importorskip('onnx')

from diagnostic_msgs.msg import DiagnosticStatus

from tests.lane_seg_ros.node_process import Client, NodeProcess, road_msg, running_node, values_of
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros


@pytest.fixture(scope='module')
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """One node for all of them: each bad image must leave it fit for the next."""
    folder = tmp_path_factory.mktemp('bad_input')
    bundle = make_tiny_bundle(folder / 'tiny')
    with running_node(folder / 'node.log', model=str(bundle)) as node:
        yield node
        assert node.stop() == 0


@pytest.fixture(scope='module')
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


def wrong_encoding(msg: Image) -> None:
    msg.encoding = 'magic8'


def truncated_data(msg: Image) -> None:
    msg.data = msg.data[:-1]


def no_data(msg: Image) -> None:
    msg.data = msg.data[:0]


def step_too_small(msg: Image) -> None:
    msg.step = 3 * msg.width - 1


def zero_height(msg: Image) -> None:
    msg.height = 0


def zero_width(msg: Image) -> None:
    msg.width = 0


def huge_size(msg: Image) -> None:
    msg.height = msg.width = 2**32 - 1
    msg.step = 2**32 - 1


@pytest.mark.parametrize(
    ('damage', 'cause'),
    [
        (wrong_encoding, 'encoding'),
        (truncated_data, 'truncated'),
        (no_data, 'truncated'),
        (step_too_small, 'step'),
        (zero_height, 'size'),
        (zero_width, 'size'),
        (huge_size, 'step'),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_bad_image_is_counted_under_its_cause_and_a_good_one_still_gets_its_mask(
    damage: Callable[[Image], None], cause: str, node: NodeProcess, client: Client
) -> None:
    client.received.masks.clear()
    client.mask_of(road_msg(1))
    key = f'bad_images.{cause}'
    before = int(values_of(client.status_where(lambda values: key in values))[key])

    bad = road_msg(2)
    damage(bad)
    client.images.publish(bad)
    status = client.status_where(lambda values: int(values.get(key, 0)) > before)
    assert int(values_of(status)[key]) == before + 1
    assert status.level == DiagnosticStatus.WARN
    assert cause in status.message

    good = road_msg(3)
    assert client.mask_of(good).header == good.header
    assert f'bad image ({cause})' in node.log
    assert bad.header not in [mask.header for mask in client.received.masks]


def wait_for_bad_images(client: Client, total: int) -> None:
    client.status_where(lambda values: int(values['bad_images']) == total)


def test_a_stream_of_bad_images_is_logged_once_and_counted_every_time(
    node: NodeProcess, client: Client
) -> None:
    client.received.masks.clear()
    client.mask_of(road_msg(1))
    before = int(values_of(client.status_where(bool))['bad_images'])
    lines = node.log.count('bad image (encoding)')
    for number in range(1, 21):
        bad = road_msg(number)
        wrong_encoding(bad)
        client.images.publish(bad)
        wait_for_bad_images(client, before + number)  # at once, the mailbox would drop most
    # One line per five seconds; twenty images at the rate of the diagnostics take about four.
    assert node.log.count('bad image (encoding)') - lines <= 5
    assert client.mask_of(road_msg(2))
