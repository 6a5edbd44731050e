"""The learning rate, step by step of the optimizer.

A schedule is sized in optimizer steps, so that gradient accumulation and the number of batches do
not matter to it. It climbs for `warmup_steps`, the last of which has the full rate, and then falls
until the last step of the run, which has exactly `final` times the full rate.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import LRScheduler

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from lane_seg_train.config import ScheduleConfig

__all__ = [
    'SCHEDULES',
    'WARMUPS',
    'PlateauSchedule',
    'StepSchedule',
    'build_schedule',
    'curve',
]

WARMUPS: dict[str, int] = {'linear': 1, 'quadratic': 2}  # name -> power


def _constant(_progress: float, _config: ScheduleConfig, _span: float) -> float:
    return 1.0


def _cosine(progress: float, config: ScheduleConfig, _span: float) -> float:
    """Loshchilov and Hutter 2016 (arXiv:1608.03983), without restarts."""
    return _down_to(config.final, (1 + math.cos(math.pi * progress)) / 2)


def _polynomial(progress: float, config: ScheduleConfig, _span: float) -> float:
    """The "poly" policy of DeepLab, Chen et al. 2016 (arXiv:1606.00915)."""
    return _down_to(config.final, (1 - progress) ** config.power)


def _exponential(progress: float, config: ScheduleConfig, _span: float) -> float:
    """Every step multiplies the rate by the same factor."""
    return config.final**progress


def _inverse_sqrt(progress: float, config: ScheduleConfig, span: float) -> float:
    """1 / sqrt(step) of Vaswani et al. 2017 (arXiv:1706.03762), stretched to end at `final`."""
    end = 1 / math.sqrt(1 + span)
    return _down_to(config.final, (1 / math.sqrt(1 + progress * span) - end) / (1 - end))


def _down_to(final: float, height: float) -> float:
    return final + (1 - final) * height


# Each gives the share of the full rate at a progress of 0 (end of warm-up) to 1 (last step); span
# is the number of steps in between, in units of the warm-up.
SCHEDULES: dict[str, Callable[[float, ScheduleConfig, float], float]] = {
    'constant': _constant,
    'cosine': _cosine,
    'polynomial': _polynomial,
    'exponential': _exponential,
    'inverse_sqrt': _inverse_sqrt,
    'plateau': _constant,  # until validations stop getting better
}


class StepSchedule(LRScheduler):
    """A learning rate that depends on the number of optimizer steps alone.

    Call `step()` after each step of the optimizer.

    Args:
        optimizer: whose rates it sets; those it has now are the full ones.
        share_of_step: steps done -> share of the full rate that the next step has.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, share_of_step: Callable[[int], float]
    ) -> None:
        self.share_of_step = share_of_step
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        """Learning rate of each parameter group."""
        share = self.share_of_step(self.last_epoch)
        return [rate * share for rate in self.base_lrs]

    def state_dict(self) -> dict[str, int | float]:
        """Plain numbers, which every checkpoint format takes."""
        return {'step': self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, int | float]) -> None:
        """Go on where `state_dict` was taken."""
        self.last_epoch = int(state_dict['step'])
        self._refresh()

    def _refresh(self) -> None:
        """Give the optimizer the rate of the present step."""
        rates = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group['lr'] = rate
        self._last_lr = rates


