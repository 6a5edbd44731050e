"""A real but tiny model bundle for tests: bright pixels are lane marking, mid-grey ones road."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from lane_seg.files import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

ROAD_FROM, MARKING_FROM = 60.0, 170.0


def tiny_graph(height: int, width: int, *, confidence: bool = False) -> onnx.ModelProto:
    """(1,H,W,3) uint8 -> (1,H,W) uint8: 0 below ROAD_FROM, 1 from there, 2 from MARKING_FROM.

    It is the more confident, the brighter a pixel is: rounded mean of blue, green and red.
    """
    constants = {
        'road_from': np.float32(ROAD_FROM),
        'marking_from': np.float32(MARKING_FROM),
    }
    nodes = [
        helper.make_node('Cast', ['image'], ['float'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMean', ['float'], ['grey'], axes=[3], keepdims=0),
        helper.make_node('GreaterOrEqual', ['grey', 'road_from'], ['is_road']),
        helper.make_node('GreaterOrEqual', ['grey', 'marking_from'], ['is_marking']),
        helper.make_node('Cast', ['is_road'], ['road'], to=TensorProto.UINT8),
        helper.make_node('Cast', ['is_marking'], ['marking'], to=TensorProto.UINT8),
        helper.make_node('Add', ['road', 'marking'], ['mask']),
    ]
    outputs = ['mask']
    if confidence:
        outputs.append('confidence')
        nodes += [
            helper.make_node('Round', ['grey'], ['level']),
            helper.make_node('Cast', ['level'], ['confidence'], to=TensorProto.UINT8),
        ]
    graph = helper.make_graph(
        nodes,
        'tiny',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, height, width, 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.UINT8, [1, height, width])
            for name in outputs
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def tiny_spec(directory: Path, height: int, width: int, fit: str = 'stretch') -> dict[str, object]:
    """The content of model.yaml for what lies in `directory`."""
    return {
        'schema': 1,
        'name': 'tiny',
        'version': '0.0.1',
        'input': {'height': height, 'width': width, 'colour_order': 'bgr', 'fit': fit},
        'classes': [
            {'id': 0, 'name': 'background', 'colour': [0, 0, 0]},
            {'id': 1, 'name': 'road', 'colour': [0, 160, 0]},
            {'id': 2, 'name': 'lane_marking', 'colour': [0, 0, 255]},
        ],
        'unlabeled_id': 255,
        'precision': 'fp32',
        'files': {'model.onnx': {'sha256': sha256_of(directory / 'model.onnx')}},
    }


def make_tiny_bundle(
    directory: Path,
    *,
    height: int = 64,
    width: int = 128,
    fit: str = 'stretch',
    confidence: bool = False,
) -> Path:
    """Write the bundle into `directory` (made if absent) and return it."""
    changes = {'confidence': True} if confidence else {}
    return write_bundle(
        directory, tiny_graph(height, width, confidence=confidence), fit=fit, **changes
    )


def write_bundle(
    directory: Path, model: onnx.ModelProto, *, fit: str = 'stretch', **changes: object
) -> Path:
    """Write a bundle around a graph of the tiny one's signature and return its folder.

    Args:
        directory: made if absent.
        model: whose image input tells the size.
        fit: how images are fitted to it.
        changes: to the rest of model.yaml.
    """
    directory.mkdir(parents=True, exist_ok=True)
    onnx.save(model, directory / 'model.onnx')
    _, height, width, _ = (d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    spec = {**tiny_spec(directory, height, width, fit), **changes}
    (directory / 'model.yaml').write_text(yaml.safe_dump(spec), encoding='utf-8')
    return directory
