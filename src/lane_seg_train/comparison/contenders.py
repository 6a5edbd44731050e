"""Who is compared: one recipe with another network each time, on the same budget."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest
from lane_seg_train.config import NetConfig
from lane_seg_train.config_file import with_overrides
from lane_seg_train.trainer.order import EpochOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lane_seg_train.config import TrainConfig

__all__ = ['Budget', 'Contender', 'budget_of', 'contenders', 'with_steps']

# Not in the name of a folder, for they would lead elsewhere.
_NO_SIGNS = ('/', '\\')


@dataclass(frozen=True)
class Contender:
    """A network that is trained for the comparison.

    Attributes:
        label: its name in the comparison, and of its folder.
        config: the whole run.
    """

    label: str
    config: TrainConfig


@dataclass(frozen=True)
class Budget:
    """What each contender is given.

    Attributes:
        epochs: passes over the share of the data.
        steps: optimizer steps.
        images: images seen, augmented anew each time.
        batch_size: images of one step.
    """

    epochs: int
    steps: int
    images: int
    batch_size: int


def contenders(
    recipe: TrainConfig,
    nets: Sequence[str],
    *,
    settings: Sequence[str] = (),
    net_settings: Sequence[str] = (),
    known: Sequence[str] = (),
) -> list[Contender]:
    """Make a run of each network.

    A network of the recipe's own name takes the recipe's settings of it, any other one its
    defaults; everything else is the recipe's.

    Args:
        recipe: the run that is varied.
        nets: network names, or label=name where one name takes part several times.
        settings: key=value for all of them.
        net_settings: label.key=value of one network.
        known: names that `build_net` knows.

    Raises:
        LaneSegError: a name that is not known or given twice, or a setting that does not fit.
    """
    labels: dict[str, str] = {}
    for text in nets:
        label, _, name = text.partition('=')
        name = name or label
        if name not in known:
            hint = nearest(name, known)
            raise LaneSegError(
                f'--nets: expected networks out of {", ".join(known)}, found {name!r}{hint}'
            )
        is_bad = not label or label.startswith('.') or any(sign in label for sign in _NO_SIGNS)
        if label in labels or is_bad:
            raise LaneSegError(
                '--nets: expected a different label for each network, good as a folder name, '
                f'found {label!r}; several of one name: small={name} large={name}'
            )
        labels[label] = name
    own: dict[str, list[str]] = {label: [] for label in labels}
    for setting in net_settings:
        label, dot, rest = setting.partition('.')
        if not dot or label not in own:
            raise LaneSegError(
                f'--net-set: expected LABEL.key=value with a label out of {", ".join(own)}, '
                f'found {setting!r}'
            )
        own[label].append(f'net.{rest}')
    made = []
    for label, name in labels.items():
        net = recipe.net
        if name != net.name:
            net = NetConfig(name=name, in_channels=net.in_channels)
        config = dataclasses.replace(recipe, name=label, net=net)
        config = with_overrides(config, [*settings, *own[label]])
        if (config.name, config.net.name) != (label, name):
            raise LaneSegError('--set: expected other keys than name and net.name; use --nets')
        made.append(Contender(label, config))
    return made


def budget_of(config: TrainConfig, counts: Sequence[int]) -> Budget:
    """Work out what a run of a configuration is given.

    Args:
        config: the run.
        counts: number of images of each of its training sets.
    """
    order = EpochOrder(
        counts=tuple(counts),
        repeats=tuple(data.repeat for data in config.train),
        share=config.epoch_share,
        batch_size=config.batch_size,
        periods=config.validations_per_epoch,
        seed=config.seed,
    )
    batches = order.batches_per_period * config.validations_per_epoch
    steps = -(-order.batches_per_period // config.accumulate) * config.validations_per_epoch
    return Budget(
        epochs=config.epochs,
        steps=config.epochs * steps,
        images=config.epochs * batches * config.batch_size,
        batch_size=config.batch_size,
    )


def with_steps(config: TrainConfig, counts: Sequence[int], steps: int) -> TrainConfig:
    """Change epochs and the share of the data in them so that a run has about so many steps.

    Exactly so many cannot always be had: every epoch has equally many steps. The warm-up keeps
    its share of the run.

    Args:
        config: the run.
        counts: number of images of each of its training sets.
        steps: optimizer steps, at least 1.

    Raises:
        LaneSegError: fewer than one step.
    """
    if steps < 1:
        raise LaneSegError(f'--steps: expected at least 1, found {steps}')
    whole = dataclasses.replace(config, epochs=1, epoch_share=1.0)
    epochs = -(-steps // budget_of(whole, counts).steps)
    periods = config.validations_per_epoch
    # Whole steps between two validations: a share that ends within a batch is filled up.
    steps_per_period = max(1, round(steps / (epochs * periods)))
    images = steps_per_period * periods * config.accumulate * config.batch_size
    shown = sum(round(n * data.repeat) for n, data in zip(counts, config.train, strict=True))
    schedule = config.schedule
    warmup = schedule.warmup_epochs * epochs / config.epochs
    return dataclasses.replace(
        config,
        epochs=epochs,
        epoch_share=min(1.0, images / shown),
        schedule=dataclasses.replace(schedule, warmup_epochs=warmup),
    )
