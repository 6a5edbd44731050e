"""curves.png of runs of all kinds, and what its charts hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg.report.theme import LIGHT, drawing, end_labels
from lane_seg_train.report.curves import draw_curves, write_curves
from lane_seg_train.report.run_record import read_run
from tests.lane_seg_train.report.run_files import steps, validations, write_rows, write_run

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure


def drawn(folder: Path) -> Figure:
    with drawing(LIGHT):
        figure = draw_curves(read_run(folder), LIGHT)
        figure.canvas.draw()
    return figure


def texts(figure: Figure) -> str:
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    titles = [axes.get_title(loc=side) for axes in figure.axes for side in ('left', 'right')]
    return '\n'.join([*found, *titles, *(text.get_text() for text in figure.texts)])


def test_the_picture_is_written_whole_beside_the_run(tmp_path: Path) -> None:
    path = write_curves(write_run(tmp_path))
    assert path == tmp_path / 'curves.png'
    image = cv2.imread(str(path))
    assert image.shape[1] > 1500
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50
    assert not [one for one in tmp_path.iterdir() if one.name.startswith('.')]


def test_loss_terms_learning_rate_validations_and_the_best_are_shown(tmp_path: Path) -> None:
    figure = drawn(write_run(tmp_path, (0.2, 0.6, 0.5)))
    shown = texts(figure)
    for words in ('training loss', 'learning rate', 'IoU on validation', 'loss on validation'):
        assert words in shown
    for words in ('ce', 'dice', 'road/lane_marking', 'best 0.6000', 'best road/lane_marking'):
        assert words in shown
    stars = [line for axes in figure.axes for line in axes.lines if line.get_marker() == '*']
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in stars] == [(20, 0.6)]


@pytest.mark.parametrize('ious', [(0.5,), ('nan', 'nan'), (0.0, 0.0), (1.0, 1.0)])
def test_few_or_empty_or_extreme_validations_are_no_trouble(
    tmp_path: Path, ious: tuple[float | str, ...]
) -> None:
    assert write_curves(write_run(tmp_path, ious)).is_file()


def test_one_row_of_each_file_is_shown_as_points(tmp_path: Path) -> None:
    write_run(tmp_path, (0.4,))
    write_rows(tmp_path / 'steps.csv', steps([1]))
    figure = drawn(tmp_path)
    marks = {line.get_marker() for axes in figure.axes for line in axes.lines}
    assert 'o' in marks
    assert 'best 0.4000' in texts(figure)


def test_a_run_that_has_done_nothing_says_so(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / 'steps.csv').unlink()
    (tmp_path / 'metrics.csv').unlink()
    shown = texts(drawn(tmp_path))
    assert 'no step yet' in shown
    assert 'no validation yet' in shown


def test_lines_are_broken_where_steps_are_missing(tmp_path: Path) -> None:
    write_run(tmp_path)
    write_rows(tmp_path / 'steps.csv', steps([*range(1, 10), *range(200, 210)]))
    rate = next(a for a in drawn(tmp_path).axes if a.get_title(loc='left') == 'learning rate')
    assert [line.get_xdata().max() for line in rate.lines] == [9, 209]


def test_a_hundred_thousand_steps_are_thinned(tmp_path: Path) -> None:
    write_run(tmp_path)
    write_rows(tmp_path / 'steps.csv', steps(range(1, 100_001), per_epoch=1000))
    figure = drawn(tmp_path)
    assert max(len(line.get_xdata()) for axes in figure.axes for line in axes.lines) <= 1500


def test_of_many_classes_the_watched_one_and_the_means_stand_out(tmp_path: Path) -> None:
    write_run(tmp_path)
    rows = [
        row | {f'road/class {index}': 0.1 * index for index in range(9)}
        for row in validations((0.2, 0.6))
    ]
    write_rows(tmp_path / 'metrics.csv', rows)
    shown = texts(drawn(tmp_path))
    assert 'thin: 9 more label sets' in shown
    assert 'road/lane_marking' in shown
    assert 'road/miou' in shown
    assert 'class 3' not in shown


def test_a_dollar_in_a_name_is_no_formula(tmp_path: Path) -> None:
    write_run(tmp_path)
    row = validations((0.3,))[0] | {'road/$x': 0.5, 'road/$\\frac$': 0.4}
    write_rows(tmp_path / 'metrics.csv', [row])
    assert write_curves(tmp_path).is_file()


def test_labels_at_the_ends_of_lines_never_overlap() -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3), dpi=100)
    axes = figure.add_subplot()
    axes.set_ylim(0, 1)
    end_labels(axes, [(0.5, 'a', 'k'), (0.5, 'b', 'k'), (0.51, 'c', 'k'), (0.99, 'd', 'k')])
    places = sorted(text.xyann[1] for text in axes.texts)
    line_px = 8.5 * figure.dpi / 72
    assert min(np.diff(places)) * axes.get_window_extent().height > line_px
    assert max(places) <= 1


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match='folder of a run'):
        write_curves(tmp_path)
    assert not (tmp_path / 'curves.png').exists()
