"""report.html: one file that needs nothing else, of any run, with nothing in it that acts."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch
import yaml

from lane_seg.errors import LaneSegError
from lane_seg_train.report.html import write_report
from lane_seg_train.report.machine import MACHINE, read_sessions, record_session
from tests.lane_seg_train.report.run_files import (
    CONFIG,
    validations,
    write_picture,
    write_rows,
    write_run,
)

if TYPE_CHECKING:
    from pathlib import Path

VOID = {'meta', 'img', 'source'}
EVIL = '<script>alert("1")</script>&\'"'


class Page(HTMLParser):
    """Every address and all text of a page; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ''
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        self.addresses += [
            value or '' for name, value in attributes if name in ('href', 'src', 'srcset')
        ]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ['style']:
            self.text += data


def report(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding='utf-8'))


def pictures(page: Page) -> list[np.ndarray]:
    """The embedded JPEGs, decoded."""
    head = 'data:image/jpeg;base64,'
    return [
        cv2.imdecode(np.frombuffer(base64.b64decode(one[len(head) :]), np.uint8), 1)
        for one in page.addresses
        if one.startswith(head)
    ]


def test_it_says_what_was_trained_how_well_and_on_what(tmp_path: Path) -> None:
    write_run(tmp_path, (0.2, 0.61, 0.5))
    page = report(tmp_path)
    for words in ('quiet street', '0.6100', 'road/lane_marking', 'step 20, epoch 2', '1 min 30 s'):
        assert words in page.text
    for words in ('unet, width 4', '64x128', 'background, road, lane_marking', 'finished: 3 epo'):
        assert words in page.text
    assert f'torch {torch.__version__}' in page.text
    assert '22.0' in page.text  # images/s, the median of 21, 22 and 23
    assert yaml.safe_dump(CONFIG, sort_keys=False) in page.text


def test_it_asks_for_nothing_from_anywhere(tmp_path: Path) -> None:
    write_run(tmp_path)
    write_picture(tmp_path, 20)
    (tmp_path / 'checkpoint.pt').write_bytes(b'not one')
    page = report(tmp_path)
    for address in page.addresses:
        assert address.startswith('data:') or (tmp_path / address).exists()
    assert {'metrics.csv', 'steps.csv', 'config.yaml', 'snapshots/'} <= set(page.addresses)
    assert not {'script', 'link', 'iframe', 'object'} & set(page.tags)
    text = (tmp_path / 'report.html').read_text(encoding='utf-8')
    assert not re.search(r'url\(|@import', text[: text.index('<body>')])


def test_every_name_is_escaped(tmp_path: Path) -> None:
    write_run(tmp_path)
    config = {**CONFIG, 'name': EVIL, 'classes': [EVIL], 'net': {EVIL: EVIL}, 'seed': EVIL}
    config['train'] = [{'name': EVIL}]
    (tmp_path / 'config.yaml').write_text(yaml.safe_dump(config), encoding='utf-8')
    write_rows(tmp_path / 'metrics.csv', [validations((0.3,))[0] | {f'{EVIL}/{EVIL}': 0.5}])
    page = report(tmp_path)
    assert 'script' not in page.tags
    assert page.text.count('<script>alert("1")</script>') >= 5


def test_best_and_last_predictions_are_embedded(tmp_path: Path) -> None:
    write_run(tmp_path, (0.2, 0.6, 0.5))
    for step in (10, 20, 30):
        write_picture(tmp_path, step)
    page = report(tmp_path)
    assert 'best: step 20' in page.text
    assert 'last: step 30' in page.text
    best, last = pictures(page)
    assert np.array_equal(best, cv2.imread(str(tmp_path / 'snapshots/step_0000020.jpg')))
    assert np.array_equal(last, cv2.imread(str(tmp_path / 'snapshots/step_0000030.jpg')))


def test_where_the_best_has_no_picture_the_nearest_one_is_named_as_such(tmp_path: Path) -> None:
    write_run(tmp_path, (0.2, 0.6, 0.5))
    write_picture(tmp_path, 30)
    page = report(tmp_path)
    assert 'nearest to the best (step 20) and last: step 30' in page.text
    assert len(pictures(page)) == 1