class PlateauSchedule(StepSchedule):
    """A rate that falls whenever validations stop getting better.

    It counts validations on its own: early stopping does not reset it, nor the reverse.

    Args:
        optimizer: as above.
        config: its `patience`, `factor` and `final`, below which the share never goes.
        share_of_step: share of the full rate without any fall.
        warmup_steps: while these last, validations do not make the rate fall.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        config: ScheduleConfig,
        share_of_step: Callable[[int], float],
        warmup_steps: int,
    ) -> None:
        self.config = config
        self.warmup_steps = warmup_steps
        self.best = -math.inf
        self.waited = 0  # validations since the best one, or since the last fall
        self.falls = 0
        super().__init__(optimizer, share_of_step)

    def get_lr(self) -> list[float | torch.Tensor]:
        """Learning rate of each parameter group."""
        share = max(self.config.final, self.config.factor**self.falls)
        return [share * rate for rate in super().get_lr()]

    def validated(self, score: float) -> None:
        """Report a validation; the next optimizer step already has the new rate.

        Args:
            score: the monitored metric; more is better, and NaN is not better than anything.
        """
        if score > self.best:
            self.best = score
            self.waited = 0
        elif self.last_epoch >= self.warmup_steps:
            self.waited += 1
        if self.waited >= self.config.patience:
            self.waited = 0
            self.falls += 1
            self._refresh()

    def state_dict(self) -> dict[str, int | float]:
        """Plain numbers, which every checkpoint format takes."""
        return {
            **super().state_dict(),
            'best': self.best,
            'waited': self.waited,
            'falls': self.falls,
        }

    def load_state_dict(self, state_dict: dict[str, int | float]) -> None:
        """Go on where `state_dict` was taken."""
        self.best = float(state_dict['best'])
        self.waited = int(state_dict['waited'])
        self.falls = int(state_dict['falls'])
        super().load_state_dict(state_dict)


def build_schedule(
    optimizer: torch.optim.Optimizer, config: ScheduleConfig, steps: int, warmup_steps: int
) -> StepSchedule:
    """Build the schedule that a configuration names.

    Args:
        optimizer: whose learning rates, now the full ones, it will set.
        config: name and settings.
        steps: optimizer steps of the whole run.
        warmup_steps: of these, so many warm up; at least one step after them is left.

    Returns:
        A schedule to `step()` after each optimizer step. That of 'plateau' is a `PlateauSchedule`,
        which also wants to hear of each validation.

    Raises:
        LaneSegError: no such schedule or warm-up, or one that cannot reach `final`.
    """
    share_of_step = _share_of_step(config, steps, warmup_steps)
    if config.name == 'plateau':
        return PlateauSchedule(optimizer, config, share_of_step, warmup_steps)
    return StepSchedule(optimizer, share_of_step)


def curve(
    config: ScheduleConfig, learning_rate: float, steps: int, warmup_steps: int
) -> list[float]:
    """Learning rate of every step, for plots; 'plateau' as if validations kept getting better.

    Args:
        config: name and settings of the schedule.
        learning_rate: the full one.
        steps: optimizer steps of the whole run.
        warmup_steps: of these, so many warm up.

    Raises:
        LaneSegError: as `build_schedule`.
    """
    share_of_step = _share_of_step(config, steps, warmup_steps)
    return [learning_rate * share_of_step(step) for step in range(steps)]


def _share_of_step(
    config: ScheduleConfig, steps: int, warmup_steps: int
) -> Callable[[int], float]:
    """Function from the number of steps done to the share of the full rate of the next one."""
    for key, known in (('name', list(SCHEDULES)), ('warmup', list(WARMUPS))):
        if (found := getattr(config, key)) not in known:
            raise LaneSegError(
                f'schedule.{key}: expected one of {", ".join(known)}; found {found!r}'
                f'{nearest(found, known)}'
            )
    if config.name == 'exponential' and config.final == 0:
        raise LaneSegError(
            'schedule.final: expected more than 0, which no exponential reaches, found 0; '
            'try 0.01, or 0.95 to the power of the epochs'
        )
    fall, power = SCHEDULES[config.name], WARMUPS[config.warmup]
    warmup_steps = max(0, min(warmup_steps, steps - 1))
    first = max(0, warmup_steps - 1)  # the last step of warm-up: full rate, progress 0
    distance = max(1, steps - 1 - first)
    span = distance / max(1, warmup_steps)

    def share(step: int) -> float:
        if step < first:
            return ((step + 1) / warmup_steps) ** power
        return fall(min(1.0, (step - first) / distance), config, span)

    return share
