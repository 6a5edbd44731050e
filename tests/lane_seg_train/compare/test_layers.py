"""Layers, real ones of every engine, and what is summed up of them."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.errors import EngineError
from lane_seg_train.compare.executed import executed, float_layers
from lane_seg_train.compare.int8_graph import read_int8_graph
from lane_seg_train.compare.layers import Layer, csv_of_layers, parts_of, total_ms
from lane_seg_train.compare.profiling import profiled
from tests.lane_seg_train.tiny_training import HEIGHT, WIDTH

if TYPE_CHECKING:
    from tests.lane_seg_train.compare.conftest import Models

CONVOLUTIONS = 11  # of the tiny network


def layers_of(engine: str, model: object) -> list[Layer]:
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return profiled(engine, str(model), 1, image, frames=3, before=1)


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('Convolution', True), ('GroupConvolution', True), ('QLinearConv', True),
        ('Conv2d', True), ('Deconvolution', True), ('ConvTranspose', True), ('Convert', False),
        ('ConvertLike', False), ('Subgraph', False),
    ],
)  # fmt: skip
def test_a_convolution_is_known_by_its_kind(kind: str, expected: bool) -> None:
    assert Layer('a', kind, 'f32', 1.0).is_convolution is expected


@pytest.mark.parametrize('engine', ['openvino', 'onnxruntime'])
def test_a_float_bundle_runs_all_convolutions_in_float(models: Models, engine: str) -> None:
    layers = layers_of(engine, models.floating)
    ran = executed(layers, engine, None)
    assert (ran.convolutions, ran.int8, ran.other_types) == (CONVOLUTIONS, 0, ('f32',))
    assert ran.text == f'{CONVOLUTIONS} convolutions f32'
    assert total_ms(layers) > 0


def test_openvino_runs_every_convolution_of_the_int8_file_in_int8(models: Models) -> None:
    layers = layers_of('openvino', models.int8)
    graph = read_int8_graph(ModelBundle.load(models.int8).onnx_path)
    ran = executed(layers, 'openvino', graph)
    assert (ran.int8, ran.missing, ran.excluded) == (CONVOLUTIONS, (), ())
    assert 0 < ran.float_share < 1


def test_onnx_runtime_runs_those_with_an_int8_output_in_int8(models: Models) -> None:
    layers = layers_of('onnxruntime', models.int8)
    graph = read_int8_graph(ModelBundle.load(models.int8).onnx_path)
    ran = executed(layers, 'onnxruntime', graph)
    with_float_output = [one.name for one in graph.convolutions if not one.gives_int8]
    assert 0 < len(with_float_output) < CONVOLUTIONS  # the last one at least
    assert ran.int8 == CONVOLUTIONS - len(with_float_output)
    assert ran.missing == ()
    assert list(ran.excluded) == with_float_output
    assert ran.text == f'{ran.int8} of {CONVOLUTIONS} convolutions int8, others f32'


@pytest.mark.parametrize('engine', ['openvino', 'onnxruntime'])
def test_an_int8_file_that_runs_in_float_is_found_out(models: Models, engine: str) -> None:
    """What the float bundle executes, held against what the int8 file says."""
    graph = read_int8_graph(ModelBundle.load(models.int8).onnx_path)
    ran = executed(layers_of(engine, models.floating), engine, graph)
    expected = [one.name for one in graph.convolutions if one.gives_int8 or engine == 'openvino']
    assert list(ran.missing) == expected
    assert len(expected) > 1


@pytest.mark.parametrize('engine', ['openvino', 'onnxruntime'])
def test_every_float_operator_of_the_file_is_listed_once(models: Models, engine: str) -> None:
    graph = read_int8_graph(ModelBundle.load(models.int8).onnx_path)
    found = float_layers(layers_of(engine, models.int8), graph)
    listed = sorted(name for one in found for name in one.operators)
    assert listed == sorted(f'{one.name} ({one.kind})' for one in graph.float_operators)
    assert '/Split (Split)' in listed
    assert all(0 <= one.share <= 1 for one in found)
    assert [one.ms for one in found] == sorted((one.ms for one in found), reverse=True)


def test_pytorch_tells_its_modules_and_what_is_between_them(models: Models) -> None:
    layers = layers_of('torch', models.checkpoint)
    assert sum(layer.is_convolution for layer in layers) == CONVOLUTIONS
    assert layers[-1].name == 'between the modules'
    assert {layer.precision for layer in layers} == {'f32'}


def test_an_engine_that_tells_no_layers_is_refused(models: Models) -> None:
    with pytest.raises(EngineError, match='expected an engine out of .*, found tensorrt'):
        layers_of('tensorrt', models.int8)


def test_parts_sum_up_layers_of_one_kind_and_precision() -> None:
    layers = [
        Layer('a', 'Conv', 'u8', 1.0),
        Layer('b', 'Conv', 'f32', 0.5),
        Layer('c', 'Conv', 'u8', 2.0),
    ]
    assert [(one.precision, one.count, one.ms) for one in parts_of(layers)] == [
        ('u8', 2, 3.0),
        ('f32', 1, 0.5),
    ]
    assert total_ms(layers) == 3.5


def test_layers_survive_the_way_through_json_and_csv() -> None:
    layers = [Layer('a,b', 'Conv', 'u8', 1.0, ('x', 'y')), Layer('c', 'Add', 'f32', 3.0)]
    assert [Layer.of(layer.plain()) for layer in layers] == layers
    rows = list(csv.DictReader(io.StringIO(csv_of_layers(layers))))
    assert rows[0] == {
        'layer': 'a,b', 'kind': 'Conv', 'precision': 'u8', 'ms': '1.0000', 'share': '0.2500',
        'operators': 'x y',
    }  # fmt: skip
