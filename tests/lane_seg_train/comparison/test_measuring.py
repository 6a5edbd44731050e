"""Time is taken fairly, and accuracy is what the definition says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from lane_seg_train.comparison.measuring import (
    LEAST_ROUNDS,
    Stopwatch,
    device_name,
    time_nets,
    validate,
)
from lane_seg_train.config import LossConfig
from lane_seg_train.datasets import open_data
from tests.lane_seg_train.tiny_training import CLASSES, HEIGHT, WIDTH, tiny_config, write_pairs

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (HEIGHT, WIDTH)


class Recorder(torch.nn.Module):
    """A network that says who it is when it is run."""

    def __init__(self, name: str, calls: list[str]) -> None:
        super().__init__()
        self.name = name
        self.calls = calls

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        assert (image.shape, image.dtype) == ((1, 3, *SIZE), torch.float32)
        self.calls.append(self.name)
        return image


class Answer(torch.nn.Module):
    """A network that is sure of one class everywhere."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(image), len(CLASSES), *image.shape[2:])
        logits[:, self.number] = 30.0
        return logits


def recorded(names: str, watch: Stopwatch) -> tuple[list[str], dict[str, int]]:
    calls: list[str] = []
    nets = {name: Recorder(name, calls).train() for name in names}
    timings = time_nets(nets, dict.fromkeys(names, SIZE), watch)
    return calls, {name: timing.count for name, timing in timings.items()}


def test_each_round_runs_each_network_once_in_another_order() -> None:
    calls, counts = recorded('abc', Stopwatch('cpu', repeats=6, warmup=2))
    rounds = [''.join(calls[start : start + 3]) for start in range(0, len(calls), 3)]
    assert len(rounds) == 8
    assert all(sorted(one) == ['a', 'b', 'c'] for one in rounds)
    assert Counter(one[0] for one in rounds[2:]) == {'a': 2, 'b': 2, 'c': 2}
    assert counts == {'a': 6, 'b': 6, 'c': 6}


def test_it_stops_when_it_takes_too_long_but_not_before_a_few_rounds() -> None:
    _, counts = recorded('ab', Stopwatch('cpu', repeats=1000, warmup=1, limit_s=0.0))
    assert counts == {'a': LEAST_ROUNDS, 'b': LEAST_ROUNDS}


def test_a_slower_network_takes_longer() -> None:
    class Busy(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            for _ in range(60):
                image = torch.nn.functional.avg_pool2d(image, 7, 1, 3)
            return image

    nets = {'busy': Busy(), 'idle': torch.nn.Identity()}
    timings = time_nets(nets, dict.fromkeys(nets, SIZE), Stopwatch('cpu', repeats=7, warmup=1))
    assert timings['busy'].median_ms > timings['idle'].median_ms > 0
    assert timings['busy'].p99_ms >= timings['busy'].median_ms


def test_the_device_is_named_with_its_threads() -> None:
    assert device_name('cpu').endswith(', 1 thread')


@pytest.mark.parametrize('batch_size', [1, 4, 100])
def test_accuracy_is_that_of_all_pixels_of_all_images(tmp_path: Path, batch_size: int) -> None:
    write_pairs(tmp_path)
    sets = open_data(tiny_config().val, CLASSES, SIZE, tmp_path)
    accuracy = validate(
        Answer(1), sets, LossConfig(name='ce'), batch_size=batch_size, device='cpu'
    )
    targets = np.stack([target for _, target in sets[0].examples])
    road = (targets == 1).mean()
    values = accuracy.by_set['tiny']
    assert values['road'] == pytest.approx(road, abs=1e-6)
    assert (values['background'], values['lane_marking']) == (0, 0)
    assert accuracy.miou == values['miou'] == pytest.approx(road / 3, abs=1e-6)
    # Where it is wrong, the probability of the right class is e^-30.
    assert accuracy.loss == values['loss'] == pytest.approx(30 * (1 - road), rel=1e-3)
