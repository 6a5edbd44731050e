"""What the files of a run say, also where a run was killed, resumed, or is of another version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.report.run_record import read_run, read_table
from tests.lane_seg_train.report.run_files import write_run

if TYPE_CHECKING:
    from pathlib import Path


def test_it_knows_the_best_validation_of_the_metric_that_the_run_watched(tmp_path: Path) -> None:
    record = read_run(write_run(tmp_path, (0.2, 0.6, 0.5)))
    assert record.name == 'quiet street'
    assert (record.monitor, record.best) == ('road/lane_marking', 1)
    assert record.ious == ['road/lane_marking', 'road/miou']
    assert record.losses == ['road/loss']
    assert record.terms == ['ce', 'dice']


def test_the_last_of_equally_good_validations_is_the_best_as_for_the_trainer(
    tmp_path: Path,
) -> None:
    assert read_run(write_run(tmp_path, (0.2, 0.6, 0.6))).best == 2


def test_a_validation_without_a_score_is_never_the_best(tmp_path: Path) -> None:
    assert read_run(write_run(tmp_path, ('nan', 0.1, ''))).best == 1
    assert read_run(write_run(tmp_path, ('nan', ''))).best is None


@pytest.mark.parametrize('text', ['', '[1, 2', 'just words', 'monitor: gone/road\n'])
def test_without_a_readable_configuration_a_mean_iou_is_watched(tmp_path: Path, text: str) -> None:
    write_run(tmp_path)
    (tmp_path / 'config.yaml').write_text(text, encoding='utf-8')
    record = read_run(tmp_path)
    assert record.monitor == 'road/miou'
    assert record.name == tmp_path.name


def test_a_table_passes_over_half_a_last_line(tmp_path: Path) -> None:
    path = tmp_path / 'steps.csv'
    path.write_text('step,loss\n1,0.5\n2,0.25\n3,0.1', encoding='utf-8')
    table = read_table(path)
    assert table['step'].tolist() == [1, 2]
    assert table['loss'].tolist() == [0.5, 0.25]


def test_a_step_that_was_done_again_counts_once_with_its_later_row(tmp_path: Path) -> None:
    path = tmp_path / 'steps.csv'
    path.write_text('step,loss\n1,0.5\n2,9\n3,9\n2,0.2\n3,0.1\n', encoding='utf-8')
    table = read_table(path)
    assert (table.rows, table['loss'].tolist()) == (3, [0.5, 0.2, 0.1])


def test_what_is_no_number_or_no_column_is_nan(tmp_path: Path) -> None:
    path = tmp_path / 'steps.csv'
    path.write_text('step,loss\n1,\n2,oops\n3\n', encoding='utf-8')
    table = read_table(path)
    assert np.isnan(table['loss']).all()
    assert np.isnan(table['never']).tolist() == [True] * 3


def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'metrics.csv').write_text('a,b\n1,2\n', encoding='utf-8')
    with pytest.raises(LaneSegError, match='expected a column "step", found a, b'):
        read_run(tmp_path)
    (tmp_path / 'metrics.csv').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(LaneSegError, match='expected a CSV file'):
        read_run(tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match='expected the folder of a run'):
        read_run(tmp_path / 'nowhere')
