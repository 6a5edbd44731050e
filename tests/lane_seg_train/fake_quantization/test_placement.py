"""Networks of every kind are quantized where TensorRT wants it, and nowhere else."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from lane_seg.errors import LaneSegError
from lane_seg_train.config import NetConfig
from lane_seg_train.fake_quantization.placement import find_placement
from lane_seg_train.fake_quantization.quantized_net import INPUT_SCALE, QuantizedNet
from tests.lane_seg_train.fake_quantization.watching import (
    PER_CHANNEL,
    PER_TENSOR,
    check_placement,
    is_quantized,
    watched,
)
from tests.lane_seg_train.nets.examples import EXAMPLES, all_examples, build

SIZE = (64, 96)
IMAGE = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))


class Small(nn.Module):
    """Convolutions `a`, `b`, `c` of 3 to 3 channels, put together in `forward` of a subclass."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))


def quantized(net: nn.Module, exclude: tuple[str, ...] = ()) -> QuantizedNet:
    return QuantizedNet(net.eval(), (16, 16), exclude=exclude)  # type: ignore[arg-type]


def small_image() -> torch.Tensor:
    return IMAGE[:, :, :16, :16].contiguous()


@all_examples
def test_every_network_keeps_all_rules(example: str) -> None:
    net = QuantizedNet(build(EXAMPLES[example]).eval(), SIZE)
    convolutions = [name for name, part in net.net.named_modules() if isinstance(part, nn.Conv2d)]
    watch = check_placement(net, IMAGE)
    if not example.startswith('segformer'):  # its linear layers are no convolutions
        assert sorted(net.placement.weights) == sorted(convolutions)
    assert len(watch.of('conv2d')) == len(net.placement.weights)
    assert set(net.placement.input_of) == set(net.placement.weights)


unets = st.builds(
    NetConfig,
    width=st.sampled_from([2, 4]),
    depth=st.integers(1, 3),
    stem_stride=st.sampled_from([1, 2, 4]),
    skip=st.sampled_from(['add', 'concat']),
    down=st.sampled_from(['conv', 'pool']),
    convs=st.integers(1, 2),
    batch_norm=st.booleans(),
    in_channels=st.sampled_from([1, 3]),
)


@settings(max_examples=40)
@given(unets)
def test_every_kind_of_unet_keeps_all_rules(config: NetConfig) -> None:
    net = QuantizedNet(build(config).eval(), SIZE)
    watch = check_placement(net, IMAGE)
    assert len(watch.of('cat')) == (config.depth if config.skip == 'concat' else 0)
    # What is resized or pooled is int8 before and after.
    moves = [call for call in watch.calls if call.is_move]
    assert len(moves) >= config.depth
    assert all(is_quantized(maker) for call in moves for maker in call.makers)
    assert (net.placement.image is None) == (config.in_channels == 1)


@pytest.mark.parametrize('in_channels', [1, 3])
def test_dropout_in_training_changes_nothing_about_the_places(in_channels: int) -> None:
    config = dataclasses.replace(EXAMPLES['unet'], dropout=0.5, in_channels=in_channels)
    net = QuantizedNet(build(config).eval(), SIZE).train()
    watch, _ = watched(net, IMAGE)
    assert len(watch.of('conv2d')) == len(net.placement.weights)
    assert all(is_quantized(call.makers[0]) for call in watch.of('conv2d'))


def test_a_tensor_that_several_read_is_rounded_once() -> None:
    class Shared(Small):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            features = functional.relu(self.a(image))
            return functional.relu(self.b(features) + features) + self.c(features)

    net = quantized(Shared())
    watch = check_placement(net, small_image())
    # image, features, b(features), the sum's relu, c(features)
    assert net.placement.activations == 5
    assert len(watch.of(PER_TENSOR)) == 5


def test_a_convolution_that_is_used_twice_has_one_scale_and_two_inputs() -> None:
    class Twice(Small):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.a(functional.relu(self.a(image)))

    net = quantized(Twice())
    watch = check_placement(net, small_image())
    assert net.placement.weights == ('a',)
    assert len(watch.of('conv2d')) == 2


