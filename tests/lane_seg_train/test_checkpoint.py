"""A checkpoint holds all that rebuilds the network, and nothing that could run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config import NetConfig
from lane_seg_train.fake_quantization.quantized_net import QuantizedNet
from lane_seg_train.nets import build_net
from tests.lane_seg_train.tiny_training import HEIGHT, WIDTH, quantized_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = NetConfig(width=4, depth=1, multipliers=(1, 2))


def checkpoint(seed: int = 0) -> Checkpoint:
    torch.manual_seed(seed)
    return Checkpoint(
        net=build_net(CONFIG, 3),
        net_config=CONFIG,
        classes=('background', 'road', 'lane_marking'),
        height=64,
        width=128,
        name='mine',
        metrics={'v/road': 0.5},
    )


def altered(path: Path, **changes: object) -> None:
    content = torch.load(path, weights_only=True)
    torch.save({**content, **changes}, path)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    saved = checkpoint()
    saved.save(tmp_path / 'a.pt')
    loaded = Checkpoint.load(tmp_path / 'a.pt')
    for key in ('net_config', 'classes', 'height', 'width', 'name', 'metrics'):
        assert getattr(loaded, key) == getattr(saved, key)
    assert not loaded.net.training
    tensor = torch.randn(1, 3, 8, 8)
    assert torch.equal(loaded.net(tensor), saved.net.eval()(tensor))


def test_a_missing_file_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match='`lane-seg train` makes one'):
        Checkpoint.load(tmp_path / 'a.pt')


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f'open({str(tmp_path / "trapped")!r}, "w")',)

    torch.save({'schema': 1, 'name': Trap()}, tmp_path / 'a.pt')
    with pytest.raises(LaneSegError, match=r'a\.pt: expected a checkpoint'):
        Checkpoint.load(tmp_path / 'a.pt')
    assert not (tmp_path / 'trapped').exists()


@pytest.mark.parametrize('content', [b'', b'not a checkpoint'])
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'a.pt').write_bytes(content)
    with pytest.raises(LaneSegError, match=r'a\.pt: expected a checkpoint'):
        Checkpoint.load(tmp_path / 'a.pt')


def test_another_schema_is_refused_with_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / 'a.pt'
    checkpoint().save(path)
    altered(path, schema=2)
    with pytest.raises(LaneSegError, match='with schema 1, found schema 2'):
        Checkpoint.load(path)
    torch.save([1, 2], path)
    with pytest.raises(LaneSegError, match='found schema None'):
        Checkpoint.load(path)


@pytest.mark.parametrize(
    'changes',
    [
        {'net_config': {'name': 'unet', 'width': 8, 'depth': 1, 'multipliers': [1, 2]}},
        {'net_config': {'name': 'unet', 'colour': 8, 'multipliers': [1, 2]}},
        {'net_config': {}},
        {'state_dict': {}},
        {'classes': ['road', 'background']},
    ],
)
def test_weights_that_do_not_fit_their_network_are_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    path = tmp_path / 'a.pt'
    checkpoint().save(path)
    altered(path, **changes)
    with pytest.raises(LaneSegError, match=r'a\.pt: expected the weights of a network'):
        Checkpoint.load(path)


def test_an_older_checkpoint_survives_a_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'a.pt'
    checkpoint(seed=0).save(path)
    before = path.read_bytes()

    def half(_content: object, target: Path) -> None:
        target.write_bytes(before[:1000])
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', half)
    with pytest.raises(OSError, match='No space left'):
        checkpoint(seed=1).save(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ['a.pt']


def test_the_weights_that_training_started_from_may_be_gone(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, weights=str(tmp_path / 'gone.pt'))
    dataclasses.replace(checkpoint(), net_config=config).save(tmp_path / 'a.pt')
    loaded = Checkpoint.load(tmp_path / 'a.pt')
    assert loaded.net_config == config


# Quantized ones.


def logits(net: torch.nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        return net(torch.randn(1, 3, HEIGHT, WIDTH, generator=generator))


def test_a_quantized_network_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved = quantized_checkpoint(exclude=('stem', 'head'))
    saved.save(tmp_path / 'a.pt')
    loaded = Checkpoint.load(tmp_path / 'a.pt')
    assert loaded.quantization == saved.quantization
    assert loaded.quantization is not None
    assert loaded.quantization.exclude == ('stem', 'head')
    assert loaded.precision == 'int8'
    assert isinstance(loaded.net, QuantizedNet)
    assert isinstance(saved.net, QuantizedNet)
    assert loaded.net.placement == saved.net.placement
    assert 'head' not in loaded.net.placement.weights
    assert not any(part.training for part in loaded.net.modules())
    assert torch.equal(logits(loaded.net), logits(saved.net))
    assert not torch.equal(logits(loaded.net), logits(loaded.net.net))


def test_a_quantized_checkpoint_holds_nothing_that_could_run(tmp_path: Path) -> None:
    quantized_checkpoint().save(tmp_path / 'a.pt')
    content = torch.load(tmp_path / 'a.pt', weights_only=True)
    assert content['quantization']['calibrator'] == 'max'
    assert isinstance(content['quantization'], dict)


def test_a_checkpoint_of_before_quantization_is_a_float_one(tmp_path: Path) -> None:
    saved = checkpoint()
    saved.save(tmp_path / 'a.pt')
    content = torch.load(tmp_path / 'a.pt', weights_only=True)
    del content['quantization']
    torch.save(content, tmp_path / 'a.pt')
    loaded = Checkpoint.load(tmp_path / 'a.pt')
    assert loaded.quantization is None
    assert (saved.precision, loaded.precision) == ('fp32', 'fp32')
    assert torch.equal(logits(loaded.net), logits(saved.net.eval()))


@pytest.mark.parametrize(
    'changes',
    [
        {'quantization': None},
        {'quantization': {'calibrator': 'max'}},
        {'quantization': {'colour': 1, 'exclude': []}},
        {'state_dict': {}},
    ],
)
def test_scales_that_do_not_fit_their_record_are_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    path = tmp_path / 'a.pt'
    quantized_checkpoint().save(path)
    altered(path, **changes)
    with pytest.raises(LaneSegError, match=r'a\.pt: expected the weights of a network'):
        Checkpoint.load(path)


def test_names_that_no_convolution_has_are_refused(tmp_path: Path) -> None:
    saved = quantized_checkpoint()
    assert saved.quantization is not None
    record = dataclasses.asdict(dataclasses.replace(saved.quantization, exclude=('gone',)))
    saved.save(tmp_path / 'a.pt')
    altered(tmp_path / 'a.pt', quantization=record)
    with pytest.raises(LaneSegError, match='expected names of convolutions, found gone'):
        Checkpoint.load(tmp_path / 'a.pt')
