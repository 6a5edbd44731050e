"""A quantized network rounds as its file will, and is still the network that it was."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from lane_seg_train.fake_quantization.quantized_net import INPUT_SCALE, QuantizedNet
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.quantization.calibration import calibrate
from tests.lane_seg_train.fake_quantization.watching import PER_CHANNEL, PER_TENSOR, watched
from tests.lane_seg_train.nets.examples import EXAMPLES, experienced
from tests.lane_seg_train.tiny_training import (
    HEIGHT,
    WIDTH,
    pairs,
    quantized_checkpoint,
    random_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = (HEIGHT, WIDTH)


def tiny(**options: int) -> QuantizedNet:
    """A network calibrated on `pairs`."""
    net = QuantizedNet(random_checkpoint().net, SIZE, **options)  # type: ignore[arg-type]
    calibrate(net, [image for image, _ in pairs()])
    return net


def picture() -> torch.Tensor:
    """One that calibration has seen."""
    return normalized(torch.from_numpy(pairs()[0][0][None])).permute(0, 3, 1, 2)


def noise(count: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(1)).clamp(-2, 1.9)


def test_with_all_quantizers_switched_off_it_is_the_float_network_bit_for_bit() -> None:
    net = tiny()
    with torch.no_grad():
        expected = net.net(noise())
        assert not torch.equal(net(noise()), expected)
        for quantizer in (
            *net.activation_quantizers(),
            *(q for _, _, q in net.weight_quantizers()),
        ):
            quantizer.enabled = False
        assert torch.equal(net(noise()), expected)


def test_running_without_rounding_is_the_float_network_bit_for_bit() -> None:
    net = tiny()
    with torch.no_grad():
        passing = [nn.Identity()] * net.placement.activations
        logits = net.run(noise(), passing, quantize_weights=False)
        assert torch.equal(logits, net.net(noise()))


def test_each_rounding_is_at_most_half_a_step_of_its_scale() -> None:
    net = tiny()
    worst = []

    def measuring(number: int) -> Callable[[torch.Tensor], torch.Tensor]:
        quantizer = net.activation_quantizers()[number]

        def measure(tensor: torch.Tensor) -> torch.Tensor:
            worst.append(float((quantizer(tensor) - tensor).abs().max() / quantizer.scale))
            return tensor

        return measure

    image = torch.from_numpy(pairs()[0][0][None]).float().sub(128).div(64).permute(0, 3, 1, 2)
    with torch.no_grad():  # in float, as calibration saw it: nothing is clipped
        net.run(
            image, list(map(measuring, range(net.placement.activations))), quantize_weights=False
        )  # type: ignore[arg-type]
    assert max(worst) <= 0.5001
    assert min(worst) == 0  # of the image itself


@pytest.mark.parametrize('option', ['weight_bits', 'activation_bits'])
def test_more_bits_come_closer_to_float(option: str) -> None:
    errors = []
    for bits in (8, 6, 4):
        net = tiny(**{option: bits})
        with torch.no_grad():
            errors.append(float((net(picture()) - net.net(picture())).square().mean()))
    assert 0 < errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize('bits', [8, 6, 4])
def test_the_input_is_exact_whatever_the_bits_of_all_others(bits: int) -> None:
    net = tiny(activation_bits=bits)
    others = net.activation_quantizers()
    assert net.placement.image is not None
    image = others.pop(net.placement.image)
    assert (float(image.scale), image.code_max) == (INPUT_SCALE, 127)
    assert {quantizer.code_max for quantizer in others} == {2 ** (bits - 1) - 1}
    assert torch.equal(image(picture()), picture())


def test_chosen_convolutions_alone_are_rounded() -> None:
    net = tiny()
    chosen = net.placement.weights[2]
    with torch.no_grad():
        expected = net(picture())
        net.enable([chosen])
        rounded = watched(net, picture())[0]
        weights = {name: weight for name, weight, _ in net.weight_quantizers()}
        assert [call.args[0] is weights[chosen] for call in rounded.of(PER_CHANNEL)] == [True]
        assert len(rounded.of(PER_TENSOR)) == 1
        net.enable([])
        assert torch.equal(net(picture()), net.net(picture()))
        net.enable(None)
        assert torch.equal(net(picture()), expected)


def test_the_largest_weight_of_each_channel_becomes_127_and_none_minus_128() -> None:
    net = tiny()
    assert [name for name, _, _ in net.weight_quantizers()] == list(net.placement.weights)
    with torch.no_grad():
        for name, weight, quantizer in net.weight_quantizers():
            assert weight is net.net.get_submodule(name).weight
            codes = (quantizer(weight) / quantizer.scale.reshape(-1, 1, 1, 1)).round()
            assert (codes.abs().amax((1, 2, 3)) == 127).all()


def test_the_weights_keep_their_precision_and_their_names() -> None:
    checkpoint = random_checkpoint()
    before = copy.deepcopy(checkpoint.net.state_dict())
    net = quantized_checkpoint(checkpoint).net
    assert isinstance(net, QuantizedNet)
    after = net.net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize('example', ['unet', 'unet of 2015', 'mobilenetv2_unet', 'enet'])
def test_every_parameter_learns_through_the_rounding(example: str) -> None:
    net = QuantizedNet(experienced(EXAMPLES[example], SIZE), SIZE)
    for quantizer in net.activation_quantizers():
        quantizer.set_amax(8.0)
    logits = net.train()(noise(2))
    (logits * torch.randn_like(logits)).mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_what_it_learned_is_rounded_to_the_scales_of_the_new_weights() -> None:
    net = tiny()
    name, weight, quantizer = next(net.weight_quantizers())
    before = quantizer.scale.clone()
    with torch.no_grad():
        weight *= 3
    net.set_weight_ranges()
    assert torch.allclose(quantizer.scale, 3 * before)


@pytest.mark.parametrize('training', [False, True])
def test_wrapping_takes_over_the_mode_and_leaves_the_statistics(training: bool) -> None:
    net = random_checkpoint().net.train(training)
    before = copy.deepcopy(net.state_dict())
    wrapped = QuantizedNet(net, SIZE)  # type: ignore[arg-type]
    assert all(part.training == training for part in wrapped.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_a_copy_and_a_loaded_state_compute_the_same() -> None:
    net = tiny()
    other = QuantizedNet(random_checkpoint().net, SIZE)  # type: ignore[arg-type]
    with torch.no_grad():
        expected = net(noise())
        assert torch.equal(copy.deepcopy(net)(noise()), expected)
        assert not torch.equal(other(noise()), expected)
        other.load_state_dict(net.state_dict())
        assert torch.equal(other(noise()), expected)
