"""Colours of label images as label values, exactly: a colour that is not listed is an error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ['Palette', 'Rgb']

Rgb = tuple[int, int, int]

_UNKNOWN = -1
# More unlisted colours than this come from blending, not from classes that were forgotten.
_MANY = 16


@dataclass(frozen=True)
class Palette:
    """The colours of a data set's label values.

    Attributes:
        colours: name -> R, G, B.
        values: name -> label value, 0..255.
    """

    colours: dict[str, Rgb]
    values: dict[str, int]

    @classmethod
    def from_colours(
        cls, colours: Mapping[str, Rgb], values: Mapping[str, int] | None = None
    ) -> Palette:
        """Check a palette; without values the names are numbered from 0 in their order.

        Raises:
            LaneSegError: more than 256 names, a colour out of range, or one with two names.
        """
        names: dict[Rgb, str] = {}
        if not 1 <= len(colours) <= 256:
            raise LaneSegError(f'expected a palette of 1 to 256 names, found {len(colours)}')
        for name, rgb in colours.items():
            if len(rgb) != 3 or not all(0 <= level <= 255 for level in rgb):
                raise LaneSegError(
                    f'expected R, G, B of 0..255 for {name!r}, found {list(rgb)}; correct the '
                    'palette'
                )
            if rgb in names:
                raise LaneSegError(
                    f'expected a colour of its own for each name, found {_text(rgb)} for '
                    f'{names[rgb]!r} and {name!r}; correct the palette'
                )
            names[rgb] = name
        if values is None:
            values = {name: index for index, name in enumerate(colours)}
        return cls(dict(colours), {name: values[name] for name in colours})

    def values_from_colours(
        self, label: NDArray[np.uint8], source: str | Path
    ) -> NDArray[np.uint8]:
        """Turn colours into label values.

        Args:
            label: (H, W, 3) uint8 BGR, or (H, W) uint8 grey.
            source: the file, for the error.

        Returns:
            (H, W) uint8 label values.

        Raises:
            LaneSegError: a colour is not in the palette; it, its pixels, the file and the nearest
                entry are named.
        """
        if label.ndim == 2:
            label = np.repeat(label[..., None], 3, axis=2)
        blue, green, red = (label[..., channel].astype(np.int32) for channel in range(3))
        packed = red << 16 | green << 8 | blue
        values = self._table[packed]
        if values.min() == _UNKNOWN:
            raise self._unknown(packed[values == _UNKNOWN], source)
        return values.astype(np.uint8)

    @cached_property
    def _table(self) -> NDArray[np.int16]:
        """Label value of each colour that there is: 32 MB, and one look-up for a pixel."""
        table = np.full(1 << 24, _UNKNOWN, np.int16)
        for name, (red, green, blue) in self.colours.items():
            table[red << 16 | green << 8 | blue] = self.values[name]
        return table

    def _unknown(self, packed: NDArray[np.int32], source: str | Path) -> LaneSegError:
        found, counts = np.unique(packed, return_counts=True)
        commonest = int(found[counts.argmax()])
        rgb = (commonest >> 16, commonest >> 8 & 255, commonest & 255)
        near = min(
            self.colours,
            key=lambda name: sum(
                (a - b) ** 2 for a, b in zip(self.colours[name], rgb, strict=True)
            ),
        )
        others = f' and {len(found) - 1} other colours' if len(found) > 1 else ''
        if len(found) > _MANY:
            mend = (
                'so many point to a label that was scaled with blending or was once a JPEG: '
                'make it again from its source'
            )
        else:
            mend = 'correct the label, or add the colour to the palette'
        return LaneSegError(
            f'{source}: expected colours of the palette, found R,G,B {_text(rgb)} in '
            f'{counts.max()} pixels{others}; the nearest entry is {near!r} with '
            f'{_text(self.colours[near])}; {mend}'
        )


def _text(rgb: Rgb) -> str:
    return ','.join(str(level) for level in rgb)
