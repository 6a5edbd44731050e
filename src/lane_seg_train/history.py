"""The metrics of every epoch as one CSV file that a resumed run goes on with."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING

from lightning.pytorch.callbacks import Callback

from lane_seg.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer

__all__ = ['MetricsFile']


class MetricsFile(Callback):  # type: ignore[misc]  # the library is untyped
    """Adds a row after each epoch: epoch, seconds it took, learning rate, every logged metric.

    Lightning's own CSV logger deletes the rows of the first half when a run is resumed.

    Args:
        path: the CSV file; written whole each time, so that it is never half a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start_s = time.monotonic()

    def on_train_epoch_start(self, _trainer: Trainer, _module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._start_s = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, _module: LightningModule) -> None:
        """Write the epoch's row after those of the epochs before it."""
        epoch = trainer.current_epoch
        row = {
            'epoch': str(epoch),
            'seconds': f'{time.monotonic() - self._start_s:.1f}',
            'learning_rate': f'{trainer.optimizers[0].param_groups[0]["lr"]:.3g}',
        }
        for name, value in sorted(trainer.callback_metrics.items()):
            row[name] = f'{float(value):.5f}'
        rows = [] if epoch == 0 else [old for old in self._rows() if int(old['epoch']) < epoch]
        rows.append(row)
        text = io.StringIO()
        names = list(dict.fromkeys(name for one in rows for name in one))
        writer = csv.DictWriter(text, names, restval='', lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path, text.getvalue())

    def _rows(self) -> list[dict[str, str]]:
        if not self.path.is_file():
            return []
        with self.path.open(encoding='utf-8', newline='') as file:
            return list(csv.DictReader(file))
