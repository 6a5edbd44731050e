"""What `lane-seg predict` counts, and the table that it ends with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.timing import summarize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle
    from lane_seg.engines import Engine

__all__ = ['Tally', 'print_summary']


@dataclass
class Tally:
    """What was done; all numbers count from 0.

    Attributes:
        images: images that have a mask.
        frames: frames of videos that were drawn.
        failed: files that could not be used.
        pixels: pixels of each mask value, (256,) int64 once there is a mask.
        inference_ms: time of the engine, for each image and frame.
        seconds: wall time, with reading and writing.
    """

    images: int = 0
    frames: int = 0
    failed: int = 0
    pixels: NDArray[np.int64] | None = None
    inference_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, mask: NDArray[np.uint8], inference_ms: float) -> None:
        """Add the (H, W) uint8 mask of one image or frame."""
        import cv2
        import numpy as np

        counts = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel().astype(np.int64)
        self.pixels = counts if self.pixels is None else self.pixels + counts
        self.inference_ms.append(inference_ms)


def print_summary(tally: Tally, bundle: ModelBundle, engine: Engine, output: Path) -> None:
    """Print counts, the share of each class, speed, engine, and where the results are."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in _rows(tally, bundle, engine):
        table.add_row(name, value)
    Console().print(table)
    # Not in the table, which would cut a long path.
    if tally.pixels is not None:
        print(f'results in {output}')


def _rows(tally: Tally, bundle: ModelBundle, engine: Engine) -> list[tuple[str, str]]:
    rows = [('images', str(tally.images))]
    if tally.frames:
        rows.append(('video frames', str(tally.frames)))
    rows.append(('failed', str(tally.failed)))
    if tally.pixels is not None:
        total = int(tally.pixels.sum())
        named = [(info.name, info.id) for info in bundle.classes]
        if tally.pixels[bundle.unlabeled_id]:
            named.append(('not seen by the model', bundle.unlabeled_id))
        for name, value in named:
            rows.append((f'pixels {name}', f'{100 * int(tally.pixels[value]) / total:.2f} %'))
        done = tally.images + tally.frames
        speed = summarize(tally.inference_ms)
        rows += [
            ('images/s', f'{done / max(tally.seconds, 1e-9):.1f}, with reading and writing'),
            ('inference', f'median {speed.median_ms:.2f} ms, p99 {speed.p99_ms:.2f} ms'),
        ]
    threads = f'{engine.threads} threads' if engine.threads else 'threads by its own choice'
    return [
        *rows,
        ('engine', f'{engine.name} {engine.version}, {threads}'),
        ('model', f'{bundle.name} {bundle.version}, {bundle.precision}'),
    ]
