"""What every network has to do, whatever its kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.nets import NETS
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.onnx_from_checkpoint import OPSET, onnx_from_checkpoint
from tests.lane_seg_train.nets.examples import EXAMPLES, all_examples, build, experienced

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg_train.nets.net import Net

SIZE = (64, 96)


def checkpoint_of(net: Net, example: str, classes: int = 3) -> Checkpoint:
    return Checkpoint(
        net=net,
        net_config=EXAMPLES[example],
        classes=tuple(f'class {index}' for index in range(classes)),
        height=SIZE[0],
        width=SIZE[1],
        name='test',
        metrics={},
    )


def test_every_network_has_an_example() -> None:
    assert {config.name for config in EXAMPLES.values()} == set(NETS)


@all_examples
def test_logits_have_the_size_of_the_image_and_a_channel_for_each_class(example: str) -> None:
    net = build(EXAMPLES[example], classes=2).eval()
    with torch.no_grad():
        logits = net(torch.randn(2, 3, *SIZE))
    assert logits.shape == (2, 2, *SIZE)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@all_examples
def test_every_weight_is_taught(example: str) -> None:
    net = build(EXAMPLES[example])
    logits = net(torch.randn(2, 3, *SIZE))
    (logits * torch.randn_like(logits)).mean().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        # Softmax over the keys does not change with what all of them have in common.
        if not re.search(r'(k_proj|key)\.bias$', name):
            assert weight.grad.any(), name


@all_examples
def test_it_learns_in_the_memory_order_and_precision_of_the_trainer(example: str) -> None:
    net = build(EXAMPLES[example])
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.randn(2, 3, *SIZE).contiguous(memory_format=torch.channels_last)
    with torch.autocast('cpu', torch.bfloat16):
        logits = net(image)
    logits.float().square().mean().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name


@all_examples
def test_a_size_that_does_not_fit_is_refused_with_the_nearest_that_does(example: str) -> None:
    net = build(EXAMPLES[example]).eval()
    multiple = net.size_multiple
    with pytest.raises(LaneSegError) as caught:
        net.check_size(3 * multiple + 1, 2 * multiple - 1)
    near = f'{3 * multiple}x{2 * multiple}'
    found = f'{3 * multiple + 1}x{2 * multiple - 1}'
    assert str(caught.value) == (
        f'expected height and width to be multiples of {multiple}, found {found}; '
        f'the nearest valid size is {near}'
    )
    net.check_size(3 * multiple, 2 * multiple)
    with torch.no_grad():
        for size in ((3 * multiple, 2 * multiple), (multiple, multiple)):
            assert net(torch.zeros(1, 3, *size)).shape == (1, 3, *size)


@all_examples
def test_evaluation_gives_the_same_each_time_and_for_each_image_alone(example: str) -> None:
    net = experienced(EXAMPLES[example])
    images = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        together, again = net(images), net(images)
        alone = net(images[1:])
    assert torch.equal(together, again)
    assert torch.allclose(together[1:], alone, atol=1e-3 * float(together.std()))


@all_examples
def test_a_call_within_a_call_disturbs_neither(example: str) -> None:
    net = experienced(EXAMPLES[example])
    first, second = torch.randn(1, 3, *SIZE), torch.randn(2, 3, 2 * SIZE[0], SIZE[1])
    attributes = {id(part): set(vars(part)) for part in net.modules()}
    inner: list[torch.Tensor] = []

    def call_again(_module: torch.nn.Module, _inputs: object, _output: object) -> None:
        if not running:
            running.append(True)
            inner.append(net(second))

    running: list[bool] = []
    leaves = [part for part in net.modules() if isinstance(part, torch.nn.Conv2d)]
    with torch.no_grad():
        expected = net(first), net(second)
        handle = leaves[len(leaves) // 2].register_forward_hook(call_again)
        outer = net(first)
        handle.remove()
    assert torch.equal(outer, expected[0])
    assert torch.equal(inner[0], expected[1])
    assert {id(part): set(vars(part)) for part in net.modules()} == attributes


@all_examples
def test_a_checkpoint_brings_back_the_same_network(example: str, tmp_path: Path) -> None:
    net = experienced(EXAMPLES[example])
    checkpoint_of(net, example).save(tmp_path / 'a.pt')
    loaded = Checkpoint.load(tmp_path / 'a.pt').net
    assert list(loaded.state_dict()) == list(net.state_dict())
    image = torch.randn(1, 3, *SIZE)
    with torch.no_grad():
        assert torch.equal(loaded(image), net(image))


@all_examples
def test_the_exported_graph_gives_the_same_mask(example: str) -> None:
    # Many classes, so that a random network does not see the same one everywhere.
    net = experienced(EXAMPLES[example], classes=20)
    model = onnx_from_checkpoint(checkpoint_of(net, example, classes=20))
    assert [(item.domain, item.version) for item in model.opset_import] == [('', OPSET)]
    operators = {node.op_type for node in model.graph.node}
    # TensorRT runs the first in float, and the second is no part of what it reads.
    assert not operators & {'ConvTranspose', 'MaxUnpool', 'BatchNormalization'}
    patches = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 3), np.uint8)
    image = patches.repeat(SIZE[0] // 4, axis=1).repeat(SIZE[1] // 6, axis=2)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (mask,) = session.run(None, {'image': image})
    with torch.no_grad():
        planes = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
        expected = net(normalized(planes)).argmax(dim=1).numpy()
    assert len(np.unique(expected)) > 1  # otherwise the comparison proves nothing
    assert np.mean(mask == expected) >= 0.999


@all_examples
def test_training_with_one_image_works_or_says_what_it_needs(example: str) -> None:
    net = build(EXAMPLES[example])
    smallest = (net.size_multiple, net.size_multiple)
    for size in (SIZE, smallest):
        try:
            logits = net(torch.randn(1, 3, *size))
        except LaneSegError as error:
            text = f'found a batch of 1 image of {size[0]}x{size[1]}; take a batch_size of 2'
            assert text in str(error)
            # Only what pools the whole image, or has one pixel left, may refuse.
            assert size == smallest or example.startswith('deeplab')
        else:
            assert logits.shape == (1, 3, *size)


@all_examples
def test_a_network_that_sees_grey_sees_the_mean_of_the_channels(example: str) -> None:
    net = experienced(EXAMPLES[example])
    image = torch.randn(1, 3, *SIZE)
    grey = image.mean(dim=1, keepdim=True).expand_as(image)
    with torch.no_grad():
        logits = net(image)
        is_blind = torch.allclose(logits, net(grey), atol=1e-4 * float(logits.std()))
    assert is_blind == (EXAMPLES[example].in_channels == 1)


@all_examples
def test_dropout_is_the_only_thing_random_about_training(example: str) -> None:
    net = build(EXAMPLES[example])
    image = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        is_random = not torch.equal(net(image), net(image))
    assert is_random == (EXAMPLES[example].dropout > 0)
