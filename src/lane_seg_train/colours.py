"""The colour of each class, the same in bundles, previews and snapshots."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lane_seg_train.config import TrainConfig

__all__ = ['COLOURS_BGR', 'class_colours', 'default_colours']

# Of the first classes: black, green, red, blue, magenta, yellow.
COLOURS_BGR = ((0, 0, 0), (60, 170, 0), (30, 60, 255), (255, 160, 0), (255, 0, 200), (0, 220, 255))
# Fractions of this step never repeat and lie far apart on the circle of hues.
GOLDEN_RATIO = 0.618033988749895


def default_colours(count: int) -> list[tuple[int, int, int]]:
    """Colours of `count` classes: (B, G, R), 0..255 each, all of them different up to 64."""
    colours = list(COLOURS_BGR[:count])
    for index in range(len(colours), count):
        hue = index * GOLDEN_RATIO % 1
        value = (1.0, 0.75, 0.55)[index % 3]
        red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, value)
        colours.append((round(255 * blue), round(255 * green), round(255 * red)))
    return colours


def class_colours(classes: Sequence[str], config: TrainConfig) -> list[tuple[int, int, int]]:
    """Colours of the classes of a run: those of the recipe, else our own.

    Args:
        classes: names in the order of their ids.
        config: `colours` maps names to (R, G, B).

    Returns:
        (B, G, R) of each class, 0..255.

    Raises:
        LaneSegError: a colour of something that is no class, or outside of 0..255.
    """
    unknown = [name for name in config.colours if name not in classes]
    wrong = [name for name, rgb in config.colours.items() if not all(0 <= c <= 255 for c in rgb)]
    if unknown or wrong:
        raise LaneSegError(
            f'colours: expected R, G, B of 0..255 for classes out of {list(classes)}, '
            f'found {(unknown or wrong)[0]!r}: {list(config.colours[(unknown or wrong)[0]])}'
        )
    return [
        config.colours[name][::-1] if name in config.colours else own
        for name, own in zip(classes, default_colours(len(classes)), strict=True)
    ]
