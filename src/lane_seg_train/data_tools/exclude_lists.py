"""Lists of pairs to leave out, as `exclude` of a data set takes them. No image is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.files import write_text
from lane_seg_train.data_tools.chosen_sets import file_name
from lane_seg_train.data_tools.findings import KINDS
from lane_seg_train.datasets.selection import listed_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lane_seg_train.data_tools.chosen_sets import ChosenSet
from lane_seg_train.data_tools.findings import Finding

__all__ = ['ExcludeList', 'write_exclude_lists']


@dataclass(frozen=True)
class ExcludeList:
    """One written list.

    Attributes:
        path: the file.
        count: number of names that the check added.
        setting: what to give `lane-seg train` as --set.
    """

    path: Path
    count: int
    setting: str


def write_exclude_lists(
    findings: Sequence[Finding], chosen: Sequence[ChosenSet], root: Path, folder: Path
) -> list[ExcludeList]:
    """Write a list for each data set in which leaving out pairs mends something.

    What the set left out before stays left out. Of a training image that validation holds as well,
    the training side is left out.

    Args:
        findings: of a check.
        chosen: the sets that were checked.
        root: the folder that --data names.
        folder: gets a file for each such set, replaced if it exists.

    Raises:
        LaneSegError: the `exclude` of a set cannot be read.
    """
    written = []
    for item in chosen:
        reasons: dict[str, str] = {}
        for finding in findings:
            if finding.set_key == item.key and finding.leave_out:
                reasons.setdefault(finding.name, KINDS[finding.kind].title)
        if not reasons:
            continue
        before = listed_names(root / item.config.exclude) if item.config.exclude else []
        lines = [f'# {item.key}: pairs to leave out, by `lane-seg data check`']
        if before:
            lines += ['', f'# left out before ({item.config.exclude})', *before]
        for title in dict.fromkeys(reasons.values()):
            names = [name for name, reason in reasons.items() if reason == title]
            lines += ['', f'# {title}', *names]
        path = folder / f'{file_name(item.key)}.txt'
        write_text(path, '\n'.join(lines) + '\n')
        setting = f'{item.part}.{item.index}.exclude={_below(path, root)}'
        written.append(ExcludeList(path, len(reasons), setting))
    return written


def _below(path: Path, root: Path) -> str:
    """The path as a recipe names it: below --data if it lies there, else whole."""
    whole, base = path.resolve(), root.resolve()
    return str(whole.relative_to(base) if whole.is_relative_to(base) else whole)