def test_a_picture_that_is_half_written_is_named_and_not_shown(tmp_path: Path) -> None:
    write_run(tmp_path, (0.2,))
    write_picture(tmp_path, 10).write_bytes(b'')
    page = report(tmp_path)
    assert 'this picture cannot be read' in page.text
    assert not pictures(page)


def test_the_page_stays_small_whatever_the_run_left(tmp_path: Path) -> None:
    ious = [0.3 + 0.0001 * (number % 700) for number in range(1500)]
    write_run(tmp_path, ious)
    for step in (7000, 15000):
        write_picture(tmp_path, step, size=(1500, 2000))
        assert (tmp_path / f'snapshots/step_{step:07d}.jpg').stat().st_size > 2_000_000
    page = report(tmp_path)
    assert (tmp_path / 'report.html').stat().st_size < 5_000_000
    assert all(picture.shape[1] > 500 for picture in pictures(page))
    assert page.tags.count('tr') < 200
    assert 'of 1500 validations' in page.text


def test_the_best_row_is_marked_and_bars_are_as_long_as_the_iou(tmp_path: Path) -> None:
    write_run(tmp_path, (0.2, 0.6, 0.5))
    text = write_report(tmp_path).read_text(encoding='utf-8')
    (row,) = re.findall(r'<tr class=best>.*?</tr>', text)
    assert '0.6000' in row
    assert 'background-size: 60.0% 100%' in row


@pytest.mark.parametrize('left_out', ['metrics.csv', 'steps.csv', 'config.yaml'])
def test_an_unfinished_run_has_a_report_too(tmp_path: Path, left_out: str) -> None:
    write_run(tmp_path)
    (tmp_path / left_out).unlink()
    assert 'Curves' in report(tmp_path).text


def test_a_run_that_stopped_early_says_how_far_it_came(tmp_path: Path) -> None:
    write_run(tmp_path, (0.2, 0.4))
    assert '2 of 3 epochs' in report(tmp_path).text


def test_parameters_are_counted_from_the_weights_without_running_means(tmp_path: Path) -> None:
    write_run(tmp_path)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    torch.save({'state_dict': net.state_dict()}, tmp_path / 'checkpoint.pt')
    count = sum(parameter.numel() for parameter in net.parameters())
    assert f'{count}parameters' in report(tmp_path).text.replace(' ', '')


def test_the_machine_is_that_of_the_training_if_it_was_written_down(tmp_path: Path) -> None:
    write_run(tmp_path)
    assert 'this page was made' in report(tmp_path).text
    record_session(tmp_path, device='GPU of a test')
    record_session(tmp_path, step=20, device='another GPU')
    page = report(tmp_path)
    assert 'this page was made' not in page.text
    assert 'another GPU' in page.text
    assert '(after step 20)' in page.text


def test_a_fresh_start_forgets_the_sessions_of_an_older_run(tmp_path: Path) -> None:
    for step in (0, 10, 20):
        record_session(tmp_path, step=step)
    assert [one.step for one in read_sessions(tmp_path)] == [0, 10, 20]
    record_session(tmp_path)
    assert [one.step for one in read_sessions(tmp_path)] == [0]


@pytest.mark.parametrize('text', ['', '{', '[{"time": 1}]', '5'])
def test_a_damaged_machine_file_is_passed_over(tmp_path: Path, text: str) -> None:
    write_run(tmp_path)
    (tmp_path / MACHINE).write_text(text, encoding='utf-8')
    assert 'this page was made' in report(tmp_path).text


def test_the_old_page_survives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(write_run(tmp_path))
    before = path.read_text(encoding='utf-8')

    def full_disk(_path: Path, _text: str, encoding: str) -> int:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('pathlib.Path.write_text', full_disk)
    with pytest.raises(OSError, match='No space left'):
        write_report(tmp_path)
    assert path.read_text(encoding='utf-8') == before
    assert not [one for one in tmp_path.iterdir() if one.name.startswith('.')]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match='folder of a run'):
        write_report(tmp_path)