def test_inputs_of_a_concatenation_share_a_scale_through_resizing_and_pooling() -> None:
    class Joined(Small):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Conv2d(9, 3, 1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            first = functional.relu(self.a(image))
            second = self.b(first)
            small = functional.max_pool2d(functional.relu(self.c(first)), 2)
            large = functional.interpolate(small, scale_factor=2.0)
            return self.last(torch.cat([torch.cat([first, second], 1), large], dim=1))

    net = quantized(Joined())
    check_placement(net, small_image())
    assert net.placement.activations == 2  # the image, and one for all three
    assert net.placement.input_of['last'] == net.placement.input_of['b']


def test_what_is_moved_for_nobody_but_the_output_stays_float() -> None:
    class Enlarged(Small):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            features = functional.relu(self.a(image))
            logits = torch.cat([self.b(features), features], dim=1)
            return functional.interpolate(logits, scale_factor=2.0, mode='nearest')

    watch, _ = watched(quantized(Enlarged()), small_image())
    assert not any(is_quantized(maker) for call in watch.of('cat') for maker in call.makers)
    assert len(watch.of(PER_TENSOR)) == 2


def test_a_bilinear_resize_computes_in_float_and_is_rounded_after_it() -> None:
    class Smooth(Small):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            small = functional.max_pool2d(functional.relu(self.a(image)), 2)
            large = functional.interpolate(small, scale_factor=2.0, mode='bilinear')
            return self.b(large)

    net = quantized(Smooth())
    watch = check_placement(net, small_image())
    [resize] = watch.of('interpolate')
    assert not is_quantized(resize.makers[0])
    assert net.placement.activations == 2


def test_excluded_convolutions_stay_float_and_their_neighbours_do_not() -> None:
    net = QuantizedNet(build(EXAMPLES['unet']).eval(), SIZE, exclude=('encoder.1', 'head'))
    excluded = [name for name in dict(net.net.named_modules()) if name.startswith('encoder.1.')]
    assert excluded
    assert not any(name.startswith(('encoder.1.', 'head')) for name in net.placement.weights)
    assert any(name.startswith('encoder.2.') for name in net.placement.weights)
    watch, _ = watched(net, IMAGE)
    rounded = [
        (is_quantized(call.makers[0]), call.makers[1] is not None)
        for call in watch.of('conv2d')
        if call.makers[1] is not None or not is_quantized(call.makers[0])
    ]
    assert rounded.count((True, True)) == len(net.placement.weights)
    head = watch.of('conv2d')[-1]
    assert head.makers[1] is None
    assert not is_quantized(head.makers[0])
    assert len(watch.of(PER_CHANNEL)) == len(net.placement.weights)


def test_with_everything_excluded_nothing_is_rounded() -> None:
    net = quantized(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 2, 1)), ('0', '2'))
    watch, logits = watched(net, small_image())
    assert (net.placement.activations, net.placement.image) == (0, None)
    assert torch.equal(logits, net.net(small_image()))
    assert not watch.of(PER_TENSOR, PER_CHANNEL)


@pytest.mark.parametrize('name', ['encoder.9', 'enc', 'head.0', ''])
def test_a_name_that_no_convolution_has_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(LaneSegError, match=r'exclude: expected names of convolutions, found') as e:
        QuantizedNet(build(EXAMPLES['unet']).eval(), SIZE, exclude=('head', name))
    assert f'found {name}; there are stem.0' in str(e.value)


def test_a_tensor_that_changes_in_place_after_it_was_read_is_refused() -> None:
    class Late(Small):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            features = self.a(image)
            early = self.b(features)
            return early + self.c(functional.relu(features, inplace=True))

    with pytest.raises(LaneSegError, match='found one that an in-place operation changes'):
        quantized(Late())


def test_a_moved_tensor_that_changes_in_place_is_refused() -> None:
    class Pooled(Small):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            pooled = functional.max_pool2d(self.a(image), 2)
            return self.b(functional.relu(pooled, inplace=True))

    with pytest.raises(LaneSegError, match='use the operation that is not in place'):
        quantized(Pooled())


def test_a_tensor_that_changes_in_place_before_anybody_reads_it_is_none_the_worse() -> None:
    net = quantized(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True), nn.Conv2d(3, 2, 1)))
    check_placement(net, small_image())


@pytest.mark.parametrize('then', ['other', 'more', 'fewer'])
def test_a_network_that_makes_other_calls_the_next_time_is_refused(then: str) -> None:
    class Moody(Small):
        mood = ''

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            features = functional.relu(self.a(image))
            if self.mood == 'other':
                return functional.relu(features + features)
            logits = features if self.mood == 'fewer' else self.b(features)
            return self.c(logits) if self.mood == 'more' else logits

    net = quantized(Moody())
    net(small_image())
    net.net.mood = then  # type: ignore[assignment]
    with pytest.raises(LaneSegError, match='expected a network that makes the same calls'):
        net(small_image())
    net.net.mood = ''  # type: ignore[assignment]
    net(small_image())


def test_placement_is_found_without_a_trace_in_the_network() -> None:
    net = build(EXAMPLES['unet']).eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    first, second = (find_placement(net, torch.zeros(1, 3, *SIZE)) for _ in range(2))
    assert first == second
    assert first.image is not None
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert QuantizedNet(net, SIZE).activation_quantizers()[first.image].scale == INPUT_SCALE
