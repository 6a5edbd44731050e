"""One contender after the other: done ones are kept, stopped ones go on, failures are noted."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.comparison import training
from lane_seg_train.comparison.contenders import Contender
from lane_seg_train.comparison.training import check_kept, train_all
from lane_seg_train.trainer.fit import Hardware
from tests.lane_seg_train.tiny_training import tiny_config

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg_train.config import TrainConfig


class Trainer:
    """Stands in for `train`: leaves the files of a run, or does what the test wants instead."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []
        self.raises: dict[str, BaseException] = {}

    def __call__(
        self, config: TrainConfig, _data: Path, output: Path, *, resume: bool, hardware: Hardware
    ) -> Path:
        self.calls.append((config.name, resume))
        output.mkdir(parents=True, exist_ok=True)
        (output / 'last.ckpt').touch()
        if config.name in self.raises:
            raise self.raises[config.name]
        (output / 'checkpoint.pt').touch()
        return output / 'checkpoint.pt'


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    trainer = Trainer()
    monkeypatch.setattr(training, 'train', trainer)
    return trainer


def three() -> list[Contender]:
    return [
        Contender(label, dataclasses.replace(tiny_config(), name=label))
        for label in ('a', 'b', 'c')
    ]


def go(output: Path, said: list[str] | None = None) -> list[training.Trained]:
    check_kept(three(), output)
    say = (said if said is not None else []).append
    return train_all(three(), output, output, hardware=Hardware(), say=say)


def test_one_that_fails_does_not_end_the_others(tmp_path: Path, trainer: Trainer) -> None:
    trainer.raises['a'] = LaneSegError('expected 64x128, found 60x128')
    trainer.raises['b'] = RuntimeError('out of memory\nwith details')
    said: list[str] = []
    results = go(tmp_path, said)
    assert [one.label for one in results] == ['a', 'b', 'c']
    assert results[0].error == 'expected 64x128, found 60x128'
    assert results[1].error == 'RuntimeError: out of memory'
    assert [one.checkpoint for one in results] == [None, None, tmp_path / 'c' / 'checkpoint.pt']
    assert 'Traceback' in (tmp_path / 'b' / 'error.txt').read_text(encoding='utf-8')
    assert not (tmp_path / 'a' / 'error.txt').exists()
    assert 'a failed: expected 64x128, found 60x128' in said


def test_finished_ones_are_kept_and_the_others_go_on(tmp_path: Path, trainer: Trainer) -> None:
    trainer.raises['b'] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path)
    assert trainer.calls == [('a', False), ('b', False)]
    trainer.raises.clear()
    trainer.calls.clear()
    said: list[str] = []
    results = go(tmp_path, said)
    assert trainer.calls == [('b', True), ('c', False)]
    assert all(one.checkpoint is not None for one in results)
    assert said == ['1 of 3: a: kept, it is finished', '2 of 3: b: goes on', '3 of 3: c: training']


def test_one_that_failed_is_tried_again(tmp_path: Path, trainer: Trainer) -> None:
    trainer.raises['c'] = RuntimeError('for once')
    assert go(tmp_path)[2].error
    trainer.raises.clear()
    assert go(tmp_path)[2].error == ''
    assert trainer.calls[-1] == ('c', True)


def test_the_time_of_all_starts_is_summed(tmp_path: Path, trainer: Trainer) -> None:
    go(tmp_path)
    path = tmp_path / 'b' / 'contender.json'
    state = json.loads(path.read_text(encoding='utf-8'))
    path.write_text(json.dumps({**state, 'seconds': 100.0, 'finished': False}), encoding='utf-8')
    assert 100 < go(tmp_path)[1].seconds < 160


def test_runs_of_other_settings_are_never_mixed(tmp_path: Path, trainer: Trainer) -> None:
    go(tmp_path)
    changed = three()
    net = dataclasses.replace(changed[1].config.net, width=8)
    changed[1] = Contender('b', dataclasses.replace(changed[1].config, net=net))
    text = r'b was trained with other settings: net\.width was 4, now 8; choose another --output'
    with pytest.raises(LaneSegError, match=text):
        check_kept(changed, tmp_path)


def test_a_run_of_somebody_else_is_not_touched(tmp_path: Path, trainer: Trainer) -> None:
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b' / 'last.ckpt').touch()
    with pytest.raises(LaneSegError, match=r'b: expected a run of an earlier .*--runs'):
        check_kept(three(), tmp_path)
    assert trainer.calls == []
