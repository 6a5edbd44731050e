"""The exported graph computes what the network computes, from bytes to class ids."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from lane_seg.confidence import add_confidence
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.fake_quantization.quantized_net import INPUT_SCALE, QuantizedNet
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.onnx_from_checkpoint import IR_VERSION, OPSET, onnx_from_checkpoint
from tests.lane_seg_train.nets.examples import EXAMPLES, all_examples, experienced
from tests.lane_seg_train.tiny_training import (
    HEIGHT,
    WIDTH,
    pairs,
    quantized_checkpoint,
    random_checkpoint,
)

MOVES = ('Concat', 'MaxPool', 'Resize')


def test_the_graph_gives_the_same_mask_as_the_network() -> None:
    checkpoint = random_checkpoint()
    model = onnx_from_checkpoint(checkpoint)
    image = np.random.default_rng(1).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    mask = session.run(None, {'image': image})[0]
    with torch.no_grad():
        planes = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
        expected = checkpoint.net(normalized(planes)).argmax(dim=1).numpy()
    assert mask.dtype == np.uint8
    assert mask.shape == (1, HEIGHT, WIDTH)
    assert len(np.unique(expected)) > 1  # otherwise the comparison proves nothing
    # Not 100 %: batch normalization folded into weights rounds the last bit elsewhere.
    assert np.mean(mask == expected) > 0.9999


def test_the_confidence_is_pytorchs_softmax() -> None:
    checkpoint = random_checkpoint()
    model = onnx_from_checkpoint(checkpoint, confidence=True)
    image = np.random.default_rng(1).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    confidence = session.run(['confidence'], {'image': image})[0]
    with torch.no_grad():
        planes = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
        expected = checkpoint.net(normalized(planes)).softmax(dim=1).amax(dim=1).numpy()
    assert confidence.dtype == np.uint8
    assert confidence.shape == (1, HEIGHT, WIDTH)
    assert np.ptp(expected) > 0.1  # otherwise the comparison proves nothing
    assert np.abs(confidence - 255 * expected).max() <= 1


@pytest.mark.parametrize('is_quantized', [False, True])
def test_the_graph_keeps_to_what_tensorrt_reads(is_quantized: bool) -> None:
    checkpoint = quantized_checkpoint() if is_quantized else random_checkpoint()
    model = onnx_from_checkpoint(checkpoint)
    operators = {node.op_type for node in model.graph.node}
    assert [(item.domain, item.version) for item in model.opset_import] == [('', OPSET)]
    assert (OPSET, model.ir_version) == (17, IR_VERSION) == (17, 8)
    assert not operators & {'ConvTranspose', 'BatchNormalization', 'ArgMax', 'TopK', 'Constant'}
    assert [item.name for item in model.graph.input] == ['image']
    assert [item.name for item in model.graph.output] == ['mask']


def test_the_graph_holds_no_large_constants() -> None:
    checkpoint = random_checkpoint()
    weights = sum(p.numel() * 4 for p in checkpoint.net.parameters())
    assert len(onnx_from_checkpoint(checkpoint).SerializeToString()) < weights + 20_000


# Quantized ones.


class Graph:
    """A quantized network's graph, with what the tests ask of it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.model = onnx_from_checkpoint(checkpoint)
        self.nodes = list(self.model.graph.node)
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.values = {
            item.name: numpy_helper.to_array(item) for item in self.model.graph.initializer
        }

    def of(self, *kinds: str) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if node.op_type in kinds]

    def sources(self, name: str) -> list[onnx.NodeProto | None]:
        """What made a tensor, looking through what only moves values."""
        node = self.maker.get(name)
        if node is None or node.op_type not in MOVES:
            return [node]
        names = node.input if node.op_type == 'Concat' else node.input[:1]
        return [source for name in names for source in self.sources(name)]

    def kinds(self, name: str) -> set[str]:
        return {'' if node is None else node.op_type for node in self.sources(name)}


@pytest.fixture(scope='module')
def graphs() -> dict[str, Graph]:
    return {}


@pytest.fixture
def graph(graphs: dict[str, Graph], example: str) -> Graph:
    """Of one of the networks; exported once for all tests."""
    if example not in graphs:
        checkpoint = Checkpoint(
            net=experienced(EXAMPLES[example], (HEIGHT, WIDTH)),
            net_config=EXAMPLES[example],
            classes=('background', 'road', 'lane_marking'),
            height=HEIGHT,
            width=WIDTH,
            name='test',
            metrics={},
        )
        graphs[example] = Graph(quantized_checkpoint(checkpoint, [pairs(1)[0][0]]))
    return graphs[example]


