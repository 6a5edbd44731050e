"""Small batches with labels of every kind, for tests of losses."""

from __future__ import annotations

import torch

from lane_seg_train.config import LossConfig
from lane_seg_train.losses import allowed_from_targets, build_loss, defined_from_sets

CLASSES = ('background', 'road', 'lane_marking')
C = len(CLASSES)
# Target ids of composite sets: {background, road}, {road, lane_marking}; all three, and none.
NOT_LANE, NOT_BACKGROUND, ALL, NONE, ANY = 3, 4, 5, 6, 255
SHAPE = (2, 4, 5)


def set_table(*, defines: tuple[int, ...] = (0, 1, 2)) -> torch.Tensor:
    """(256, C) bool, of a data set that marks these classes alone."""
    table = torch.zeros(256, C, dtype=torch.bool)
    for index in defines:
        table[index, index] = True
    table[NOT_LANE, [0, 1]] = True
    table[NOT_BACKGROUND, [1, 2]] = True
    table[[ALL, ANY]] = True
    return table


def full_sets(images: int) -> torch.Tensor:
    return set_table().expand(images, -1, -1)


def loss_of(
    name: str,
    logits: torch.Tensor,
    target: torch.Tensor,
    sets: torch.Tensor | None = None,
    **settings: object,
) -> torch.Tensor:
    """The total of a loss by its name."""
    sets = full_sets(len(target)) if sets is None else sets
    config = LossConfig(name=name, **settings)  # type: ignore[arg-type]
    total, _ = build_loss(config, CLASSES)(
        logits, allowed_from_targets(target, sets), defined_from_sets(sets)
    )
    return total


def random_logits(
    seed: int, shape: tuple[int, ...] = SHAPE, *, scale: float = 2.0
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape[0], C, *shape[1:], generator=generator) * scale


def random_classes(seed: int, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    """Targets with one class each."""
    return torch.randint(0, C, shape, generator=torch.Generator().manual_seed(seed)).byte()


def random_target(seed: int, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    """Targets of single classes, composite sets and ignored pixels."""
    kinds = torch.tensor([0, 1, 2, NOT_LANE, NOT_BACKGROUND, ANY], dtype=torch.uint8)
    pick = torch.randint(0, len(kinds), shape, generator=torch.Generator().manual_seed(seed))
    return kinds[pick]


def certain(mask: torch.Tensor, strength: float = 20.0) -> torch.Tensor:
    """Logits of a network that is sure of the class ids of a mask."""
    hot = torch.nn.functional.one_hot(mask.long(), C).movedim(-1, 1)
    return strength * (2.0 * hot - 1)


def whole(value: int, shape: tuple[int, ...] = (1, 2, 2)) -> torch.Tensor:
    return torch.full(shape, value, dtype=torch.uint8)
