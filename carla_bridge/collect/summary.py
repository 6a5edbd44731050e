"""What a recording holds: a table of its frames, and a sheet of pictures with their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from carla_bridge.recording.blocks import SPLITS
from lane_seg.bundle import ClassInfo
from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path
from lane_seg.overlay import Painter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['CONTACT_SHEET', 'print_table', 'write_contact_sheet']

CONTACT_SHEET = 'contact_sheet.jpg'

_TILE_W, _COLUMNS, _ROWS = 400, 4, 4
_STRIP_PX, _TEXT_SIZE = 18, 0.4
_CLASSES = (
    ClassInfo(0, 'background', (0, 0, 0)),
    ClassInfo(1, 'road', (160, 90, 40)),
    ClassInfo(2, 'lane_marking', (60, 220, 60)),
    ClassInfo(255, 'unlabeled', (40, 40, 230)),
)


def print_table(records: Sequence[dict[str, object]]) -> None:
    """Print frames per town, weather and split to stdout.

    Args:
        records: lines of the manifest.
    """
    from rich.console import Console
    from rich.table import Table

    counts = Counter((record['town'], record['weather'], record['split']) for record in records)
    table = Table('town', 'weather', *SPLITS, 'frames')
    for column in table.columns[2:]:
        column.justify = 'right'
    rows = sorted({(str(town), str(weather)) for town, weather, _ in counts})
    for town, weather in rows:
        row = [counts[town, weather, split] for split in SPLITS]
        table.add_row(town, weather, *map(str, row), str(sum(row)))
    if len(rows) > 1:
        table.add_section()
        row = [sum(record['split'] == split for record in records) for split in SPLITS]
        table.add_row('all', '', *map(str, row), str(len(records)))
    Console().print(table)


def write_contact_sheet(folder: Path, records: Sequence[dict[str, object]]) -> Path | None:
    """Write a sheet of frames with their labels drawn over them.

    Args:
        folder: of the recording.
        records: lines of its manifest.

    Returns:
        The picture, beside the manifest; None where there is no frame.
    """
    tiles = [_tile(folder, record) for record in _spread(records, _COLUMNS * _ROWS)]
    if not tiles:
        return None
    columns = min(_COLUMNS, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    path = folder / CONTACT_SHEET
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), np.vstack(rows))
    return path


def _spread(records: Sequence[dict[str, object]], count: int) -> list[dict[str, object]]:
    """Choose frames of all towns, weathers and splits in turn, and from all along the drives."""
    groups: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for record in records:
        key = (record['town'], record['weather'], record['split'])
        groups.setdefault(key, []).append(record)
    each = -(-count // max(1, len(groups)))
    picked = [
        [group[int(at)] for at in np.linspace(0, len(group) - 1, min(each, len(group)))]
        for group in groups.values()
    ]
    in_turn = [group[at] for at in range(each) for group in picked if at < len(group)]
    return in_turn[:count]


def _tile(folder: Path, record: dict[str, object]) -> NDArray[np.uint8]:
    """Draw one frame and its name."""
    name = Path(str(record['split'])) / f'{record["name"]}.png'
    image = _read(folder / 'rgb' / name, cv2.IMREAD_COLOR)
    label = _read(folder / 'label' / name, cv2.IMREAD_UNCHANGED)
    painted = Painter(_CLASSES).draw(image, label)
    height = round(_TILE_W * image.shape[0] / image.shape[1])
    small = cv2.resize(painted, (_TILE_W, height), interpolation=cv2.INTER_AREA)
    strip = np.zeros((_STRIP_PX, _TILE_W, 3), np.uint8)
    cv2.putText(
        strip,
        f'{record["name"]} {record["split"]}',
        (4, _STRIP_PX - 5),
        cv2.FONT_HERSHEY_SIMPLEX,
        _TEXT_SIZE,
        (255, 255, 255),
        1,
        cv2.LINE_AA,
    )
    return np.vstack([small, strip])


def _read(path: Path, mode: int) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), mode)
    if image is None:
        raise LaneSegError(f'expected a picture at {path}, found none that OpenCV can read')
    return np.asarray(image, np.uint8)
