"""`lane-seg predict --csv`: a row for each image, joined with what else is known of it."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, TextIO

from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self

    from lane_seg.bundle import ModelBundle

__all__ = ['ShareTable', 'metadata_from_file']

Metadata = dict[str, dict[str, str | int | float | bool | None]]


def metadata_from_file(path: Path) -> Metadata:
    """Read `{"frame_1.jpg": {"latitude": 48.1, ...}, ...}`.

    Raises:
        LaneSegError: no such file, not JSON, or not of this form.
    """
    try:
        raw = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise LaneSegError(f'{path}: expected a JSON file, found: {error}') from error
    plain = str | int | float | None
    is_good = isinstance(raw, dict) and all(
        isinstance(row, dict) and all(isinstance(value, plain) for value in row.values())
        for row in raw.values()
    )
    if not is_good:
        raise LaneSegError(
            f'{path}: expected {{"image name": {{"key": number or text, ...}}, ...}}, found '
            'another form; flatten nested values'
        )
    return dict(raw)


class ShareTable:
    """Writes name, share of each class, inference time and metadata of each image.

    A context manager. Rows are written as they come; the file takes its name when it is closed,
    also after Ctrl-C, so nothing that was computed is lost.

    Args:
        path: the CSV file; None writes nothing.
        bundle: names the classes.
        metadata: image name -> further columns; a name may be the file's own or the path below the
            input folder.
    """

    def __init__(self, path: Path | None, bundle: ModelBundle, metadata: Metadata) -> None:
        self.path = path
        self.bundle = bundle
        self.metadata = metadata
        self._extra = list(dict.fromkeys(key for row in metadata.values() for key in row))
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self.path is not None:
            self._scope = atomic_path(self.path)
            self._file = self._scope.__enter__().open('w', encoding='utf-8', newline='')
            self._writer = csv.writer(self._file, lineterminator='\n')
            names = [info.name for info in self.bundle.classes]
            self._writer.writerow(['name', *names, 'inference_ms', *self._extra])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            # Not handed on: what was written until the error is worth keeping.
            self._scope.__exit__(None, None, None)

    def add(self, name: str, mask: NDArray[np.uint8], inference_ms: float) -> None:
        """Add the (H, W) uint8 mask of one image or frame."""
        if self._file is None:
            return
        import numpy as np

        counts = np.bincount(mask.ravel(), minlength=256)
        shares = [f'{counts[info.id] / mask.size:.6f}' for info in self.bundle.classes]
        row = self._of(name)
        extra = [row.get(key, '') for key in self._extra]
        self._writer.writerow([name, *shares, f'{inference_ms:.3f}', *extra])
        self._file.flush()

    def _of(self, name: str) -> Mapping[str, object]:
        return self.metadata.get(name) or self.metadata.get(name.rpartition('/')[2]) or {}
