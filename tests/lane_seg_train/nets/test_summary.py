"""Parameters, multiply-accumulates and size, checked against sums done by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lane_seg_train.config import NetConfig
from lane_seg_train.nets import build_net
from lane_seg_train.nets.summary import NetSummary, summarize
from tests.lane_seg_train.nets.examples import EXAMPLES, all_examples, build


def test_a_convolution_costs_its_weights_at_each_place() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
    summary = summarize(net, 32, 64)
    assert summary.parameters == 3 * 8 * 9 + 8
    # The bias is added, not multiplied.
    assert summary.gmac == pytest.approx(16 * 32 * (3 * 8 * 9) / 1e9)
    assert summary.float32_mb == pytest.approx(4 * (3 * 8 * 9 + 8) / 1e6)


def test_a_depthwise_convolution_costs_its_own_weights_only() -> None:
    net = nn.Conv2d(3, 3, 5, padding=2, groups=3)
    assert summarize(net, 10, 20).gmac == pytest.approx(10 * 20 * 3 * 25 / 1e9)


def test_a_small_unet_costs_what_its_layers_cost() -> None:
    net = build_net(NetConfig(width=4, depth=1, multipliers=(1, 2)), 3)
    half, quarter = 16 * 32, 8 * 16
    macs = half * (3 * 4 * 9 + 4 * 4 * 9 + 4 * 4 * 9 + 4 * 12)  # stem, encoder, decoder, head
    macs += quarter * (4 * 8 * 9 + 8 * 8 * 9 + 8 * 4)  # down, convolution, up
    summary = summarize(net, 32, 64)
    assert summary.gmac == pytest.approx(macs / 1e9)
    convolutions = 3 * 4 * 9 + 2 * 4 * 4 * 9 + 4 * 12 + 12 + 4 * 8 * 9 + 8 * 8 * 9 + 8 * 4
    assert summary.parameters == convolutions + 2 * (4 + 4 + 8 + 8 + 4 + 4)


def test_work_grows_with_the_picture_and_parameters_do_not() -> None:
    net = build_net(NetConfig(width=4, depth=1), 3)
    small, large = summarize(net, 32, 64), summarize(net, 64, 128)
    assert large.gmac == pytest.approx(4 * small.gmac)
    assert large.parameters == small.parameters


def test_the_moments_of_an_optimizer_are_no_part_of_the_size() -> None:
    net = build_net(NetConfig(width=4, depth=1), 3)
    before = summarize(net, 32, 64)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(2, 3, 32, 64)).sum().backward()
    optimizer.step()
    assert len(optimizer.state) == len(list(net.parameters()))
    assert summarize(net, 32, 64) == before


@all_examples
def test_counting_leaves_every_network_as_it_was(example: str) -> None:
    net = build(EXAMPLES[example])
    before = {name: item.clone() for name, item in net.state_dict().items()}
    summary = summarize(net, 64, 96)
    assert summary.gmac > 0
    assert net.training
    for name, item in net.state_dict().items():
        assert item.device.type == 'cpu'
        assert torch.equal(item, before[name])


@all_examples
def test_meta_tensors_cost_as_much_as_real_ones(example: str) -> None:
    net = build(EXAMPLES[example]).eval()
    counter = torch.utils.flop_counter.FlopCounterMode(display=False)
    # Attention as one kernel of the CPU would not be counted.
    with (
        torch.no_grad(),
        counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        net(torch.zeros(1, 3, 64, 96))
    assert summarize(net, 64, 96).gmac * 2e9 == pytest.approx(counter.get_total_flops())


def test_it_reads_as_a_line() -> None:
    text = str(NetSummary(parameters=1_830_000, gmac=1.756, float32_mb=7.32))
    assert text == '1.83 M parameters (7.3 MB as float32), 1.76 GMAC'
