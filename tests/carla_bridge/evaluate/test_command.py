"""`carla-bridge evaluate` says what is wrong before and while it waits."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy')

from tests.carla_bridge.servers import environment

if TYPE_CHECKING:
    from pathlib import Path


def evaluate(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-m', 'carla_bridge.command', 'evaluate', *map(str, options)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment(), 'COLUMNS': '200'},
    )


@pytest.mark.parametrize(
    ('options', 'code', 'words'),
    [
        (['--seconds', '0.5'], 1, '1 to 86400 (or 0) as --seconds'),
        (['--patience', '0'], 1, '1 to 3600 as --patience'),
        (['--mask', 'mask'], 1, "a slash, found 'mask'"),
        (['--output', '/dev/null/x'], 1, '/dev/null/x'),
        (['--min-iou', 'kerb=0.5'], 2, "found 'kerb=0.5'"),
        (['--min-iou', 'road=1.5'], 2, "found 'road=1.5'"),
        (['--mask-classes', 'road=-1'], 2, "found 'road=-1'"),
        (['--label-coding', 'rainbow'], 2, 'rainbow'),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    tmp_path: Path, options: list[str], code: int, words: str
) -> None:
    done = evaluate('--output', tmp_path, *options)
    assert done.returncode == code
    assert words in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.ros
def test_silent_topics_are_named_with_what_to_start(tmp_path: Path) -> None:
    done = evaluate('--patience', '1', '--output', tmp_path)
    assert done.returncode == 1
    assert 'silence for 1 s' in done.stderr
    for words in (
        '/carla/ego_vehicle/rgb_front/image: the camera, nobody publishes it',
        '/carla/ego_vehicle/semantic_segmentation_front/image: labels, nobody publishes it',
        '/lane_seg_node/mask: masks, nobody publishes it; start the node: lane-seg run',
        'image:=/carla/ego_vehicle/rgb_front/image',
    ):
        assert words in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_needs_no_ros() -> None:
    code = (
        'import sys\n'
        "sys.modules.update({'rclpy': None, 'sensor_msgs': None})\n"
        'from carla_bridge.command import main\n'
        "main(['evaluate', '--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert '--min-iou' in done.stdout
