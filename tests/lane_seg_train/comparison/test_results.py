"""The same numbers in JSON, CSV, Markdown and the terminal, with their units."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import TYPE_CHECKING

import cv2
import pytest
from rich.console import Console

from lane_seg.report.theme import LIGHT, drawing
from lane_seg_train.comparison.chart import draw_comparison, front, write_chart
from lane_seg_train.comparison.results import COLUMNS, Comparison, Row, rich_table, write_tables

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Row(
    label='good', net='unet', source='runs/good/checkpoint.pt', parameters=1_250_000, gmac=2.5,
    float32_mb=5.0, height=64, width=128, frame_ms=40.0, frame_p99_ms=55.5, frames=30, loss=0.25,
    miou=0.8125, by_set={'road': {'loss': 0.25, 'miou': 0.8125, 'lane_marking': 0.7}},
    train_seconds=61.0, curve=[(10, 0.5), (20, 0.8)],
)  # fmt: skip
QUICK = dataclasses.replace(
    GOOD, label='quick', parameters=500_000, frame_ms=10.0, frame_p99_ms=11.0, loss=0.5,
    miou=0.5, by_set={'road': {'loss': 0.5, 'miou': 0.5}},
)  # fmt: skip
FAILED = Row('broken|net', '', '', error='expected 64x128, found 60x128 [bold]; use 64x128')


def comparison(*rows: Row) -> Comparison:
    return Comparison('tiny', list(rows), 'a CPU, 2 threads', {'loss': 'ce'}, '2030-01-01T00:00')


def shown(*rows: Row) -> str:
    console = Console(width=160, record=True, force_terminal=False, file=io.StringIO())
    console.print(rich_table(comparison(*rows)))
    return console.export_text()


def test_csv_holds_every_number_in_plain_units(tmp_path: Path) -> None:
    write_tables(comparison(GOOD, QUICK, FAILED), tmp_path)
    with (tmp_path / 'comparison.csv').open(encoding='utf-8', newline='') as file:
        good, quick, failed = csv.DictReader(file)
    assert (good['label'], good['parameters'], good['frame_ms']) == ('good', '1250000', '40')
    assert (good['road/lane_marking'], quick['road/lane_marking']) == ('0.7', '')
    assert failed['error'] == FAILED.error
    assert failed['miou'] == ''


def test_json_holds_everything_and_null_for_what_was_not_measured(tmp_path: Path) -> None:
    write_tables(comparison(GOOD, FAILED), tmp_path)
    text = (tmp_path / 'comparison.json').read_text(encoding='utf-8')
    assert 'NaN' not in text
    raw = json.loads(text)
    assert raw['rows'][0]['by_set'] == GOOD.by_set
    assert raw['rows'][0]['curve'] == [[10, 0.5], [20, 0.8]]
    assert raw['rows'][1]['miou'] is None
    assert (raw['device'], raw['settings']) == ('a CPU, 2 threads', {'loss': 'ce'})


def test_markdown_is_a_whole_table_with_the_best_in_bold(tmp_path: Path) -> None:
    write_tables(comparison(GOOD, QUICK, FAILED), tmp_path)
    text = (tmp_path / 'comparison.md').read_text(encoding='utf-8')
    assert (
        '| good (unet) | 64x128 | 1.25 | 2.50 | 5.00 | 40.0 | 55.5 | **0.2500** | **81.25** |'
        in text
    )
    assert '| **10.0** | **11.0** |' in text
    assert 'Timed on a CPU, 2 threads' in text
    assert '- broken\\|net: expected 64x128, found 60x128 [bold]; use 64x128' in text
    table = [line for line in text.splitlines() if line.startswith('|')][: 2 + 3]
    assert {line.replace('\\|', '').count('|') for line in table} == {len(COLUMNS) + 3}


def test_the_terminal_names_the_device_and_shows_square_brackets_as_they_are() -> None:
    text = shown(GOOD, QUICK, FAILED, dataclasses.replace(GOOD, label='[red]'))
    for words in (
        'a CPU, 2 threads',
        'good (unet)',
        '64x128',
        'ms/frame',
        '40.0',
        '81.25',
        'failed',
        '[red]',
    ):
        assert words in text


@pytest.mark.parametrize(
    ('parameters', 'text'),
    [(134_271_000, '134'), (23_371_265, '23.4'), (1_947_000, '1.95'), (178_800, '0.179')]
    + [(1_900, '0.002'), (0, '0.000'), (1_234_567_890, '1235')],
)
def test_numbers_have_three_digits_that_matter(parameters: int, text: str) -> None:
    assert COLUMNS[0].text(dataclasses.replace(GOOD, parameters=parameters)) == text


def test_nothing_is_bold_where_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    write_tables(comparison(GOOD, FAILED), tmp_path)
    assert '**' not in (tmp_path / 'comparison.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('rows', [(GOOD, QUICK), (GOOD, FAILED)])
def test_seconds_are_never_called_a_frame_rate(tmp_path: Path, rows: tuple[Row, ...]) -> None:
    texts = [
        path.read_text(encoding='utf-8') for path in write_tables(comparison(*rows), tmp_path)
    ]
    with drawing(LIGHT):
        figure = draw_comparison(comparison(*rows))
        texts += [axes.get_xlabel() + axes.get_title(loc='left') for axes in figure.axes]
    for text in [*texts, shown(*rows)]:
        assert 'fps' not in text.casefold()


def test_the_front_holds_who_is_beaten_by_nobody() -> None:
    slow_and_bad = dataclasses.replace(GOOD, label='bad', frame_ms=90.0, miou=0.4)
    as_quick = dataclasses.replace(QUICK, label='worse', miou=0.3)
    assert [row.label for row in front([GOOD, slow_and_bad, as_quick, QUICK])] == ['quick', 'good']


@pytest.mark.parametrize(
    'rows',
    [
        (GOOD, QUICK, FAILED),
        (GOOD,),
        (FAILED,),
        (GOOD, dataclasses.replace(GOOD, label='twin')),
        (dataclasses.replace(GOOD, curve=[], miou=float('nan')),),
        tuple(dataclasses.replace(GOOD, label=f'net {n}', frame_ms=n + 1.0) for n in range(12)),
    ],
)
def test_the_chart_is_drawn_of_one_network_of_many_and_of_none(
    tmp_path: Path, rows: tuple[Row, ...]
) -> None:
    path = write_chart(comparison(*rows), tmp_path)
    image = cv2.imread(str(path))
    assert image.shape[1] > 1500
    assert image.std() > 5


def test_the_chart_names_who_failed() -> None:
    with drawing(LIGHT):
        figure = draw_comparison(comparison(GOOD, FAILED))
    assert 'failed: broken|net' in [text.get_text() for text in figure.texts]


def test_names_of_networks_that_are_alike_do_not_cover_each_other() -> None:
    rows = [dataclasses.replace(GOOD, label=f'network {n}') for n in range(3)]
    with drawing(LIGHT):
        figure = draw_comparison(comparison(*rows))
        figure.canvas.draw()
    texts = [text for text in figure.axes[0].texts if text.get_text().startswith('network')]
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) == 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
