"""The U-Nets: the one that drives, and what its settings change."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn

from lane_seg.errors import LaneSegError
from lane_seg_train.config import NetConfig
from lane_seg_train.nets import build_net
from lane_seg_train.nets.summary import summarize
from tests.lane_seg_train.nets.examples import build


def convolutions(net: nn.Module) -> list[nn.Conv2d]:
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)]


def test_weights_of_the_default_network_keep_their_names_and_shapes() -> None:
    # Of the network that models/default was trained with: its checkpoints have to load.
    state = build_net(NetConfig(), 3).state_dict()
    text = '\n'.join(f'{name} {tuple(item.shape)}' for name, item in state.items())
    assert hashlib.sha256(text.encode()).hexdigest() == (
        'b0808bc35997dd11cac5eb4a7cb2985b630c4e2613f47b37dad67394d768167b'
    )


def test_the_default_network_has_what_int8_kernels_like() -> None:
    net = build_net(NetConfig(), 3)
    assert all(layer.groups == 1 for layer in convolutions(net))
    kinds = {type(module) for module in net.modules()}
    assert not kinds & {nn.ConvTranspose2d, nn.Upsample, nn.MaxPool2d, nn.Dropout2d}
    assert nn.PixelShuffle in kinds


@pytest.mark.parametrize('depth', [1, 2, 4])
@pytest.mark.parametrize('stride', [1, 2, 4])
def test_the_size_rule_follows_from_stem_and_depth(depth: int, stride: int) -> None:
    net = build(NetConfig(width=2, depth=depth, stem_stride=stride)).eval()
    assert net.size_multiple == stride * 2**depth
    size = (net.size_multiple, 3 * net.size_multiple)
    assert net(torch.zeros(1, 3, *size)).shape == (1, 3, *size)


@pytest.mark.parametrize(
    ('size', 'nearest'),
    [((250, 512), '256x512'), ((256, 500), '256x512'), ((1, 1), '32x32'), ((0, 512), '32x512')],
)
def test_a_size_that_cannot_be_halved_is_refused_with_the_nearest_that_can(
    size: tuple[int, int], nearest: str
) -> None:
    net = build(NetConfig(width=2))
    text = f'multiples of 32, found {size[0]}x{size[1]}; the nearest valid size is {nearest}'
    with pytest.raises(LaneSegError, match=text):
        net.check_size(*size)
    net.check_size(256, 512)


def test_multipliers_that_are_not_given_double_up_to_eight() -> None:
    given = build(NetConfig(width=2, depth=5, multipliers=(1, 2, 4, 8, 8, 8))).state_dict()
    default = build(NetConfig(width=2, depth=5)).state_dict()
    shapes = [{name: item.shape for name, item in state.items()} for state in (given, default)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize('multipliers', [(1, 2), (1, 2, 4, 8)])
def test_the_number_of_multipliers_must_fit_the_depth(multipliers: tuple[int, ...]) -> None:
    with pytest.raises(LaneSegError, match=r'expected depth \+ 1 = 3 of them, found \[1, 2'):
        NetConfig(depth=2, multipliers=multipliers)


def test_a_pixel_is_seen_at_its_own_place() -> None:
    for stride in (1, 2, 4):
        net = build(NetConfig(width=4, depth=1, stem_stride=stride)).eval()
        image = torch.zeros(1, 3, 64, 64)
        image[..., 16:20, 40:44] = 2.0
        with torch.no_grad():
            change = (net(image) - net(torch.zeros(1, 3, 64, 64))).abs().sum(dim=1)[0]
        rows, columns = torch.nonzero(change > 0, as_tuple=True)
        assert rows.min() <= 16
        assert rows.max() >= 19
        assert columns.min() <= 40
        assert columns.max() >= 43
        assert rows.max() - rows.min() < 63


def test_a_stem_looks_at_every_pixel() -> None:
    for stride in (1, 2, 4):
        stem = build(NetConfig(width=8, depth=1, stem_stride=stride)).get_submodule('stem').eval()
        with torch.no_grad():
            for layer in convolutions(stem):
                layer.weight.abs_()  # so that no ReLU is off
        image = torch.ones(1, 3, 32, 32, requires_grad=True)
        stem(image).sum().backward()
        assert image.grad is not None
        assert (image.grad > 0).all()


@pytest.mark.parametrize('skip', ['add', 'concat'])
def test_skips_carry_what_the_deeper_levels_lost(skip: str) -> None:
    net = build(NetConfig(width=4, depth=3, skip=skip)).eval()
    silent = net.get_submodule('up')
    with torch.no_grad():
        for weight in silent.parameters():
            weight.zero_()
    noise = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(net(noise), net(torch.zeros_like(noise)))


def test_more_convolutions_are_added_on_both_ways() -> None:
    counts = [
        len(convolutions(build(NetConfig(width=2, depth=2, convs=convs)))) for convs in (1, 2, 3)
    ]
    # Three levels on the way down, two on the way up.
    assert counts == [counts[0], counts[0] + 5, counts[0] + 10]


def test_without_batch_normalization_the_signal_neither_dies_nor_bursts() -> None:
    net = build(NetConfig(width=16, depth=4, batch_norm=False, convs=2, skip='concat')).eval()
    assert not [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        logits = net(torch.randn(2, 3, 64, 64))
    assert 0.05 < float(logits.std()) < 20


def test_dropout_drops_the_deepest_level_only_in_training() -> None:
    net = build(NetConfig(width=8, depth=2, dropout=0.5))
    counts = []
    net.get_submodule('dropout').register_forward_hook(
        lambda _layer, inputs, output: counts.append(
            (inputs[0].shape[2:], int(((output == 0) & (inputs[0] != 0)).sum()))
        )
    )
    for mode in (True, False):
        net.train(mode)(torch.randn(2, 3, 32, 32))
    assert [size for size, _ in counts] == [(4, 4), (4, 4)]
    assert counts[0][1] > 0
    assert counts[1][1] == 0


def test_the_unet_of_2015_has_its_number_of_weights() -> None:
    net = build_net(
        NetConfig(
            width=64,
            depth=4,
            multipliers=(1, 2, 4, 8, 16),
            stem_stride=1,
            skip='concat',
            convs=2,
            down='pool',
            batch_norm=False,
        ),
        2,
    )
    # 31,031,810 with RGB input and padded convolutions, of which four 2x2 up-convolutions that
    # halve the channels; ours are 1x1.
    up = sum(1024 // 2**level * (512 // 2**level) for level in range(4))
    assert summarize(net, 64, 64).parameters == 31_031_810 - 3 * up


@pytest.mark.parametrize(
    ('settings', 'text'),
    [
        ({'width': 0}, 'net.width: expected at least 1, found 0'),
        ({'depth': 0}, 'net.depth: expected at least 1, found 0'),
        ({'convs': 0}, 'net.convs: expected at least 1, found 0'),
        ({'in_channels': 4}, 'net.in_channels: expected one of 1, 3, found 4'),
        ({'stem_stride': 3}, 'net.stem_stride: expected one of 1, 2, 4, found 3'),
        ({'skip': 'sum'}, 'net.skip: expected one of add, concat, found sum'),
        ({'down': 'max'}, 'net.down: expected one of conv, pool, found max'),
        ({'dropout': 1.0}, 'net.dropout: expected a probability from 0 to 0.95, found 1.0'),
        ({'depth': 1, 'multipliers': (1, 0)}, 'net.multipliers: expected numbers of 1 or more'),
    ],
)
def test_settings_that_make_no_network_are_refused(settings: dict[str, object], text: str) -> None:
    with pytest.raises(LaneSegError) as caught:
        NetConfig(**settings)  # type: ignore[arg-type]
    assert text in str(caught.value)
