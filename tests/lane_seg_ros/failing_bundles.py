"""Models that ONNX Runtime really fails on, or never ends with, once a pixel is bright."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.tiny_bundle import tiny_graph, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH = 64, 128


def fragile_bundle(directory: Path) -> Path:
    """Write the tiny bundle, whose engine fails where a pixel is brighter than 200."""
    model = tiny_graph(HEIGHT, WIDTH)
    nodes = [
        helper.make_node('ReduceMax', ['float'], ['brightest'], keepdims=0),
        helper.make_node('Cast', ['brightest'], ['index'], to=TensorProto.INT64),
        helper.make_node('Gather', ['table', 'index'], ['nothing']),
        helper.make_node('Add', ['mask_before', 'nothing'], ['mask']),
    ]
    model.graph.node[-1].output[0] = 'mask_before'
    model.graph.node.extend(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(200, np.uint8), 'table'))
    onnx.checker.check_model(model)
    return write_bundle(directory, model)


def hanging_bundle(directory: Path) -> Path:
    """Write the tiny bundle, which loops for ever where a pixel is brighter than 200."""
    scalar = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node('Identity', ['go_on'], ['go_on_still']),
            helper.make_node('Identity', ['number'], ['same_number']),
        ],
        'body',
        [
            scalar('round', TensorProto.INT64, []),
            scalar('go_on', TensorProto.BOOL, []),
            scalar('number', TensorProto.UINT8, []),
        ],
        [
            scalar('go_on_still', TensorProto.BOOL, []),
            scalar('same_number', TensorProto.UINT8, []),
        ],
    )
    model = tiny_graph(HEIGHT, WIDTH)
    model.graph.node[-1].output[0] = 'mask_before'
    model.graph.node.extend(
        [
            helper.make_node('ReduceMax', ['float'], ['brightest'], keepdims=0),
            helper.make_node('Greater', ['brightest', 'limit'], ['is_bright']),
            helper.make_node('Loop', ['', 'is_bright', 'zero'], ['nothing'], body=body),
            helper.make_node('Add', ['mask_before', 'nothing'], ['mask']),
        ]
    )
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.float32(200), 'limit'),
            numpy_helper.from_array(np.uint8(0), 'zero'),
        ]
    )
    onnx.checker.check_model(model)
    return write_bundle(directory, model)
