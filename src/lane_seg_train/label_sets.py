"""Labels as sets: what each label value of a data set allows a pixel to be.

Some data marks lanes only, some roads only, some everything. A label value therefore stands for
the set of classes that the pixel may be, kept as a bit mask (bit c set: class c is possible). A
pixel with every bit set says nothing and is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ['LabelTable', 'bits_from_names']

ANY = 'any'
OTHER = 'other'


def bits_from_names(names: str | Sequence[str], classes: Sequence[str]) -> int:
    """Return the bit mask of a set of class names; the word 'any' stands for all of them."""
    if isinstance(names, str):
        names = [names]
    if list(names) == [ANY]:
        return (1 << len(classes)) - 1
    unknown = [name for name in names if name not in classes]
    if unknown or not names:
        raise LaneSegError(
            f'expected class names out of {list(classes)} or "{ANY}", found {list(names)}'
        )
    return sum(1 << classes.index(name) for name in set(names))


@dataclass(frozen=True)
class LabelTable:
    """Label values of one data set and the class sets they stand for.

    Attributes:
        classes: class names, in the order of their ids; at most 8.
        values: label value (0..255) -> bit mask.
        other: bit mask of every value that is not listed, or None if such a value is an error.
    """

    classes: tuple[str, ...]
    values: dict[int, int]
    other: int | None = None

    @classmethod
    def from_config(
        cls, labels: Mapping[str | int, str | Sequence[str]], classes: Sequence[str]
    ) -> LabelTable:
        """Read `{255: [lane_marking], other: [background, road]}` as YAML gives it."""
        if not 2 <= len(classes) <= 8:
            raise LaneSegError(f'expected 2 to 8 classes (one bit each), found {len(classes)}')
        values: dict[int, int] = {}
        other = None
        for key, names in labels.items():
            bits = bits_from_names(names, classes)
            if key == OTHER:
                other = bits
            elif type(key) is int and 0 <= key <= 255:
                values[key] = bits
            else:
                raise LaneSegError(f'expected a label value 0..255 or "{OTHER}", found {key!r}')
        return cls(tuple(classes), values, other)

    @property
    def all_bits(self) -> int:
        """The mask that allows everything: ignore this pixel."""
        return (1 << len(self.classes)) - 1

    def bits_from_label(
        self, label: NDArray[np.uint8], source: str = 'label'
    ) -> NDArray[np.uint8]:
        """Turn a label image into admissible sets.

        Args:
            label: (H, W) uint8 label values.
            source: file name for the error message.

        Returns:
            (H, W) uint8 bit masks, none of them 0.

        Raises:
            LaneSegError: the label holds a value that the table does not know.
        """
        lookup = np.zeros(256, np.uint8)
        if self.other is not None:
            lookup[:] = self.other
        for value, bits in self.values.items():
            lookup[value] = bits
        found = lookup[label]
        if self.other is None and not found.all():
            unknown = sorted({int(value) for value in np.unique(label[found == 0])})
            raise LaneSegError(
                f'{source}: expected label values {sorted(self.values)}, found {unknown[:8]}; '
                f'list them in the data set\'s "labels", or add "{OTHER}: [...]"'
            )
        return found

    def defined_classes(self) -> tuple[bool, ...]:
        """For each class: does some label value mean exactly this class and nothing else?"""
        sets = self._sets()
        return tuple(1 << index in sets for index in range(len(self.classes)))

    def set_names(self) -> list[str]:
        """Names of the sets that labels of this table can mean, but for 'any'."""
        sets = self._sets() - {self.all_bits}
        return [self.name_of(bits) for bits in sorted(sets)]

    def name_of(self, bits: int) -> str:
        """Readable name of a set: 'road' or 'road+lane_marking'."""
        return '+'.join(name for index, name in enumerate(self.classes) if bits >> index & 1)

    def _sets(self) -> set[int]:
        return {*self.values.values()} | (set() if self.other is None else {self.other})
