"""The real parser and builder of TensorRT-RTX, which need no GPU.

`make test` installs them on x86-64 Linux (the extra tensorrt-rtx); elsewhere these are skipped.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.confidence import add_confidence
from lane_seg.errors import EngineError
from lane_seg.plans.key import read_record
from lane_seg.plans.libraries import installed_flavours, open_library
from lane_seg.plans.options import BuildOptions
from lane_seg_engine import build, engine_info
from lane_seg_engine.builder import build_plan, parse
from lane_seg_engine.engine_from_onnx import engine_from_onnx
from lane_seg_engine.graph_rules import breaches, convolutions
from lane_seg_engine.plan_layers import Layer, layers_from_listing, layers_of_plan
from lane_seg_engine.prepare import check_signature, load_graph, prepare_graph
from tests.lane_seg_engine.quantized_graphs import (
    CHANNELS,
    quantize_bias,
    quantized_graph,
    set_constant,
    write_bundle,
)
from tests.small_disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from lane_seg.plans.libraries import Library

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        'rtx' not in installed_flavours(),
        reason='needs tensorrt-rtx-cu13-bindings and onnxruntime-ep-nv-tensorrt-rtx-cu13',
    ),
]


@pytest.fixture(scope='module')
def rtx() -> Library:
    return open_library('rtx')


def built(library: Library, model: onnx.ModelProto, precision: str, **options: object) -> bytes:
    chosen = BuildOptions(**options)
    prepared = prepare_graph(
        model,
        name='model.onnx',
        precision=precision,
        float_type=chosen.float_type,
        generation=library.generation,
        strongly_typed=True,
    )
    return build_plan(library, prepared.data, precision, chosen).plan


def convolutions_of(layers: list[Layer]) -> dict[str, str]:
    return {layer.name: layer.precision for layer in layers if layer.kind == 'convolution'}


@pytest.mark.parametrize('float_type', ['fp32', 'fp16'])
def test_every_convolution_of_the_shipped_model_is_int8(rtx: Library, float_type: str) -> None:
    model = load_graph(ModelBundle.load('default'))
    names = {row.node for row in convolutions(model)}
    layers = layers_from_listing(built(rtx, model, 'int8', float_type=float_type))
    assert len(names) > 10
    assert convolutions_of(layers) == dict.fromkeys(names, 'int8')


@pytest.mark.parametrize(
    ('precision', 'float_type'), [('int8', 'fp32'), ('int8', 'fp16'), ('fp16', 'fp32')]
)
def test_confidence_costs_no_convolution_its_precision(
    rtx: Library, precision: str, float_type: str
) -> None:
    model = load_graph(ModelBundle.load('default'))
    add_confidence(model, 3)
    plain = load_graph(ModelBundle.load('default'))
    both, one = (
        layers_from_listing(built(rtx, graph, precision, float_type=float_type))
        for graph in (model, plain)
    )
    assert convolutions_of(both) == convolutions_of(one)
    assert set(convolutions_of(both).values()) == {precision}
    assert len(both) == len(one)  # it became part of the kernel that chooses the class


def test_the_parser_sees_the_confidence_that_the_bundle_names(rtx: Library) -> None:
    bundle = ModelBundle.load('default')
    model = load_graph(bundle)
    plain = parse(rtx, model.SerializeToString(), BuildOptions())
    add_confidence(model, 3)
    both = parse(rtx, model.SerializeToString(), BuildOptions())
    frame = ('uint8', (1, bundle.height, bundle.width))
    assert set(both.outputs) == {('mask', *frame), ('confidence', *frame)}
    check_signature(both, replace(bundle, confidence=True))
    check_signature(both, bundle)
    check_signature(plain, bundle)
    with pytest.raises(EngineError, match='expected the output confidence, which model.yaml'):
        check_signature(plain, replace(bundle, confidence=True))


@pytest.mark.parametrize('precision', ['fp16', 'fp32'])
def test_engines_in_float_have_no_convolution_in_int8(rtx: Library, precision: str) -> None:
    model = load_graph(ModelBundle.load('default'))
    names = {row.node for row in convolutions(model)}
    layers = layers_from_listing(built(rtx, model, precision))
    assert convolutions_of(layers) == dict.fromkeys(names, precision)


def test_one_plan_holds_code_for_several_targets(rtx: Library) -> None:
    targets = ('8.6', '8.9', '12.0')
    layers = layers_of_plan(built(rtx, quantized_graph(), 'int8', targets=targets))
    assert set(convolutions_of(layers).values()) == {'int8'}


def test_a_target_that_there_is_not_is_refused_with_those_there_are(rtx: Library) -> None:
    with pytest.raises(EngineError, match=r'--target out of 7\.5, .*12\.0.*, found 6\.1'):
        built(rtx, quantized_graph(), 'int8', targets=('6.1',))


def test_asymmetric_and_quantized_bias_are_refused_by_the_parser_as_well(rtx: Library) -> None:
    asymmetric, bias = quantized_graph(), quantized_graph()
    set_constant(asymmetric, 'second_in_zero', np.int8(-5))
    quantize_bias(bias)
    for model in (asymmetric, bias):
        assert breaches(model)
        with pytest.raises(EngineError, match='cannot read the graph'):
            parse(rtx, model.SerializeToString(), BuildOptions())


def test_scales_per_channel_of_an_activation_would_cost_int8_in_silence(rtx: Library) -> None:
    # Why our own rules refuse more than the parser does.
    model = quantized_graph()
    set_constant(model, 'second_in_scale', np.full(CHANNELS, 0.01, np.float32))
    set_constant(model, 'second_in_zero', np.zeros(CHANNELS, np.int8))
    assert [breach.rule for breach in breaches(model)] == ['activation'] * 2
    plan = build_plan(rtx, model.SerializeToString(), 'int8', BuildOptions()).plan
    assert convolutions_of(layers_from_listing(plan))['/second_out'] == 'fp32'


def test_progress_is_told(rtx: Library) -> None:
    seen: list[float] = []
    graph = quantized_graph().SerializeToString()
    build_plan(
        rtx, graph, 'int8', BuildOptions(), on_progress=lambda part, phase: seen.append(part)
    )
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    assert seen[-1] <= 1


def test_ctrl_c_ends_a_build(rtx: Library) -> None:
    graph = quantized_graph().SerializeToString()
    seen: list[float] = []

    def interrupt(part: float, phase: str) -> None:
        seen.append(part)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        build_plan(rtx, graph, 'int8', BuildOptions(), on_progress=interrupt)
    assert max(seen) < 1
    assert build_plan(rtx, graph, 'int8', BuildOptions()).plan


def test_the_command_writes_plan_and_key_and_engine_info_reads_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / 'mine', quantized_graph())
    parser = argparse.ArgumentParser()
    build.add_arguments(parser)
    assert build.run(parser.parse_args(['--model', str(bundle), '--flavour', 'rtx'])) == 0
    (plan,) = bundle.glob('*.plan')
    record = read_record(plan)
    assert record.key.flavour == 'rtx'
    assert record.built['convolutions'] == {'int8': 2}
    assert 'convolutions 2 in int8' in capsys.readouterr().out
    parser = argparse.ArgumentParser()
    engine_info.add_arguments(parser)
    assert engine_info.run(parser.parse_args([str(plan)])) in (0, 1)
    printed = capsys.readouterr().out
    assert '/first_out' in printed
    assert 'int8' in printed


def test_a_folder_that_may_not_be_written_to_is_refused_before_the_build(
    rtx: Library, tmp_path: Path
) -> None:
    with small_disk(tmp_path / 'disk') as disk:
        bundle = ModelBundle.load(write_bundle(disk / 'model', quantized_graph()))
        subprocess.run(['mount', '-o', 'remount,ro', str(disk)], check=True)
        with pytest.raises(EngineError, match='copy the bundle to a folder of yours'):
            engine_from_onnx(bundle, rtx, 'int8', BuildOptions(), gpu=None)


def test_an_operator_that_the_parser_lacks_is_named(rtx: Library) -> None:
    import onnx
    from onnx import TensorProto, helper

    node = helper.make_node('DynamicQuantizeLinear', ['x'], ['codes', 'scale', 'zero'])
    graph = helper.make_graph(
        [node],
        'dynamic',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info('codes', TensorProto.UINT8, [1, 3, 8, 8])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    with pytest.raises(EngineError, match='DynamicQuantizeLinear: not supported; export'):
        parse(rtx, model.SerializeToString(), BuildOptions())
