"""How much room a recording takes, and whether the disk has it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

__all__ = ['estimated_frame_bytes', 'free_bytes', 'in_words', 'measured_frame_bytes']

# Bytes a pixel of PNG files as recordings have them, on the careful side. Measured in mini_carla:
# pictures 1.6 at 1280x720 and 1.9 at 160x96, depth 0.6, tags and labels 0.01 and 0.05.
_PER_PIXEL = {'rgb': 1.9, 'depth': 1.0}
_PER_LABEL_PIXEL = 0.05
_UNITS = ('B', 'kB', 'MB', 'GB', 'TB')
_THOUSAND = 1000.0
_WEIGHED = 50


def estimated_frame_bytes(layers: Sequence[str], width: int, height: int) -> float:
    """Estimate the size of a frame of which none has been written yet."""
    return width * height * sum(_PER_PIXEL.get(layer, _PER_LABEL_PIXEL) for layer in layers)


def measured_frame_bytes(folder: Path, layers: Sequence[str]) -> float | None:
    """Return the mean size of some frames of a recording; None where it has none."""
    names = [path.relative_to(folder / 'rgb') for path in (folder / 'rgb').glob('*/[!.]*.png')]
    sizes = []
    for name in names[:: max(1, len(names) // _WEIGHED)]:
        files = [folder / layer / name for layer in layers]
        if all(file.is_file() for file in files):
            sizes.append(sum(file.stat().st_size for file in files))
    return sum(sizes) / len(sizes) if sizes else None


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that a folder, which may not exist yet, will be on."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def in_words(size: float) -> str:
    """Write a number of bytes for people, '1.3 MB'."""
    for unit in _UNITS[:-1]:
        if size < _THOUSAND:
            return f'{size:.0f} {unit}' if unit == 'B' else f'{size:.1f} {unit}'
        size /= _THOUSAND
    return f'{size:.1f} {_UNITS[-1]}'
