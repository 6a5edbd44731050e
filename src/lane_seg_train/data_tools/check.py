"""Look for faults in the data sets of a recipe, all of them, and not only the first."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg_train.data_tools.chosen_sets import TRAIN, VAL, ChosenSet
from lane_seg_train.data_tools.findings import Finding
from lane_seg_train.data_tools.leaks import contradictions, leaks, repetitions, shared_seeds
from lane_seg_train.data_tools.likeness import NEAR
from lane_seg_train.data_tools.meanings import foreground_ids, meaning
from lane_seg_train.data_tools.pair_facts import PairFacts, facts_of
from lane_seg_train.data_tools.parallel import mapped
from lane_seg_train.data_tools.value_use import ValueUse, value_uses
from lane_seg_train.datasets import LaneData
from lane_seg_train.datasets.selection import evenly_spaced, selected_by_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.datasets import Pair

__all__ = ['CheckedSet', 'Report', 'check']


@dataclass(frozen=True)
class CheckedSet:
    """What was found out about one data set.

    Attributes:
        key: 'train/camvid_road'.
        pairs: number of pairs that the recipe selects.
        rendered: whether it has no files, as the road scene.
        note: what its reader found out about the labels.
        sizes: (height, width) of images in pixels -> number of images.
        values: one for each key of its `labels`.
        repeats: number of images that show again what an earlier one shows.
    """

    key: str
    pairs: int
    rendered: bool
    note: str
    sizes: dict[tuple[int, int], int]
    values: list[ValueUse]
    repeats: int


@dataclass(frozen=True)
class Report:
    """Result of a check.

    Attributes:
        classes: names in the order of their ids.
        sets: what was checked.
        findings: set by set.
    """

    classes: tuple[str, ...]
    sets: list[CheckedSet]
    findings: list[Finding]

    @property
    def faults(self) -> list[Finding]:
        """The findings that are faults."""
        return [finding for finding in self.findings if finding.is_fault]


@dataclass
class _Work:
    """A data set in the course of a check."""

    chosen: ChosenSet
    data: LaneData
    pairs: list[Pair]
    orphans: list[Path]
    facts: list[PairFacts] = field(default_factory=list)

    @property
    def sound(self) -> list[PairFacts]:
        return [facts for facts in self.facts if not facts.fault]


def check(
    config: TrainConfig,
    chosen: Sequence[ChosenSet],
    root: Path,
    *,
    near: float = NEAR,
    workers: int = 0,
) -> Report:
    """Read every pair of data sets and collect what is wrong with them.

    Frames of the road scene are not rendered: their labels are exact by construction. Of them only
    the seeds are compared.

    Args:
        config: the recipe.
        chosen: its sets to check.
        root: the folder that --data names.
        near: correlation of small grey pictures from which on two images count as the same.
        workers: processes that read; 0 takes one for each core.
    """
    findings: list[Finding] = []
    works = [work for item in chosen if (work := _listed(item, config, root, findings))]
    jobs = [
        (index, pair)
        for index, work in enumerate(works)
        if work.data.reader.has_files
        for pair in work.pairs
    ]
    sets = [work.data for work in works]
    results = mapped(facts_of, sets, jobs, text=f'checking {len(jobs)} pairs', workers=workers)
    for (index, _), facts in zip(jobs, results, strict=True):
        works[index].facts.append(facts)
    findings += _orphans(works)
    checked = []
    for work in works:
        uses = value_uses(
            work.data, [facts.values for facts in work.sound if facts.values is not None]
        )
        again = repetitions(work.facts, near)
        checked.append(_checked(work, uses, len(again)))
        findings += _of_pairs(work)
        findings += _unused(work, uses)
        findings += contradictions(work.chosen.key, work.facts)
        findings += _repeated(work, again)
    in_part = {
        part: {work.chosen.key: _taken(work) for work in works if work.chosen.part == part}
        for part in (TRAIN, VAL)
    }
    findings += leaks(in_part[TRAIN], in_part[VAL], near)
    scenes = [work for work in works if not work.data.reader.has_files]
    findings += shared_seeds([(work.chosen, work.data.names) for work in scenes])
    findings += _unlearnable(config, works)
    return Report(config.classes, checked, findings)


def _listed(
    chosen: ChosenSet, config: TrainConfig, root: Path, findings: list[Finding]
) -> _Work | None:
    """Open a data set and list its pairs, or say why that cannot be done."""
    try:
        size = (config.height, config.width)
        data = LaneData(chosen.config, config.classes, size, root)
        pairs = selected_by_name(data.reader.pairs(), chosen.config, root)
        orphans = data.reader.orphans()
    except LaneSegError as error:
        findings.append(Finding('unusable', chosen.key, '', str(error)))
        return None
    if not chosen.config.foreground:
        pairs = evenly_spaced(pairs, chosen.config.limit)
    return _Work(chosen, data, pairs, orphans)


def _orphans(works: Sequence[_Work]) -> list[Finding]:
    """Labels without an image; those of a folder that two data sets share are named once."""
    first: dict[tuple[str, Path], str] = {}
    for work in works:
        for path in work.orphans:
            kind = 'strict' if work.chosen.config.strict else 'no_image'
            first.setdefault((kind, path), work.chosen.key)
    return [Finding(kind, key, path.stem, str(path)) for (kind, path), key in first.items()]


def _taken(work: _Work) -> list[PairFacts]:
    """The facts of the pairs that training or validation really takes."""
    if not work.chosen.config.foreground:
        return work.facts
    try:
        names = set(work.data.names)
    except LaneSegError:  # the faulty pair is reported as such
        return work.facts
    return [facts for facts in work.facts if facts.pair.name in names]


def _of_pairs(work: _Work) -> list[Finding]:
    """Faults of single pairs, and labels without foreground."""
    key = work.chosen.key
    findings = [
        Finding(facts.fault, key, facts.pair.name, facts.text, leave_out=True)
        for facts in work.facts
        if facts.fault
    ]
    is_foreground = foreground_ids(work.data.table)
    # Of data that marks nothing but background, every label is without foreground.
    if not is_foreground.any():
        return findings
    for facts in work.sound:
        if facts.targets is not None and not facts.targets[is_foreground].any():
            held = np.flatnonzero(facts.targets).tolist()
            only = ', '.join(meaning(work.data.table, target) for target in held)
            findings.append(Finding('empty', key, facts.pair.name, f'only {only}'))
    return findings


def _repeated(work: _Work, again: Sequence[tuple[PairFacts, PairFacts]]) -> list[Finding]:
    if not again:
        return []
    copies = sum(first.image_sha256 == second.image_sha256 for first, second in again)
    exact = f', {copies} of them byte for byte' if copies else ''
    first, second = again[0]
    text = (
        f'{len(again)} of {len(work.facts)} images{exact}; for example {second.pair.name} '
        f'shows what {first.pair.name} shows'
    )
    return [Finding('repeated', work.chosen.key, '', text)]


def _unused(work: _Work, uses: Sequence[ValueUse]) -> list[Finding]:
    if not work.sound:
        return []
    return [
        Finding(
            'unused_value', work.chosen.key, '', f'{use.key} ({use.means}): in none of '
            f'{len(work.sound)} labels',
        )
        for use in uses
        if not use.pixels
    ]  # fmt: skip


def _unlearnable(config: TrainConfig, works: Sequence[_Work]) -> list[Finding]:
    """Classes that no training set marks; said only if all of these sets were checked."""
    works = [work for work in works if work.chosen.part == TRAIN]
    if len(works) < len(config.train):
        return []
    marked: dict[int, int] = defaultdict(int)
    for work in works:
        if not work.data.reader.has_files:
            for index, is_defined in enumerate(work.data.table.defined_classes()):
                marked[index] += is_defined
        for facts in work.sound:
            for index in range(len(config.classes)):
                marked[index] += int(facts.targets[index] if facts.targets is not None else 0)
    return [
        Finding('unlearnable', TRAIN, '', f'{name} (class {index})')
        for index, name in enumerate(config.classes)
        if not marked[index]
    ]


def _checked(work: _Work, uses: list[ValueUse], repeats: int) -> CheckedSet:
    sizes = Counter(facts.size for facts in work.facts if facts.size)
    return CheckedSet(
        work.chosen.key,
        len(work.pairs),
        not work.data.reader.has_files,
        work.data.reader.found(),
        dict(sizes.most_common()),
        uses,
        repeats,
    )
