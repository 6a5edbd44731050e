"""Which operators of a file have 8 bits, and which are left in float."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lane_seg_train.compare.int8_graph import Convolution, read_int8_graph

if TYPE_CHECKING:
    from pathlib import Path

node = helper.make_node


def write(path: Path, nodes: list[onnx.NodeProto], result: str) -> Path:
    """A graph of 4 channels; 'w' are float weights, 'w8' int8 ones."""
    constants = {
        'scale': np.float32(0.1), 'zero': np.int8(0), 'w': np.ones((4, 4, 1, 1), np.float32),
        'w8': np.ones((4, 4, 1, 1), np.int8),
    }  # fmt: skip
    shape = [1, 4, 2, 2]
    graph = helper.make_graph(
        [node('DequantizeLinear', ['w8', 'scale', 'zero'], ['wq'], name='dqw'), *nodes],
        'graph',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)]), path)
    return path


def pair(source: str, result: str) -> list[onnx.NodeProto]:
    """Q and DQ between two tensors."""
    return [
        node('QuantizeLinear', [source, 'scale', 'zero'], [f'{result}_8'], name=f'q_{result}'),
        node('DequantizeLinear', [f'{result}_8', 'scale', 'zero'], [result], name=f'd_{result}'),
    ]


def test_convolution_and_activation_between_pairs_are_int8(tmp_path: Path) -> None:
    nodes = [
        node('Sub', ['x', 'scale'], ['a'], name='sub'),
        *pair('a', 'aq'),
        node('Conv', ['aq', 'wq'], ['b'], name='first'),
        node('Relu', ['b'], ['c'], name='relu'),
        *pair('c', 'cq'),
        node('Conv', ['cq', 'wq'], ['d'], name='last'),
        node('Resize', ['d', '', 'sizes'], ['e'], name='resize'),
    ]
    graph = read_int8_graph(write(tmp_path / 'a.onnx', nodes, 'e'))
    assert graph.convolutions == (
        Convolution('first', takes_int8=True, gives_int8=True),
        Convolution('last', takes_int8=True, gives_int8=False),
    )
    assert [(one.name, one.kind) for one in graph.float_operators] == [
        ('sub', 'Sub'),
        ('resize', 'Resize'),
    ]


@pytest.mark.parametrize(
    ('inputs', 'takes'), [(['aq', 'w'], False), (['x', 'wq'], False), (['aq', 'wq'], True)]
)
def test_a_convolution_needs_input_and_weights_in_int8(
    tmp_path: Path, inputs: list[str], takes: bool
) -> None:
    nodes = [*pair('x', 'aq'), node('Conv', inputs, ['b'], name='conv'), *pair('b', 'c')]
    graph = read_int8_graph(write(tmp_path / 'a.onnx', nodes, 'c'))
    assert graph.convolutions == (Convolution('conv', takes_int8=takes, gives_int8=True),)
    assert [one.name for one in graph.float_operators] == ([] if takes else ['conv'])


def test_an_addition_with_one_float_side_is_left_in_float(tmp_path: Path) -> None:
    nodes = [*pair('x', 'aq'), node('Add', ['aq', 'x'], ['b'], name='add'), *pair('b', 'c')]
    graph = read_int8_graph(write(tmp_path / 'a.onnx', nodes, 'c'))
    assert [one.name for one in graph.float_operators] == ['add']


def test_an_addition_of_int8_sums_is_int8_if_its_result_is(tmp_path: Path) -> None:
    start = [*pair('x', 'aq'), node('Conv', ['aq', 'wq'], ['b'], name='conv')]
    start.append(node('Add', ['b', 'aq'], ['c'], name='add'))
    graph = read_int8_graph(write(tmp_path / 'a.onnx', [*start, *pair('c', 'd')], 'd'))
    assert graph.float_operators == ()
    graph = read_int8_graph(write(tmp_path / 'b.onnx', start, 'c'))
    assert [one.name for one in graph.float_operators] == ['add']


def test_operators_of_constants_do_not_count_and_nameless_ones_have_their_output(
    tmp_path: Path,
) -> None:
    nodes = [
        node('Neg', ['w'], ['minus'], name='constant'),
        node('Conv', ['x', 'minus'], ['b']),
    ]
    graph = read_int8_graph(write(tmp_path / 'a.onnx', nodes, 'b'))
    assert [one.name for one in graph.float_operators] == ['b']
