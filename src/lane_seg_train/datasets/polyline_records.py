"""Lines and areas of an image as JSON states them: TuSimple, labelme, and plain lists of points.

A record is one of

- {"raw_file": "clips/1/20.jpg", "lanes": [[x, ...], ...], "h_samples": [y, ...]}, TuSimple's form,
  where an x below 0 is no point;
- {"polylines": [[[x, y], ...], ...]};
- {"annotations": [{"polyline": [x, y, ...]}, ...]};
- {"shapes": [{"label": ..., "shape_type": "linestrip", "points": [[x, y], ...]}, ...]}, labelme's.

It may name its image as "raw_file" or "image".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets.annotations import Record, items, objects, points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ['LINE', 'Shape', 'image_of', 'shapes_of', 'size_of']

LINE = 'line'
IMAGE_KEYS = ('raw_file', 'image')
LINE_TYPES = ('line', 'linestrip')
POLYGON_TYPE = 'polygon'


@dataclass(frozen=True)
class Shape:
    """A line or an area.

    Attributes:
        name: its label, 'line' where the form has none.
        points: (N, 2) float64 x, y in pixels, N at least 2.
        is_polygon: whether it is an area.
    """

    name: str
    points: NDArray[np.float64]
    is_polygon: bool


def shapes_of(record: Record, source: str) -> list[Shape]:
    """Read the shapes of a record; those of less than two points are left out.

    Raises:
        LaneSegError: none of the known forms, or a broken one.
    """
    if 'lanes' in record:
        rows = items(record, 'h_samples', source)
        lines = [_lane(lane, rows, source) for lane in items(record, 'lanes', source)]
    elif 'polylines' in record:
        lines = [points(line, source) for line in items(record, 'polylines', source)]
    elif 'annotations' in record:
        found = objects(record, 'annotations', source)
        lines = [points(items(item, 'polyline', source), source) for item in found]
    elif 'shapes' in record:
        shapes = [_labelled(item, source) for item in objects(record, 'shapes', source)]
        return [shape for shape in shapes if len(shape.points) > 1]
    else:
        raise LaneSegError(
            f'{source}: expected lanes with h_samples, polylines, annotations or shapes, found '
            f'the keys {list(record)[:8]}; write the lines in one of these forms'
        )
    return [Shape(LINE, line, is_polygon=False) for line in lines if len(line) > 1]


def image_of(record: Record) -> str | None:
    """The image that a record names, with folders and suffix; None if it names none."""
    named = (record[key] for key in IMAGE_KEYS if isinstance(record.get(key), str))
    image = next(named, None)
    return None if image is None else str(image)


def size_of(record: Record) -> tuple[int, int] | None:
    """The (height, width) that a labelme record states for its image, None if it does not."""
    height, width = record.get('imageHeight'), record.get('imageWidth')
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    return None


def _lane(xs: object, ys: list[object], source: str) -> NDArray[np.float64]:
    if not isinstance(xs, list) or len(xs) != len(ys):
        raise LaneSegError(
            f'{source}: expected an x for each of {len(ys)} h_samples, found {str(xs)[:60]}; '
            'correct it'
        )
    lane = points([list(pair) for pair in zip(xs, ys, strict=True)], source)
    return lane[lane[:, 0] >= 0]


def _labelled(item: Record, source: str) -> Shape:
    kind = item.get('shape_type', LINE_TYPES[1])
    if kind not in (*LINE_TYPES, POLYGON_TYPE):
        raise LaneSegError(
            f'{source}: expected shapes of type {", ".join(LINE_TYPES)} or {POLYGON_TYPE}, found '
            f'{kind!r}; draw it as one of them'
        )
    found = points(items(item, 'points', source), source)
    return Shape(str(item.get('label', LINE)), found, is_polygon=kind == POLYGON_TYPE)
