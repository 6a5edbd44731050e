"""Learning rates: where they start, where they end, and that a resumed run continues them."""

from __future__ import annotations

import io
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg.errors import LaneSegError
from lane_seg_train.config import ScheduleConfig
from lane_seg_train.schedules import (
    SCHEDULES,
    WARMUPS,
    PlateauSchedule,
    StepSchedule,
    build_schedule,
    curve,
)

FALLING = ['cosine', 'polynomial', 'exponential', 'inverse_sqrt']
RATE = 0.002
names = st.sampled_from(list(SCHEDULES))
warmups = st.sampled_from(list(WARMUPS))


def config_of(name: str, **changes: object) -> ScheduleConfig:
    return ScheduleConfig(name=name, **{'final': 0.01, **changes})  # type: ignore[arg-type]


def two_groups(rate: float = RATE) -> torch.optim.Optimizer:
    parameters = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    return torch.optim.SGD(
        [{'params': parameters[:1]}, {'params': parameters[1:], 'lr': rate / 10}], lr=rate
    )


def run(
    schedule: StepSchedule, steps: int, *, validate_every: int = 0, score: float = 0.0
) -> list[float]:
    """The rate that the optimizer really has at each step."""
    optimizer = schedule.optimizer
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]['lr'])
        assert optimizer.param_groups[1]['lr'] == pytest.approx(rates[-1] / 10)
        optimizer.step()
        schedule.step()
        if validate_every and step % validate_every == validate_every - 1:
            assert isinstance(schedule, PlateauSchedule)
            schedule.validated(score)
    return rates


def schedule_of(config: ScheduleConfig, steps: int, warmup_steps: int) -> StepSchedule:
    return build_schedule(two_groups(), config, steps=steps, warmup_steps=warmup_steps)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(FALLING),
    warmup=warmups,
    final=st.floats(1e-4, 1),
    rate=st.floats(1e-6, 1),
    steps=st.integers(2, 300),
    warmup_steps=st.integers(0, 400),
)
def test_the_last_step_has_exactly_the_final_rate(
    name: str, warmup: str, final: float, rate: float, steps: int, warmup_steps: int
) -> None:
    config = config_of(name, warmup=warmup, final=final)
    schedule = build_schedule(two_groups(rate), config, steps=steps, warmup_steps=warmup_steps)
    rates = run(schedule, steps)
    assert rates[-1] == final * rate
    assert rates == curve(config, rate, steps, warmup_steps)


@pytest.mark.parametrize('name', ['cosine', 'polynomial', 'inverse_sqrt'])
def test_a_rate_can_end_at_0_and_not_a_step_earlier(name: str) -> None:
    rates = curve(config_of(name, final=0.0), RATE, 100, 10)
    assert rates[-1] == 0
    assert min(rates[:-1]) > 0


@settings(max_examples=60, deadline=None)
@given(name=names, warmup=warmups, steps=st.integers(2, 300), warmup_steps=st.integers(0, 400))
def test_a_rate_climbs_to_the_full_one_and_then_never_climbs_again(
    name: str, warmup: str, steps: int, warmup_steps: int
) -> None:
    rates = curve(config_of(name, warmup=warmup), RATE, steps, warmup_steps)
    assert len(rates) == steps
    climb = max(1, min(warmup_steps, steps - 1))
    assert rates[:climb] == sorted(rates[:climb])
    assert rates[climb - 1] == max(rates) == pytest.approx(RATE, rel=1e-12)
    assert rates[climb - 1 :] == sorted(rates[climb - 1 :], reverse=True)
    assert min(rates) > 0


@pytest.mark.parametrize('warmup', WARMUPS)
@pytest.mark.parametrize('name', SCHEDULES)
def test_there_is_no_jump_at_the_end_of_warm_up(name: str, warmup: str) -> None:
    rates = curve(config_of(name, warmup=warmup), RATE, 1000, 100)
    changes = [abs(right - left) for left, right in zip(rates[:-1], rates[1:], strict=True)]
    assert max(changes[95:105]) < 0.021 * RATE
    assert rates[99] == RATE


def test_warm_ups_have_their_shapes() -> None:
    linear, quadratic = (
        curve(config_of('constant', warmup=warmup), 1.0, 10, 5) for warmup in WARMUPS
    )
    assert linear == pytest.approx([0.2, 0.4, 0.6, 0.8, *[1] * 6])
    assert quadratic == pytest.approx([0.04, 0.16, 0.36, 0.64, *[1] * 6])


