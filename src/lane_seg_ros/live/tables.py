"""Figures of a measurement as text: rows of a table, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from lane_seg.timing import TimingSummary
from lane_seg_ros.live.measurement import Measurement
from lane_seg_ros.live.score import LABEL_IDS

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ['confusion_rows', 'figures_of', 'ious_text', 'json_text', 'rows_of', 'table_of']

_NO_NUMBER = '-'


def rows_of(measurement: Measurement) -> dict[str, str]:
    """What a person looks for first: {name: text}."""
    losses, latency, age = measurement.losses, measurement.latency_ms, measurement.age_ms
    rows = {
        'frames in': f'{losses.camera}  ({measurement.camera_rate_hz:.1f} per second)',
        'masks out': f'{losses.masks}  ({measurement.mask_rate_hz:.1f} per second)',
        'lost': str(losses),
        'latency': _times(latency),
        'age of the mask': _times(age),
    }
    node = measurement.node
    if node is not None:
        if 'inference' in node.stages_ms:
            p50, p99 = node.stages_ms['inference']
            rows['of it inference'] = f'p50 {p50:.1f} ms, p99 {p99:.1f} ms'
        threads = node.threads or "the engine's own choice"
        rows['engine'] = f'{node.engine}, threads: {threads}'
    factor = measurement.real_time_factor
    if math.isfinite(factor):
        rows['simulated time'] = f'{factor:.2f} of wall time'
    return rows


def ious_text(measurement: Measurement, against: str) -> str:
    """IoU of each class in one line."""
    if not measurement.scored:
        return 'no labels: nobody knows the truth here'
    parts = [
        f'{name.replace("_", " ")} {iou:.3f}' if math.isfinite(iou) else f'{name} {_NO_NUMBER}'
        for name, iou in measurement.ious.items()
    ]
    return f'{", ".join(parts)}  (against {against}, {measurement.scored} frames)'


def table_of(title: str, rows: Mapping[str, str]) -> Table:
    """A table of names and texts for the terminal."""
    from rich.table import Table

    table = Table(title=title, show_header=False, title_justify='left')
    table.add_column(style='bold')
    table.add_column()
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def figures_of(measurement: Measurement) -> dict[str, object]:
    """All figures, ready for JSON once rounded by `json_text`."""
    losses = measurement.losses
    node = measurement.node
    return {
        'frames': {
            **asdict(losses),
            'lost': losses.lost,
            'camera_rate_hz': measurement.camera_rate_hz,
            'mask_rate_hz': measurement.mask_rate_hz,
            'repeated_stamps': measurement.repeated_stamps,
        },
        'latency_ms': _summary(measurement.latency_ms),
        'age_ms': _summary(measurement.age_ms),
        'real_time_factor': measurement.real_time_factor,
        'node_stages_ms': {
            stage: {'p50': p50, 'p99': p99}
            for stage, (p50, p99) in (node.stages_ms if node else {}).items()
        },
        'iou': dict(measurement.ious) or None,
        'iou_frames': measurement.scored,
        'pixels_by_label_and_mask': _confusion(measurement) if measurement.scored else None,
        'label_coding': measurement.coding or None,
        'camera_hw': measurement.camera_hw,
        'mask_hw': measurement.mask_hw,
        'label_hw': measurement.label_hw,
        'pictures_not_drawn': measurement.pictures_not_drawn,
    }


def json_text(content: Mapping[str, object]) -> str:
    """JSON; floats to three digits after the point, and null for what is no number."""
    return json.dumps(_rounded(content), indent=2, allow_nan=False) + '\n'


def confusion_rows(measurement: Measurement) -> Iterable[tuple[str, list[float]]]:
    """For each true class its name and the share of its pixels in each class of the mask."""
    table = measurement.table[: len(LABEL_IDS), : len(LABEL_IDS)]
    for name, number in LABEL_IDS.items():
        total = int(table[number].sum())
        yield name, [int(v) / total if total else math.nan for v in table[number]]


def _confusion(measurement: Measurement) -> dict[str, dict[str, int]]:
    names = [*LABEL_IDS, 'unlabeled']
    return {
        label: {mask: int(measurement.table[i, j]) for j, mask in enumerate(names)}
        for i, label in enumerate(names)
    }


def _summary(times: TimingSummary) -> dict[str, float]:
    return {
        'count': times.count,
        'p50': times.median_ms,
        'p99': times.p99_ms,
        'max': times.max_ms,
    }


def _times(times: TimingSummary) -> str:
    if not times.count:
        return _NO_NUMBER
    return f'p50 {times.median_ms:.1f} ms, p99 {times.p99_ms:.1f} ms, max {times.max_ms:.1f} ms'


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_rounded(item) for item in value]
    return value
