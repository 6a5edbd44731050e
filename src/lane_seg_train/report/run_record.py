"""What the files of a run say, for those who draw it: finished, interrupted or still going."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import yaml

from lane_seg.errors import LaneSegError
from lane_seg_train.run_csv import read_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['RunRecord', 'Table', 'read_run', 'read_table']

CONFIG, METRICS, STEPS = 'config.yaml', 'metrics.csv', 'steps.csv'
TRAIN = 'train/'
LOSS, MIOU = 'loss', 'miou'


@dataclass(frozen=True)
class Table:
    """Numbers by column, in the order of the steps.

    Attributes:
        columns: {name: (rows,) float64}; NaN where the file has no number.
        rows: number of rows.
    """

    columns: dict[str, NDArray[np.float64]]
    rows: int

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """A column; all NaN if there is none of that name."""
        column = self.columns.get(name)
        return np.full(self.rows, np.nan) if column is None else column


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run.

    Attributes:
        folder: of the run.
        config: content of config.yaml as plain values; empty if it cannot be read.
        steps: one row per optimizer step.
        validations: one row per validation.
        monitor: the column of `validations` that picks the best one; '' if there is none.
        best: the row of `validations` that is the best one; None if there is none yet.
    """

    folder: Path
    config: dict[str, object]
    steps: Table
    validations: Table
    monitor: str
    best: int | None

    @property
    def name(self) -> str:
        """Name of the run; that of its folder if its configuration does not say."""
        return str(self.config.get('name') or self.folder.resolve().name)

    @property
    def losses(self) -> list[str]:
        """Columns of `validations` with the loss on a validation set."""
        return [name for name in self._of_val_sets() if name.partition('/')[2] == LOSS]

    @property
    def ious(self) -> list[str]:
        """Columns of `validations` with an IoU, 0..1: of each label set, and the means."""
        return [name for name in self._of_val_sets() if name.partition('/')[2] != LOSS]

    @property
    def terms(self) -> list[str]:
        """Columns of `steps` with a term of the loss."""
        known = ('step', 'epoch', 'learning_rate', LOSS)
        return [name for name in self.steps.columns if name not in known]

    def _of_val_sets(self) -> list[str]:
        names = self.validations.columns
        return [name for name in names if '/' in name and not name.startswith(TRAIN)]


def read_run(folder: str | Path) -> RunRecord:
    """Read config.yaml, metrics.csv and steps.csv of a run; any of them may be absent.

    Raises:
        LaneSegError: the folder holds none of them, or one that is not such a file.
    """
    folder = Path(folder)
    if not any((folder / name).is_file() for name in (CONFIG, METRICS, STEPS)):
        raise LaneSegError(
            f'expected the folder of a run of `lane-seg train`, found none of {CONFIG}, '
            f'{METRICS} and {STEPS} in {folder}'
        )
    config = _read_config(folder / CONFIG)
    validations = read_table(folder / METRICS)
    record = RunRecord(folder, config, read_table(folder / STEPS), validations, '', None)
    monitor = str(config.get('monitor') or '')
    if monitor not in validations.columns:
        monitor = next(iter(sorted(record.ious, key=lambda name: not name.endswith(MIOU))), '')
    best = _best(validations, validations[monitor])
    return RunRecord(folder, config, record.steps, validations, monitor, best)


def _best(validations: Table, scores: NDArray[np.float64]) -> int | None:
    """Row of the validation whose checkpoint was kept, as `trainer.best` chooses it."""
    if not np.isfinite(scores).any():
        return None
    # A run that begins with a network validates it first, and it stays unless another is better.
    if 'epoch' in validations.columns and validations['epoch'][0] == 0:
        return int(np.nanargmax(scores))
    # Of equals the last one.
    return len(scores) - 1 - int(np.nanargmax(scores[::-1]))


def read_table(path: Path) -> Table:
    """Read a CSV file with a column "step"; empty if there is no such file.

    A run that was killed may leave half a last line, which is passed over, and one that was
    resumed may have written a step twice: the later row counts.

    Raises:
        LaneSegError: not such a file.
    """
    rows = read_rows(path)
    by_step = {_number(row['step']): row for row in rows}
    names = list(rows[0]) if rows else []
    steps = sorted(step for step in by_step if np.isfinite(step))
    columns = {
        name: np.array([_number(by_step[step].get(name)) for step in steps]) for name in names
    }
    return Table(columns, len(steps))


def _read_config(path: Path) -> dict[str, object]:
    """Plain values: a report of a run of another version must not fail on an unknown key."""
    try:
        raw = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return cast('dict[str, object]', raw) if isinstance(raw, dict) else {}


def _number(text: str | None) -> float:
    try:
        return float(text or 'nan')
    except ValueError:
        return float('nan')