def test_schedules_have_their_shapes() -> None:
    # 9 steps without warm-up: progress 0, 1/8, ... 1.
    def rates(name: str, **changes: object) -> list[float]:
        return curve(config_of(name, **changes), 1.0, 9, 0)

    progress = [step / 8 for step in range(9)]
    assert rates('constant') == [1.0] * 9
    assert rates('cosine', final=0.2)[4] == pytest.approx(0.6)
    assert rates('cosine', final=0.0)[2] == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert rates('polynomial', final=0.0, power=2.0) == pytest.approx(
        [(1 - p) ** 2 for p in progress]
    )
    exponential = rates('exponential', final=0.0625)
    assert exponential == pytest.approx([0.0625**p for p in progress])
    factors = [right / left for left, right in zip(exponential, exponential[1:], strict=False)]
    assert factors == pytest.approx([factors[0]] * 8)


def test_inverse_sqrt_falls_like_one_over_the_root_of_the_step() -> None:
    steps, warmup_steps, final = 1000, 50, 0.1
    rates = curve(config_of('inverse_sqrt', final=final), 1.0, steps, warmup_steps)
    # rate = a + b / sqrt(step): the ratio of differences does not know a and b.
    first = warmup_steps - 1
    roots = [1 / math.sqrt(warmup_steps + step - first) for step in range(steps)[first:]]
    left = (rates[first] - rates[200]) / (rates[200] - rates[-1])
    right = (roots[0] - roots[200 - first]) / (roots[200 - first] - roots[-1])
    assert left == pytest.approx(right)
    assert rates[200] < 0.55  # most of the way is done early


@pytest.mark.parametrize('name', SCHEDULES)
@pytest.mark.parametrize(('steps', 'warmup_steps'), [(1, 0), (1, 5), (2, 2), (3, 100)])
def test_a_run_shorter_than_its_warm_up_still_reaches_the_full_rate(
    name: str, steps: int, warmup_steps: int
) -> None:
    rates = curve(config_of(name), RATE, steps, warmup_steps)
    assert max(rates) == pytest.approx(RATE)
    assert len(rates) == steps
    assert all(rate > 0 for rate in rates)


@pytest.mark.parametrize('name', SCHEDULES)
def test_a_step_after_the_last_one_is_harmless(name: str) -> None:
    # Lightning steps the schedule once more after the last optimizer step.
    schedule = schedule_of(config_of(name), 20, 5)
    run(schedule, 25)
    assert schedule.get_last_lr()[0] == pytest.approx(curve(config_of(name), RATE, 20, 5)[-1])


@settings(max_examples=40, deadline=None)
@given(name=names, warmup=warmups, warmup_steps=st.integers(0, 20), stop=st.integers(0, 39))
def test_a_resumed_run_has_the_rates_of_one_that_never_stopped(
    name: str, warmup: str, warmup_steps: int, stop: int
) -> None:
    config = config_of(name, warmup=warmup, patience=2)
    every = 4 if name == 'plateau' else 0
    whole = run(schedule_of(config, 40, warmup_steps), 40, validate_every=every)
    first = schedule_of(config, 40, warmup_steps)
    begun = run(first, stop - stop % 4, validate_every=every)
    # As a checkpoint keeps it, and loads it: plain values only.
    file = io.BytesIO()
    torch.save([first.state_dict(), first.optimizer.state_dict()], file)
    file.seek(0)
    schedule_state, optimizer_state = torch.load(file, weights_only=True)
    second = schedule_of(config, 40, warmup_steps)
    second.optimizer.load_state_dict(optimizer_state)
    second.load_state_dict(schedule_state)
    assert begun + run(second, 40 - len(begun), validate_every=every) == whole


def test_a_schedule_sets_the_rate_itself_when_it_is_loaded() -> None:
    config = config_of('cosine')
    first = schedule_of(config, 40, 5)
    run(first, 17)
    second = schedule_of(config, 40, 5)
    second.load_state_dict(first.state_dict())
    rate = curve(config, RATE, 40, 5)[17]
    assert second.optimizer.param_groups[0]['lr'] == rate
    assert second.get_last_lr() == [rate, pytest.approx(rate / 10)]


# plateau


def plateau(**changes: object) -> PlateauSchedule:
    schedule = schedule_of(config_of('plateau', **changes), 1000, 10)
    assert isinstance(schedule, PlateauSchedule)
    run(schedule, 20)
    return schedule


def share(schedule: PlateauSchedule) -> float:
    return schedule.optimizer.param_groups[0]['lr'] / RATE


