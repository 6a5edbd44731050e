"""What is shown of a measurement: film, panels, album, charts, page."""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('rclpy')

from std_msgs.msg import Header

from lane_seg.bundle import ClassInfo
from lane_seg.report.theme import LIGHT
from lane_seg.video_writer import new_video
from lane_seg_ros.image_messages import msg_from_image
from lane_seg_ros.live import charts
from lane_seg_ros.live.album import Album, Snapshot
from lane_seg_ros.live.film import OverlayVideo, video_size
from lane_seg_ros.live.labels import LabelReader
from lane_seg_ros.live.losses import Losses
from lane_seg_ros.live.measurement import FrameRecord, Measurement, NodeLosses
from lane_seg_ros.live.page import report_page
from lane_seg_ros.live.pictures import ERRORS, draw_comparison, draw_triptych
from lane_seg_ros.live.score import LabelScore, mask_ids_of
from lane_seg_ros.live.tables import figures_of, json_text, rows_of

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = (
    ClassInfo(0, 'background', (0, 0, 0)),
    ClassInfo(1, 'lane_marking', (0, 0, 255)),
    ClassInfo(3, 'road', (0, 160, 0)),
)
EMPTY = Measurement(
    seconds=10.0, frames=(), losses=Losses(0, 0, 0, 0, 0, 0, 0), ages_s=np.zeros((0, 2))
)


def levels_of(path: Path) -> list[int]:
    """The mean grey of each frame of a film, in steps of 20."""
    capture = cv2.VideoCapture(str(path))
    levels = []
    while True:
        is_frame, picture = capture.read()
        if not is_frame:
            return levels
        levels.append(round(float(picture.mean()) / 20))


def test_the_film_runs_as_fast_as_the_camera_also_over_gaps(tmp_path: Path) -> None:
    path = tmp_path / 'film.mp4'
    period_ns = 10**8
    with new_video(path, fps=10.0, size_hw=(32, 48)) as writer:
        video = OverlayVideo(writer, rate_hz=10.0, size_hw=(32, 48))
        for place in (0, 1, 2, 5, 6, 9):
            jitter_ns = (-1) ** place * period_ns // 5
            picture = np.full((64, 96, 3), 20 * place, np.uint8)
            video.add(picture, stamp_ns=10**18 + place * period_ns + jitter_ns)
    assert levels_of(path) == [0, 1, 2, 2, 2, 5, 6, 6, 6, 9]


def test_a_new_scene_follows_at_once_whatever_its_stamps_are(tmp_path: Path) -> None:
    path = tmp_path / 'film.mp4'
    with new_video(path, fps=10.0, size_hw=(32, 48)) as writer:
        video = OverlayVideo(writer, rate_hz=10.0, size_hw=(32, 48))
        for begin_ns, level in ((10**18, 2), (0, 5), (10**15, 8)):
            video.cut('')
            for place in (0, 2):
                picture = np.full((64, 96, 3), 20 * level, np.uint8)
                video.add(picture, stamp_ns=begin_ns + place * 10**8)
    assert levels_of(path) == [2, 2, 2, 5, 5, 5, 8, 8, 8]


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_the_video_is_small_and_of_even_size(height: int, width: int) -> None:
    size_hw = video_size(height, width)
    assert all(side >= 2 and side % 2 == 0 for side in size_hw)
    assert size_hw[1] <= 960


