"""One CSV row for each image."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from lane_seg.files import atomic_path

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self

    from lane_seg_train.evaluation.scores import ImageScore

__all__ = ['ImageCsv']


class ImageCsv:
    """Gathers the scores of images, and writes them when its block ends, by an error as well.

    Columns: data, name, ms, then 'iou/<set>' for each label set, then 'false_positives/<set>' in
    pixels. An IoU is empty where the image shows nothing of the set; there the false positives
    tell how wrong it is. Without any image no file is written.

    Args:
        path: the file; it appears whole or not at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scores: list[ImageScore] = []

    def add(
        self,
        score: ImageScore,
        _image: NDArray[np.uint8],
        _target: NDArray[np.uint8],
        _mask: NDArray[np.uint8],
    ) -> None:
        """Take one image."""
        self.scores.append(score)

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what there is."""
        if self.scores:
            self._write()

    def _write(self) -> None:
        names = list(dict.fromkeys(name for one in self.scores for name in one.false_positives))
        columns = ['data', 'name', 'ms', *(f'iou/{name}' for name in names)]
        columns += [f'false_positives/{name}' for name in names]
        with (
            atomic_path(self.path) as temporary,
            temporary.open('w', encoding='utf-8', newline='') as file,
        ):
            writer = csv.DictWriter(file, columns, lineterminator='\n')
            writer.writeheader()
            for score in self.scores:
                row: dict[str, object] = {'data': score.data, 'name': score.name}
                row['ms'] = f'{score.ms:.3f}'
                for name, iou in score.iou.items():
                    row[f'iou/{name}'] = f'{iou:.6f}'
                for name, pixels in score.false_positives.items():
                    row[f'false_positives/{name}'] = pixels
                writer.writerow(row)