@all_examples
def test_every_zero_point_is_int8_zero(graph: Graph) -> None:
    nodes = graph.of('QuantizeLinear', 'DequantizeLinear')
    assert nodes
    for node in nodes:
        zero = graph.values[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()
        assert (graph.values[node.input[1]] > 0).all()


@all_examples
def test_every_convolution_reads_int8_and_weights_stored_per_output_channel(graph: Graph) -> None:
    convolutions = graph.of('Conv')
    assert convolutions
    for node in convolutions:
        assert graph.kinds(node.input[0]) == {'DequantizeLinear'}
        dequantize = graph.maker[node.input[1]]
        assert dequantize.op_type == 'DequantizeLinear'
        codes, scale, zero = (graph.values[name] for name in dequantize.input)
        assert codes.dtype == np.int8
        assert scale.shape == zero.shape == (codes.shape[0],)
        assert [item.i for item in dequantize.attribute if item.name == 'axis'] == [0]
        assert all(graph.values[name].dtype == np.float32 for name in node.input[2:])


@all_examples
def test_activations_have_a_pair_each_and_weights_none_that_runs(graph: Graph) -> None:
    quantize = graph.of('QuantizeLinear')
    assert not [node for node in quantize if node.input[0] in graph.values]
    assert len({node.input[0] for node in quantize}) == len(quantize)  # each tensor once
    assert all(graph.values[node.input[1]].shape == () for node in quantize)
    readers = [node for node in graph.of('DequantizeLinear') if node.input[0] not in graph.values]
    assert sorted(node.input[0] for node in readers) == sorted(n.output[0] for n in quantize)
    for node in readers:
        assert node.input[1:] == graph.maker[node.input[0]].input[1:]
    # Nothing is rounded twice.
    assert not [node for node in quantize if 'DequantizeLinear' in graph.kinds(node.input[0])]


@all_examples
def test_nothing_comes_between_a_convolution_and_its_activation(graph: Graph) -> None:
    assert not graph.of('BatchNormalization')
    for node in graph.of('Relu', 'Clip', 'PRelu'):
        # ENet concatenates in between; those inputs are floats.
        assert 'DequantizeLinear' not in graph.kinds(node.input[0])


@all_examples
def test_both_sides_of_an_addition_are_int8_and_a_concatenation_has_one_scale(
    graph: Graph,
) -> None:
    makers = {'Conv', 'DequantizeLinear'}
    for node in graph.of('Add'):
        kinds = [graph.kinds(name) for name in node.input if name not in graph.values]
        if len(kinds) == 2 and all(kind <= makers for kind in kinds):  # of feature maps
            assert kinds == [{'DequantizeLinear'}] * 2
    for node in graph.of('Concat'):
        if graph.kinds(node.output[0]) == {'DequantizeLinear'}:
            sources = graph.sources(node.output[0])
            assert len({float(graph.values[s.input[1]]) for s in sources if s is not None}) == 1


@all_examples
def test_the_logits_stay_float(graph: Graph) -> None:
    fed = {'mask'}
    for node in reversed(graph.nodes):
        if fed & set(node.output):
            assert node.op_type not in ('QuantizeLinear', 'DequantizeLinear')
            if node.op_type not in ('Conv', 'Add'):
                fed |= set(node.input)


@all_examples
def test_a_weight_takes_about_a_byte(graph: Graph, example: str) -> None:
    convolutions = [
        part
        for part in experienced(EXAMPLES[example], (HEIGHT, WIDTH)).modules()
        if isinstance(part, torch.nn.Conv2d)
    ]
    codes = [graph.values[graph.maker[node.input[1]].input[0]] for node in graph.of('Conv')]
    assert sum(item.nbytes for item in codes) == sum(p.weight.numel() for p in convolutions)
    if example.startswith('segformer'):  # most of it is linear layers
        return
    # For each channel scale, zero point and bias; for each node its names.
    channels = sum(len(part.weight) for part in convolutions)
    rest = sum(item.nbytes for item in graph.values.values()) - sum(c.nbytes for c in codes)
    assert rest <= 9 * channels + 4 * 2500
    assert graph.model.ByteSize() < sum(c.nbytes for c in codes) + rest + 500 * len(graph.nodes)


@all_examples
def test_no_constant_is_left_that_nobody_reads(graph: Graph) -> None:
    used = {name for node in graph.nodes for name in node.input}
    assert set(graph.values) <= used
    onnx.checker.check_model(graph.model, full_check=True)


@all_examples
def test_the_confidence_only_adds_to_the_graph_of_every_net(graph: Graph, example: str) -> None:
    model = onnx.ModelProto.FromString(graph.model.SerializeToString())
    add_confidence(model, 3)
    count = len(graph.nodes)
    assert list(model.graph.node[:count]) == graph.nodes
    assert not {'QuantizeLinear', 'DequantizeLinear'} & {
        node.op_type for node in model.graph.node[count:]
    }
    assert [item.name for item in model.graph.output] == ['mask', 'confidence']


def test_the_scales_are_those_of_the_network() -> None:
    checkpoint = quantized_checkpoint()
    net = checkpoint.net
    assert isinstance(net, QuantizedNet)
    graph = Graph(checkpoint)
    found = [float(graph.values[node.input[1]]) for node in graph.of('QuantizeLinear')]
    assert sorted(found) == sorted(float(item.scale) for item in net.activation_quantizers())
    assert found[0] == INPUT_SCALE


def test_excluded_convolutions_keep_float_weights_and_fold_their_normalization() -> None:
    graph = Graph(quantized_checkpoint(exclude=('stem', 'head')))
    float_ones = [node for node in graph.of('Conv') if node.input[1] in graph.values]
    assert len(float_ones) == 2
    for node in float_ones:
        assert graph.values[node.input[1]].dtype == np.float32
        assert graph.kinds(node.input[0]) != {'DequantizeLinear'}
    assert not graph.of('BatchNormalization')