@pytest.mark.parametrize(('height', 'width'), [(720, 1280), (37, 51), (1, 9), (500, 100)])
def test_a_triptych_shows_camera_overlay_and_mask(height: int, width: int) -> None:
    snapshot = Snapshot(
        camera=np.full((height, width, 3), 80, np.uint8),
        mask=np.full((height, width), 3, np.uint8),
    )
    picture = draw_triptych(snapshot, CLASSES, caption='a caption')
    middle = picture[picture.shape[0] // 4 if height > 20 else 8]
    thirds = [middle[picture.shape[1] * (2 * i + 1) // 6].tolist() for i in range(3)]
    assert thirds == [[80] * 3, [40, 120, 40], [0, 160, 0]]


def test_the_comparison_tells_right_from_wrong_in_each_way() -> None:
    mask = np.array([[3, 3, 0, 1, 3]], np.uint8).repeat(4, axis=0).repeat(8, axis=1)
    label = np.array([[1, 0, 1, 1, 255]], np.uint8).repeat(4, axis=0).repeat(8, axis=1)
    snapshot = Snapshot(np.full((*mask.shape, 3), 200, np.uint8), mask, label)
    picture = draw_comparison(snapshot, CLASSES, caption='')
    row = picture[6 + 16, 6 + 3 * 646 :]
    found = [tuple(int(v) for v in row[128 * i + 64]) for i in range(5)]
    kinds = ('found', 'invented', 'missed', 'other class', 'not labelled')
    assert found == [ERRORS[kind] for kind in kinds]


def album_of(shares: list[float]) -> Album:
    """Frames of road of which the mask has found a share, with a lane marking that it found."""
    album = Album(
        LabelScore(mask_ids_of(CLASSES), unlabeled_id=255), LabelReader('/label', 'classes')
    )
    label = np.full((10, 100), 1, np.uint8)
    label[:, :10] = 2
    for share in shares:
        mask = np.full((10, 100), 3, np.uint8)
        mask[:, :10] = 1
        mask[:, 100 - round(90 * (1 - share)) :] = 0
        if album.wants():
            message = msg_from_image(label, encoding='mono8', header=Header())
            album.add(np.zeros((10, 100, 3), np.uint8), mask, message)
    return album


def test_the_album_picks_best_median_and_worst() -> None:
    picks = album_of([0.5, 0.9, 0.1, 0.7, 0.3]).picks()
    found = {name: int((one.mask == 3).sum()) for name, one in picks.items()}
    assert found == {'best': 810, 'median': 450, 'worst': 90}


@pytest.mark.parametrize('number', [1, 40, 41, 100, 1000])
def test_the_album_stays_small_and_spread_over_the_whole_run(number: int) -> None:
    album = album_of([(i + 1) / number for i in range(number)])
    assert 1 <= album.size <= 40
    picks = album.picks()
    assert (picks['worst'].mask == 3).sum() <= 900 * 0.1 or number == 1
    assert (picks['best'].mask == 3).sum() >= 900 * 0.9


def test_an_album_without_labels_knows_no_best_but_a_richest() -> None:
    album = Album(LabelScore(mask_ids_of(CLASSES), unlabeled_id=255), LabelReader('/label'))
    assert album.richest(1) is None
    for pixels in (3, 7, 5):
        mask = np.zeros((4, 4), np.uint8)
        mask.flat[:pixels] = 1
        album.add(np.zeros((4, 4, 3), np.uint8), mask, None)
    assert album.picks() == {}
    richest = album.richest(1)
    assert richest is not None and int((richest.mask == 1).sum()) == 7


def measurement() -> Measurement:
    """A hundred frames, every tenth without a mask."""
    table = np.diag([500, 300, 40, 0]).astype(np.int64)
    table[1, 2] = 20
    frames = tuple(
        FrameRecord(0.1 * i, None if i % 10 == 5 else 20.0 + i % 7, table) for i in range(100)
    )
    return Measurement(
        seconds=10.0,
        frames=frames,
        losses=Losses(100, 90, 90, 1, 9, 0, 0),
        ages_s=np.array([(0.02, 0.12)] * 89),
        node_losses=(NodeLosses(3.0, 4, 0), NodeLosses(7.0, 5, 1)),
        simulated_s=9.9,
    )


@pytest.mark.parametrize('found', [EMPTY, measurement()], ids=['empty', 'full'])
def test_charts_page_table_and_json_can_be_made_of_anything(found: Measurement) -> None:
    pytest.importorskip('matplotlib')
    png = charts.charts_as('png', found, LIGHT, scenes={0.0: 'first', 4.0: 'second'})
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and picture.shape[1] > 1000 and len(np.unique(picture)) > 10
    text = report_page(
        '<b>title</b>',
        'lead',
        found,
        pictures={'best': np.zeros((4, 4, 3), np.uint8)},
        conditions={'camera': '<script>'},
        scenes={'a': found, 'b': found},
    )
    assert '<script>' not in text and '&lt;b&gt;title' in text
    assert len(re.findall('data:image/svg', text)) == 2
    assert len(re.findall('data:image/jpeg', text)) == 1
    assert 'NaN' not in json_text(figures_of(found))
    assert rows_of(found)['frames in'].startswith(str(found.losses.camera))


def test_the_page_has_the_figures_that_were_measured() -> None:
    found = measurement()
    text = report_page('t', 'l', found, pictures={}, conditions={})
    for figure in ('0.938', '0.667', '9.0', '10', 'of 100 frames lost', '93.8%'):
        assert figure in text, figure


def test_without_matplotlib_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        charts, 'find_spec', lambda name: None if name == 'matplotlib' else find(name)
    )
    text = report_page('t', 'l', measurement(), pictures={}, conditions={})
    assert 'need matplotlib' in text and 'data:image/svg' not in text