def test_the_rate_halves_after_so_many_validations_without_a_better_one() -> None:
    schedule = plateau(patience=3)
    shares = []
    for score in (0.5, 0.6, 0.6, 0.59, 0.1, 0.6, 0.6, 0.61, 0.61, 0.61, 0.61):
        schedule.validated(score)
        shares.append(share(schedule))
    assert shares == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_as_long_as_validations_get_better_the_rate_stays() -> None:
    schedule = plateau(patience=1)
    for score in range(20):
        schedule.validated(score / 20)
    assert share(schedule) == 1


def test_the_rate_falls_by_the_factor_and_never_below_the_final_one() -> None:
    schedule = plateau(patience=1, factor=0.1, final=0.004)
    shares = []
    for _ in range(6):
        schedule.validated(0.5)
        shares.append(share(schedule))
    assert shares == pytest.approx([1, 0.1, 0.01, 0.004, 0.004, 0.004])


def test_a_validation_that_fails_is_not_better() -> None:
    schedule = plateau(patience=2)
    schedule.validated(0.1)
    schedule.validated(math.nan)
    schedule.validated(math.nan)
    assert share(schedule) == 0.5
    schedule.validated(0.2)
    assert schedule.best == 0.2


def test_steps_between_validations_do_not_count() -> None:
    schedule = plateau(patience=2)
    schedule.validated(0.5)
    run(schedule, 500)
    schedule.validated(0.5)
    assert share(schedule) == 1
    schedule.validated(0.5)
    assert share(schedule) == 0.5
    run(schedule, 1)
    assert share(schedule) == 0.5


def test_during_warm_up_validations_do_not_make_the_rate_fall() -> None:
    schedule = schedule_of(config_of('plateau', patience=1), 100, 50)
    rates = run(schedule, 50, validate_every=5, score=0.5)
    assert rates == curve(config_of('plateau'), RATE, 100, 50)[:50]
    assert isinstance(schedule, PlateauSchedule)
    assert schedule.falls == 1  # by the validation that came with the end of warm-up


def test_only_plateau_asks_for_validations() -> None:
    for name in SCHEDULES:
        assert hasattr(schedule_of(config_of(name), 10, 1), 'validated') == (name == 'plateau')


# Lightning


@pytest.mark.parametrize('accumulate', [1, 4])
def test_lightning_steps_it_once_for_each_optimizer_step(accumulate: int) -> None:
    lightning = pytest.importorskip('lightning.pytorch')
    batches, epochs = 8, 2
    steps = epochs * batches // accumulate
    rates: list[float] = []

    class Task(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: torch.Tensor, _index: int) -> torch.Tensor:
            return self.layer(batch).square().mean()

        def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
            rates.append(optimizer.param_groups[0]['lr'])

        def configure_optimizers(self) -> dict[str, object]:
            optimizer = torch.optim.SGD(self.parameters(), lr=RATE)
            schedule = build_schedule(optimizer, config_of('cosine'), steps, 2)
            return {
                'optimizer': optimizer,
                'lr_scheduler': {'scheduler': schedule, 'interval': 'step'},
            }

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        trainer = lightning.Trainer(
            accelerator='cpu', max_epochs=epochs, accumulate_grad_batches=accumulate, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(Task(), torch.utils.data.DataLoader(torch.ones(batches, 1), batch_size=1))
    assert rates == curve(config_of('cosine'), RATE, steps, 2)
    assert rates[-1] == 0.01 * RATE


# Errors


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'name': 'cosin'}, ['schedule.name', *SCHEDULES, "did you mean 'cosine'"]),
        ({'warmup': 'cubic'}, ['schedule.warmup', *WARMUPS, "'cubic'"]),
        ({'name': 'exponential', 'final': 0.0}, ['schedule.final', 'more than 0']),
    ],
)
def test_a_schedule_that_cannot_be_built_says_why(
    changes: dict[str, object], words: list[str]
) -> None:
    config = ScheduleConfig(**changes)  # type: ignore[arg-type]
    for build in (lambda: schedule_of(config, 10, 1), lambda: curve(config, RATE, 10, 1)):
        with pytest.raises(LaneSegError) as caught:
            build()
        for word in words:
            assert word in str(caught.value)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('warmup_epochs', -1.0),
        ('final', 1.5),
        ('final', math.nan),
        ('power', 0.0),
        ('patience', 0),
        ('factor', 1.0),
        ('factor', 0.0),
    ],
)
def test_a_setting_out_of_range_is_refused_when_it_is_read(key: str, value: float) -> None:
    with pytest.raises(LaneSegError, match=f'schedule.{key}'):
        ScheduleConfig(**{key: value})  # type: ignore[arg-type]
