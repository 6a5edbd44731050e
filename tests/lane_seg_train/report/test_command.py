"""`lane-seg report`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg_cli.main import main
from tests.lane_seg_train.report.run_files import write_run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_it_draws_every_run_and_names_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [write_run(tmp_path / name) for name in ('one', 'two')]
    assert main(['report', *map(str, runs)]) == 0
    paths = [str(run / name) for run in runs for name in ('curves.png', 'report.html')]
    assert capsys.readouterr().out.split() == paths
    assert all((run / 'report.html').is_file() for run in runs)


def test_a_folder_that_is_no_run_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['report', str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: expected the folder of a run')
    assert error.count('\n') == 1
