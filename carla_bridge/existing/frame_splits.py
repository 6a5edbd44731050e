"""Splits of frames whose place nobody knows: blocks of neighbours, with a gap between splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from carla_bridge.recording.blocks import dealt

__all__ = ['splits_of_frames']


def splits_of_frames(
    groups: Sequence[str],
    fractions: Mapping[str, float],
    *,
    block: int,
    gap: int,
    seed: int,
) -> list[str | None]:
    """Deal frames out to splits, block by block.

    Args:
        groups: drive of each frame; the frames of a drive stand together, in the order of time.
        fractions: {split: share}.
        block: frames that follow each other and belong to one split.
        gap: frames at least between two splits of a drive, which belong to none.
        seed: of the order in which blocks are dealt.

    Returns:
        The split of each frame, or None for those within a gap.
    """
    begins: dict[str, int] = {}
    block_of: list[str] = []
    for index, group in enumerate(groups):
        inside = index - begins.setdefault(group, index)
        block_of.append(f'{group}/{inside // block}')
    weights: dict[str, int] = {}
    for name in block_of:
        weights[name] = weights.get(name, 0) + 1
    split_of_block = dealt(weights, fractions, seed=seed)
    splits: list[str | None] = [split_of_block[name] for name in block_of]
    for index in range(1, len(groups)):
        before, behind = split_of_block[block_of[index - 1]], split_of_block[block_of[index]]
        if groups[index] == groups[index - 1] and before != behind:
            # The gap is cut out of both sides alike.
            for other in range(max(0, index - gap // 2), min(len(groups), index + gap - gap // 2)):
                if groups[other] == groups[index]:
                    splits[other] = None
    return splits
