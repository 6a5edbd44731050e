"""Small data sets on disk, for tests of their readers."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg_train.config import DataConfig
from lane_seg_train.datasets import LaneData

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CLASSES = ('background', 'road', 'lane_marking')
LABELS = {0: 'background', 1: 'road', 2: 'lane_marking'}
SIZE = (32, 64)  # of the model
HEIGHT, WIDTH = 48, 96  # of the images on disk


def write_picture(path: Path, array: NDArray[np.generic]) -> Path:
    """Write an image or a label of (H, W), (H, W, 3) BGR or (H, W, 4)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix.lower(), array)[1].tobytes())
    return path


def write_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding='utf-8')
    return path


def picture(grey: int = 0) -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), grey, np.uint8)


def halves(*values: int | tuple[int, int, int]) -> NDArray[np.uint8]:
    """A label of equal columns of values, or of colours as R, G, B."""
    columns = np.array([value[::-1] if isinstance(value, tuple) else value for value in values])
    row = np.repeat(columns, WIDTH // len(values), axis=0)
    return np.repeat(row[None], HEIGHT, axis=0).astype(np.uint8)


def config(**changes: object) -> DataConfig:
    return DataConfig(**{'name': 'a', 'labels': LABELS, 'images': 'i', 'masks': 'm', **changes})


def data(root: Path, classes: tuple[str, ...] = CLASSES, **changes: object) -> LaneData:
    return LaneData(config(**changes), classes, SIZE, root)


def columns_of(target: NDArray[np.uint8]) -> list[int]:
    """The values of a label of columns, each once, from left to right."""
    row = target[target.shape[0] // 2].tolist()
    return [value for index, value in enumerate(row) if index == 0 or value != row[index - 1]]


def write_pairs(root: Path, count: int = 4, *, pattern: str = 'frame_{}') -> None:
    """Grey images in i, labels in m: background left, road right."""
    for number in range(count):
        name = pattern.format(number)
        write_picture(root / 'i' / f'{name}.png', picture(10 * number))
        write_picture(root / 'm' / f'{name}.png', halves(0, 1))


def indexed_png(
    path: Path, indices: NDArray[np.uint8], colours: list[tuple[int, int, int]], *, bits: int = 8
) -> Path:
    """Write a PNG with a palette of R, G, B."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checked = kind + body
        return len(body).to_bytes(4, 'big') + checked + zlib.crc32(checked).to_bytes(4, 'big')

    height, width = indices.shape
    planes = np.unpackbits(indices[..., None], axis=2)[..., 8 - bits :]
    rows = np.packbits(planes.reshape(height, width * bits), axis=1)
    raw = b''.join(b'\0' + row.tobytes() for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, bits, 3, 0, 0, 0))
        + chunk(b'PLTE', bytes(level for colour in colours for level in colour))
        + chunk(b'IDAT', zlib.compress(raw))
        + chunk(b'IEND', b'')
    )
    return path
