"""Pictures that come twice: in train and val, in one set, or with two different labels."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from lane_seg_train.data_tools.chosen_sets import TRAIN, VAL
from lane_seg_train.data_tools.findings import Finding
from lane_seg_train.data_tools.likeness import most_alike, repeats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lane_seg_train.data_tools.chosen_sets import ChosenSet
    from lane_seg_train.data_tools.likeness import Alike
    from lane_seg_train.data_tools.pair_facts import PairFacts

__all__ = ['contradictions', 'leaks', 'repetitions', 'shared_seeds']


def leaks(
    train: Mapping[str, Sequence[PairFacts]], val: Mapping[str, Sequence[PairFacts]], near: float
) -> list[Finding]:
    """Training images that a validation set holds as well: the file, a copy, or a look-alike.

    Args:
        train: facts of the pairs of each training set, by its key.
        val: the same of the validation sets.
        near: correlation from which on two pictures count as the same.

    Returns:
        One finding for each such training image, which names the validation image.
    """
    seen = [(key, facts) for key, pairs in train.items() for facts in pairs if facts.fingerprint]
    held = [(key, facts) for key, pairs in val.items() for facts in pairs if facts.fingerprint]
    files = {facts.pair.image.resolve(): _named(key, facts) for key, facts in held}
    digests = {facts.image_sha256: _named(key, facts) for key, facts in held}
    alike = {
        pair.first: pair
        for pair in most_alike(
            [facts.fingerprint for _, facts in seen if facts.fingerprint],
            [facts.fingerprint for _, facts in held if facts.fingerprint],
            near=near,
        )
    }
    findings = []
    for index, (key, facts) in enumerate(seen):
        kind, text = '', ''
        if same := files.get(facts.pair.image.resolve()):
            kind, text = 'same_file', f'is {same}'
        elif same := digests.get(facts.image_sha256):
            kind, text = 'same_image', f'byte for byte {same}'
        elif pair := alike.get(index):
            kind, text = 'near_duplicate', f'{_alike(pair)} {_named(*held[pair.second])}'
        if kind:
            findings.append(Finding(kind, key, facts.pair.name, text, leave_out=True))
    return findings


def contradictions(key: str, pairs: Sequence[PairFacts]) -> list[Finding]:
    """Pairs of one set whose images are equal byte for byte, and whose labels are not.

    Args:
        key: of the data set.
        pairs: facts of its pairs.
    """
    by_image: dict[str, list[PairFacts]] = defaultdict(list)
    for facts in pairs:
        if not facts.fault:
            by_image[facts.image_sha256].append(facts)
    return [
        Finding(
            'contradiction', key, facts.pair.name,
            'same image as ' + ', '.join(
                other.pair.name for other in equal if other is not facts
            ),
            leave_out=True,
        )
        for equal in by_image.values()
        if len({facts.label_sha256 for facts in equal}) > 1
        for facts in equal
    ]  # fmt: skip


def repetitions(pairs: Sequence[PairFacts], near: float) -> list[tuple[PairFacts, PairFacts]]:
    """The images of one set that show again what an earlier one shows, each after that one.

    Args:
        pairs: facts of its pairs, in order.
        near: correlation from which on two pictures count as the same.
    """
    seen = [facts for facts in pairs if facts.fingerprint]
    found = repeats([facts.fingerprint for facts in seen if facts.fingerprint], near=near)
    return [(seen[pair.first], seen[pair.second]) for pair in found]


def shared_seeds(scenes: Sequence[tuple[ChosenSet, Sequence[str]]]) -> list[Finding]:
    """Sets of the road scene that render the same frames for train and for val.

    Args:
        scenes: data sets without files, with the names of their frames.
    """
    findings = []
    for chosen, names in scenes:
        for other, held in scenes:
            shared = [name for name in names if name in set(held)]
            if chosen.part == TRAIN and other.part == VAL and shared:
                text = f'{len(shared)} frames are also in {other.key}, for example {shared[0]}'
                findings.append(Finding('same_seed', chosen.key, '', text))
    return findings


def _named(key: str, facts: PairFacts) -> str:
    return f'{key} {facts.pair.name}'


def _alike(pair: Alike) -> str:
    mirror = 'mirrored: ' if pair.mirrored else ''
    return f'{mirror}correlation {pair.correlation:.3f}, {pair.difference:.1f} grey levels from'
