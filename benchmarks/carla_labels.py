"""Lane labels against what the renderer of mini_carla itself knows to be a lane line.

    python benchmarks/carla_labels.py --json

The scenes are those of tests/carla_bridge/labels: random places, traffic in the way.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
from harness import RESULTS
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from carla_bridge.labels import LANE_MARKING, ROAD, UNLABELED
from carla_bridge.mini_carla.towns import available_towns
from lane_seg.files import write_text
from lane_seg.machine import machine_info
from lane_seg.timing import summarize
from tests.carla_bridge.labels.scenes import CAMERA, ROAD_LINES, labeller, scenes


def main() -> None:
    """Label, compare, print, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--scenes', type=int, default=30, help='in each town (default: 30)')
    parser.add_argument('--json', nargs='?', type=Path, const=RESULTS, metavar='FILE')
    args = parser.parse_args()
    cv2.setNumThreads(1)
    machine = machine_info()
    rows = [
        compare(name, args.scenes, with_depth=with_depth)
        for name in available_towns()
        for with_depth in (True, False)
    ]
    Console(width=180).print(table_of(rows))
    if args.json is not None:
        path = args.json / 'carla_labels.json' if args.json.is_dir() else args.json
        content = {
            'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'settings': {'scenes': args.scenes, 'image': f'{CAMERA.width}x{CAMERA.height}'},
            'machine': dataclasses.asdict(machine),
            'rows': rows,
        }
        write_text(path, json.dumps(content, indent=2) + '\n')


def compare(name: str, count: int, *, with_depth: bool) -> dict[str, object]:
    """Count the pixels of one town."""
    hit = wrong = missed = unlabeled = lane = other_paint = tagged = 0
    times_ms = []
    start = time.perf_counter()
    label_scene = labeller(name)
    reading_s = time.perf_counter() - start
    for seen in scenes(name, count):
        depth = seen.depth if with_depth else None
        start = time.perf_counter()
        label = label_scene.label(seen.tags, CAMERA, seen.pose.matrix(), depth_m=depth).label
        times_ms.append((time.perf_counter() - start) * 1e3)
        found, paint = label == LANE_MARKING, seen.tags == ROAD_LINES
        hit += int((found & seen.lane).sum())
        wrong += int((found & ~seen.lane).sum())
        missed += int((seen.lane & (label == ROAD)).sum())
        unlabeled += int((seen.lane & (label == UNLABELED)).sum())
        lane += int(seen.lane.sum())
        other_paint += int((paint & ~seen.lane).sum())
        tagged += int(np.count_nonzero(paint))
    return {
        'town': name,
        'depth camera': with_depth,
        'lane pixels': lane,
        'missed': missed,
        'unlabeled': unlabeled,
        'other paint': other_paint,
        'of it wrongly lane': wrong,
        'IoU': hit / (hit + wrong + missed),
        'IoU of the tag alone': lane / tagged,
        'a frame': dataclasses.asdict(summarize(times_ms)),
        # Kept for the second run of a town.
        'reading the town, s': reading_s if with_depth else None,
    }


def table_of(rows: list[dict[str, object]]) -> Table:
    """What a person looks at."""
    table = Table(title='lane labels')
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        frame = row['a frame']
        assert isinstance(frame, dict)
        cells = {**row, 'a frame': f'{frame["median_ms"]:.1f} ms, p99 {frame["p99_ms"]:.1f}'}
        table.add_row(
            *(f'{cell:.4f}' if isinstance(cell, float) else str(cell) for cell in cells.values())
        )
    return table


if __name__ == '__main__':
    main()
