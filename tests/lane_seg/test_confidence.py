"""The second output says how probable the chosen class is, and changes nothing of the mask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('onnx')

import onnx
from onnx import TensorProto, helper, numpy_helper

from lane_seg.bundle import ModelBundle
from lane_seg.confidence import add_confidence
from lane_seg.engines import open_engine
from lane_seg.errors import BundleError
from tests.lane_seg_engine.quantized_graphs import quantized_graph
from tests.tiny_bundle import tiny_graph

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH = 8, 64


def choice_graph(classes: int, *, logits: np.ndarray) -> onnx.ModelProto:
    """Adds an image to constant logits and chooses a class as exported graphs do."""
    planes = [f'plane_{index}' for index in range(classes)]
    nodes = [
        helper.make_node('Cast', ['image'], ['float'], to=TensorProto.FLOAT),
        helper.make_node('ReduceSum', ['float', 'last'], ['grey'], keepdims=0),
        helper.make_node('Add', ['constant', 'grey'], ['logits']),
        helper.make_node('Split', ['logits', 'ones'], [f'{p}_4d' for p in planes], axis=1),
        *(helper.make_node('Squeeze', [f'{p}_4d', 'one'], [p]) for p in planes),
    ]
    best, mask = planes[0], 'class_0'
    for index in range(1, classes):
        nodes += [
            helper.make_node('Greater', [planes[index], best], [f'higher_{index}']),
            helper.make_node(
                'Where', [f'higher_{index}', f'class_{index}', mask], [f'mask_{index}']
            ),
            helper.make_node('Max', [best, planes[index]], [f'best_{index}']),
        ]
        best, mask = f'best_{index}', f'mask_{index}'
    nodes.append(helper.make_node('Cast', [mask], ['mask'], to=TensorProto.UINT8))
    constants = {
        'last': np.array([3]), 'one': np.array([1]), 'ones': np.ones(classes, np.int64),
        'constant': logits.astype(np.float32),
        **{f'class_{index}': np.float32(index) for index in range(classes)},
    }  # fmt: skip
    graph = helper.make_graph(
        nodes,
        'choice',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info('mask', TensorProto.UINT8, [1, HEIGHT, WIDTH])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def softmax_levels(logits: np.ndarray) -> np.ndarray:
    """255 times the largest probability, along axis 1, in float64."""
    logits = logits.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return 255 / powers.sum(axis=1)


def run(model: onnx.ModelProto, image: np.ndarray, engine: str) -> dict[str, np.ndarray]:
    """All outputs by their names, computed by a library as it comes."""
    library = pytest.importorskip(engine)
    data = model.SerializeToString()
    names = [item.name for item in model.graph.output]
    if engine == 'onnxruntime':
        session = library.InferenceSession(data, providers=['CPUExecutionProvider'])
        return dict(zip(names, session.run(names, {'image': image}), strict=True))
    core = library.Core()
    compiled = core.compile_model(
        core.read_model(model=data), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'}
    )
    request = compiled.create_infer_request()
    request.infer([image])
    return {name: request.get_tensor(name).data.copy() for name in names}


engines = pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])


@engines
@pytest.mark.parametrize('classes', [2, 3, 7])
def test_it_is_255_times_the_largest_softmax_probability(classes: int, engine: str) -> None:
    rng = np.random.default_rng(classes)
    # From undecided to certain, with logits that exp alone could not take.
    spread = np.linspace(0, 20, WIDTH)
    logits = rng.normal(size=(1, classes, HEIGHT, WIDTH)) * spread + 300
    model = choice_graph(classes, logits=logits)
    without = run(model, np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), engine)
    add_confidence(model, classes)
    found = run(model, np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), engine)
    assert np.array_equal(found['mask'], without['mask'])
    assert np.array_equal(found['mask'], logits.astype(np.float32).argmax(axis=1))
    confidence = found['confidence']
    assert (confidence.dtype, confidence.shape) == (np.uint8, (1, HEIGHT, WIDTH))
    assert np.abs(confidence - softmax_levels(logits)).max() <= 1
    assert confidence.max() == 255
    assert confidence[..., 0].max() <= np.ceil(255 / classes)  # where no class stands out


@engines
def test_the_shipped_model_gives_the_same_mask_and_the_softmax_of_its_own_logits(
    engine: str, tmp_path: Path
) -> None:
    from lane_seg.preprocess import tensor_from_image
    from lane_seg_scene import RoadScene

    bundle = ModelBundle.load('default')
    model = onnx.load(bundle.onnx_path)
    before = list(model.graph.node)
    add_confidence(model, len(bundle.classes))
    assert list(model.graph.node)[: len(before)] == before  # nothing of the network changed
    onnx.save(model, tmp_path / 'model.onnx')
    sure = replace(bundle, onnx_path=tmp_path / 'model.onnx', confidence=True)
    tensor = tensor_from_image(RoadScene(0).frame(0.0).image, (bundle.height, bundle.width))
    with open_engine(bundle, engine) as plain, open_engine(sure, engine) as both:
        mask, _ = both.infer_both(tensor)
        assert len(np.unique(mask)) == len(bundle.classes)
        assert np.array_equal(mask, plain.infer(tensor))
    (split,) = (node for node in model.graph.node if node.op_type == 'Split')
    shape = [1, len(bundle.classes), bundle.height, bundle.width]
    model.graph.output.append(
        helper.make_tensor_value_info(split.input[0], TensorProto.FLOAT, shape)
    )
    found = run(model, tensor[None], engine)
    wanted = softmax_levels(found[split.input[0]])
    assert np.abs(found['confidence'] - wanted).max() <= 1
    assert wanted.min() < 150  # it is not certain everywhere


def test_a_graph_that_has_it_already_is_refused() -> None:
    model = tiny_graph(16, 32, confidence=True)
    with pytest.raises(BundleError, match='found it there already; export the model again'):
        add_confidence(model, 3)


@pytest.mark.parametrize(
    ('model', 'found'),
    [
        (quantized_graph(), 'found ArgMax before the choice'),
        (tiny_graph(16, 32), 'found Add before the choice'),
        (choice_graph(3, logits=np.zeros((1, 3, HEIGHT, WIDTH))), 'found Split before'),
    ],
)
def test_a_graph_that_chooses_otherwise_is_refused_and_left_alone(
    model: onnx.ModelProto, found: str
) -> None:
    before = model.SerializeToString()
    with pytest.raises(BundleError, match=f'among 4 planes of logits, {found}'):
        add_confidence(model, 4)
    assert model.SerializeToString() == before
