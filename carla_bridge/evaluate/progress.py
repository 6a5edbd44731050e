"""How an evaluation goes, while it goes."""

from __future__ import annotations

import math
import time

from rich.table import Table

from lane_seg_ros.live.recorder import Recorder
from lane_seg_ros.live.score import ious_of
from lane_seg_ros.live.tables import table_of
from lane_seg_ros.live.window import Window

__all__ = ['progress_line', 'progress_table']

_SILENT_S = 2.0


def progress_table(recorder: Recorder, window: Window, passed_s: float) -> Table:
    """The figures so far, as a table for the terminal."""
    return table_of(f'{passed_s:.0f} s, Ctrl-C ends and writes', _rows(recorder, window, passed_s))


def progress_line(recorder: Recorder, window: Window, passed_s: float) -> str:
    """The figures so far in one line, for a log."""
    rows = _rows(recorder, window, passed_s)
    return f'{passed_s:.0f} s: ' + ', '.join(f'{name} {text}' for name, text in rows.items())


def _rows(recorder: Recorder, window: Window, passed_s: float) -> dict[str, str]:
    rows = {
        'frames': f'{window.camera} ({window.camera / passed_s:.1f} per second)',
        'masks': f'{window.masks} ({window.masks / passed_s:.1f} per second)',
    }
    latency = recorder.heard.latencies.summary()
    if latency.count:
        rows['latency'] = f'p50 {latency.median_ms:.0f} ms, p99 {latency.p99_ms:.0f} ms'
    counts = recorder.counts
    if counts is not None:
        rows['replaced in the node'] = f'{counts.dropped} since its start'
    for name, iou in ious_of(window.table).items():
        rows[f'IoU {name.replace("_", " ")}'] = f'{iou:.3f}' if math.isfinite(iou) else '-'
    silent_s = (time.time_ns() - window.last_frame_ns) * 1e-9
    if silent_s > _SILENT_S:
        rows['no picture for'] = f'{silent_s:.0f} s on {recorder.topics.image}'
    return rows
