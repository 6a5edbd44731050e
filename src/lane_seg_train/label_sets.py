"""Labels as sets: what each label value of a data set allows a pixel to be.

Some data marks lanes only, some roads only, some everything. A label value therefore stands for
the set of classes that the pixel may be. A label image becomes a *target* image, (H, W) uint8:

- ids 0..C-1 mean exactly that class, so that the target of fully labelled data is a mask;
- 255 (`ANY_ID`) means any class: the pixel says nothing and is ignored;
- ids C..254 mean sets such as "road or lane_marking", numbered for each data set in the order in
  which its configuration names them, so that they are the same in every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ['ANY', 'ANY_ID', 'OTHER', 'LabelTable', 'class_set']

ANY = 'any'
ANY_ID = 255
OTHER = 'other'


def class_set(names: str | Sequence[str], classes: Sequence[str]) -> tuple[int, ...]:
    """Return the ids of a set of class names, rising; the word 'any' stands for all of them.

    Raises:
        LaneSegError: no name at all, or one that is no class; the nearest class is named.
    """
    if isinstance(names, str):
        names = [names]
    if list(names) == [ANY]:
        return tuple(range(len(classes)))
    unknown = [name for name in names if name not in classes]
    if unknown or not names:
        hint = nearest(unknown[0], classes) if unknown else ''
        raise LaneSegError(
            f'expected class names out of {list(classes)} or "{ANY}", found {list(names)}{hint}'
        )
    return tuple(sorted({classes.index(name) for name in names}))


@dataclass(frozen=True)
class LabelTable:
    """Label values of one data set and the class sets they stand for.

    Attributes:
        classes: class names, in the order of their ids; 2 to 254.
        values: label value (0..255) -> target id.
        other: target id of every value that is not listed, or None if such a value is an error.
        composites: class ids of each set of two or more classes; the first has target id C.
        names: what the data set calls its label values -> the value, or several; for messages.
    """

    classes: tuple[str, ...]
    values: dict[int, int]
    other: int | None
    composites: tuple[tuple[int, ...], ...]
    names: dict[str, int | tuple[int, ...]]

    @classmethod
    def from_config(
        cls,
        labels: Mapping[str | int, str | Sequence[str]],
        classes: Sequence[str],
        names: Mapping[str, int | tuple[int, ...]] | None = None,
    ) -> LabelTable:
        """Read `{255: [lane_marking], other: [background, road]}` as YAML gives it.

        Args:
            labels: label value, its name, or 'other' -> class names, or 'any'.
            classes: class names in the order of their ids.
            names: what the data set calls its label values; a key may be one of these names. A
                name may stand for several values, such as all that are void.

        Raises:
            LaneSegError: a key that is neither, a class that is not known, a value that is given
                twice with two meanings, or more sets than there are ids.
        """
        names = dict(names or {})
        if not 2 <= len(classes) < ANY_ID or len(set(classes)) < len(classes):
            raise LaneSegError(
                f'expected 2 to {ANY_ID - 1} different classes, found {len(classes)}: '
                f'{list(classes)[:8]}'
            )
        if not labels:
            raise LaneSegError('expected "labels" with a meaning for each label value, found none')
        composites: list[tuple[int, ...]] = []
        values: dict[int, int] = {}
        other = None
        for key, meaning in labels.items():
            target = _target_id(class_set(meaning, classes), len(classes), composites)
            if key == OTHER:
                other = target
                continue
            for value in _label_values(key, names):
                if values.setdefault(value, target) != target:
                    raise LaneSegError(
                        f'expected one meaning for each label value, found two for {key!r}, which '
                        f'is value {value}; keep one of them'
                    )
        return cls(tuple(classes), values, other, tuple(composites), names)

    def target_from_label(
        self, label: NDArray[np.uint8], source: str = 'label'
    ) -> NDArray[np.uint8]:
        """Turn a label image into a target image.

        Args:
            label: (H, W) uint8 label values.
            source: file name for the error message.

        Returns:
            (H, W) uint8 target ids.

        Raises:
            LaneSegError: the label holds a value that the table does not know.
        """
        if self.other is None and not (known := self._known[label]).all():
            unknown = np.unique(label[~known])
            shown = ', '.join(self._named(int(value)) for value in unknown[:8])
            expected = ', '.join(self._named(value) for value in sorted(self.values))
            raise LaneSegError(
                f'{source}: expected label values {expected}, found {shown}; '
                f'list them in the data set\'s "labels", or add "{OTHER}: [...]"'
            )
        return self._lookup[label]

    @cached_property
    def sets(self) -> NDArray[np.bool_]:
        """What each target id allows, (256, C) bool: row i holds the classes of id i.

        Row 255 is all True; rows of ids that this data set cannot produce are all False.
        """
        rows = np.zeros((256, len(self.classes)), np.bool_)
        for target in self._produced():
            rows[target, list(self._members(target))] = True
        rows[ANY_ID] = True
        return rows

    def defined_classes(self) -> tuple[bool, ...]:
        """For each class: does some label value mean exactly this class and nothing else?"""
        produced = self._produced()
        return tuple(index in produced for index in range(len(self.classes)))

    def set_names(self) -> list[str]:
        """Names of the sets that labels of this table can mean, but for 'any', by target id."""
        return [self.name_of(target) for target in sorted(self._produced() - {ANY_ID})]

    def name_of(self, target: int) -> str:
        """Readable name of a target id: 'road', 'road+lane_marking' or 'any'."""
        if target == ANY_ID:
            return ANY
        return '+'.join(self.classes[index] for index in self._members(target))

    def _members(self, target: int) -> tuple[int, ...]:
        if target == ANY_ID:
            return tuple(range(len(self.classes)))
        if target < len(self.classes):
            return (target,)
        return self.composites[target - len(self.classes)]

    def _produced(self) -> set[int]:
        return {*self.values.values()} | (set() if self.other is None else {self.other})

    @cached_property
    def _lookup(self) -> NDArray[np.uint8]:
        lookup = np.full(256, ANY_ID if self.other is None else self.other, np.uint8)
        for value, target in self.values.items():
            lookup[value] = target
        return lookup

    @cached_property
    def _known(self) -> NDArray[np.bool_]:
        known = np.zeros(256, np.bool_)
        known[list(self.values)] = True
        return known

    def _named(self, value: int) -> str:
        name = next((name for name, known in self.names.items() if known == value), None)
        return str(value) if name is None else f'{value} ({name})'


def _target_id(
    members: tuple[int, ...], num_classes: int, composites: list[tuple[int, ...]]
) -> int:
    if len(members) == num_classes:
        return ANY_ID
    if len(members) == 1:
        return members[0]
    if members not in composites:
        composites.append(members)
    target = num_classes + composites.index(members)
    if target >= ANY_ID:
        raise LaneSegError(
            f'expected at most {ANY_ID - num_classes} sets of several classes beside '
            f'{num_classes} classes, found more; name fewer different sets in "labels"'
        )
    return target


def _label_values(key: object, names: Mapping[str, int | tuple[int, ...]]) -> tuple[int, ...]:
    if isinstance(key, str) and key in names:
        value = names[key]
        return value if isinstance(value, tuple) else (value,)
    if type(key) is int and 0 <= key <= 255:
        return (key,)
    if names and isinstance(key, str):
        known = ', '.join(names)
        raise LaneSegError(
            f'expected a label name of the data set, a value 0..255 or "{OTHER}", found {key!r}'
            f'{nearest(key, list(names)) or f"; its names are: {known}"}'
        )
    raise LaneSegError(f'expected a label value 0..255 or "{OTHER}", found {key!r}')
