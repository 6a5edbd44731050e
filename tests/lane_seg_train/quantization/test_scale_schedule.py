"""Scales follow the weights before the freeze; after it, weights keep to the scales."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

pytest.importorskip('lightning')

from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.fake_quantization.quantized_net import INPUT_SCALE, QuantizedNet
from lane_seg_train.quantization.calibration import calibrate
from lane_seg_train.quantization.qat import qat
from lane_seg_train.trainer.task import LaneTask
from tests.lane_seg_train.quantization.qat_runs import (
    DAMAGING,
    ONE_THREAD,
    SETTINGS,
    lane_iou,
    quantized,
    recipe,
)
from tests.lane_seg_train.tiny_training import pairs, write_pairs

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 12


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    write_pairs(folder)
    quantized(DAMAGING).save(folder / 'ptq.pt')
    return folder


@dataclass(frozen=True)
class Seen:
    """A network in a training step: flat float tensors, and whether statistics are learned."""

    step: int
    scales: torch.Tensor
    means: torch.Tensor
    factors: torch.Tensor
    weights: torch.Tensor
    learns_statistics: bool


def look(task: LaneTask) -> Seen:
    net = task.net
    assert isinstance(net, QuantizedNet)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len({norm.training for norm in norms}) == 1
    weights = [weight for _, weight, _ in net.weight_quantizers()]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    parts = (
        [quantizer.scale for quantizer in net.activation_quantizers()]
        + [quantizer.scale for _, _, quantizer in net.weight_quantizers()],
        [norm.running_mean for norm in norms],
        [norm.weight for norm in norms],
        weights,
    )
    flat = [torch.cat([item.detach().flatten() for item in part]) for part in parts]
    return Seen(task.global_step, *flat, learns_statistics=norms[0].training)


def watched(
    monkeypatch: pytest.MonkeyPatch, data: Path, output: Path, freeze: float, *changes: str
) -> list[Seen]:
    """Train, and look at the network at the beginning of every batch."""
    seen = []
    step = LaneTask.training_step

    def looking(task: LaneTask, *batch: object) -> object:
        seen.append(look(task))
        return step(task, *batch)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(LaneTask, 'training_step', looking)
        settings = dataclasses.replace(SETTINGS, freeze=freeze)
        qat(data / 'ptq.pt', recipe(*changes), data, output, settings, hardware=ONE_THREAD)
    return seen


def same(seen: list[Seen], part: str) -> bool:
    first = getattr(seen[0], part)
    return all(torch.equal(getattr(one, part), first) for one in seen)


@pytest.mark.parametrize('changes', [[], ['batch_size=1', 'accumulate=2']], ids=['1', '2'])
def test_scales_change_between_epochs_until_half_of_the_steps_are_made(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: list[str]
) -> None:
    seen = watched(monkeypatch, data, tmp_path / 'run', 0.5, *changes)
    assert [one.step for one in seen] == sorted([*range(STEPS)] * (2 if changes else 1))
    epochs = [[one for one in seen if one.step // 3 == epoch] for epoch in range(4)]
    assert all(same(epoch, 'scales') for epoch in epochs)
    assert not torch.equal(epochs[0][0].scales, epochs[1][0].scales)
    assert not torch.equal(epochs[1][0].scales, epochs[2][0].scales)
    frozen = epochs[2] + epochs[3]
    assert same(frozen, 'scales')


def test_from_the_freeze_on_only_what_is_learned_changes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watched(monkeypatch, data, tmp_path / 'run', 5 / STEPS)
    free, frozen = seen[:5], seen[5:]
    assert [one.learns_statistics for one in seen] == [True] * 5 + [False] * 7
    assert same(frozen, 'scales')
    assert same(frozen, 'means')
    # In the middle of the second epoch they were found for the last time.
    assert not torch.equal(free[-1].scales, frozen[0].scales)
    for one, following in zip(seen, seen[1:], strict=False):
        assert not torch.equal(one.weights, following.weights)
        assert not torch.equal(one.factors, following.factors)
        if one.learns_statistics:
            assert not torch.equal(one.means, following.means)


def test_a_share_of_1_never_freezes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watched(monkeypatch, data, tmp_path / 'run', 1.0)
    assert all(one.learns_statistics for one in seen)
    assert not torch.equal(seen[6].scales, seen[9].scales)


def test_scales_are_those_of_the_weights_that_are_validated(data: Path, tmp_path: Path) -> None:
    """Found anew for a checkpoint from before the freeze, they are what they were."""
    settings = dataclasses.replace(SETTINGS, epochs=2, freeze=1.0)
    best = Checkpoint.load(
        qat(data / 'ptq.pt', recipe(), data, tmp_path / 'run', settings, hardware=ONE_THREAD)
    )
    net = best.net
    assert isinstance(net, QuantizedNet)
    assert best.quantization is not None and best.quantization.qat_epochs > 0
    found = {name: item.clone() for name, item in net.state_dict().items() if 'scale' in name}
    images = [image for image, _ in pairs()]
    calibrate(net, images, 'percentile', percentile=DAMAGING)
    for name, scale in found.items():
        torch.testing.assert_close(net.state_dict()[name], scale, rtol=2e-3, atol=0)


def test_weights_and_normalization_alone_learn_to_do_with_scales_that_are_too_small(
    data: Path, tmp_path: Path
) -> None:
    """Frozen from the first step on, nothing but the gradient through the rounding helps."""
    before = Checkpoint.load(data / 'ptq.pt')
    settings = dataclasses.replace(SETTINGS, freeze=0)
    path = qat(data / 'ptq.pt', recipe(), data, tmp_path / 'run', settings, hardware=ONE_THREAD)
    after = Checkpoint.load(path)
    assert lane_iou(after) > lane_iou(before) + 0.2
    new = after.net.state_dict()
    for name, old in before.net.state_dict().items():
        is_kept = any(word in name for word in ('scale', 'running', 'tracked'))
        assert torch.equal(new[name], old) == is_kept, name


def test_no_weight_goes_beyond_the_largest_code(data: Path, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, freeze=0, learning_rate=0.1)
    qat(data / 'ptq.pt', recipe(), data, tmp_path / 'run', settings, hardware=ONE_THREAD)
    state = torch.load(tmp_path / 'run' / 'last.ckpt', weights_only=True)['state_dict']
    prefix = 'net.weights.'
    scales = {
        name.removeprefix(prefix).removesuffix('.scale').replace('/', '.'): scale
        for name, scale in state.items()
        if name.startswith(prefix)
    }
    largest = []
    for name, scale in scales.items():
        codes = torch.round(state[f'net.net.{name}.weight'] / scale.reshape(-1, 1, 1, 1))
        largest.append(float(codes.abs().max()))
    assert len(largest) > 5
    assert max(largest) == 127


def test_the_input_keeps_its_exact_scale(data: Path, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1, freeze=1.0)
    net = Checkpoint.load(
        qat(data / 'ptq.pt', recipe(), data, tmp_path / 'run', settings, hardware=ONE_THREAD)
    ).net
    assert isinstance(net, QuantizedNet) and net.placement.image is not None
    assert float(net.activation_quantizers()[net.placement.image].scale) == INPUT_SCALE
