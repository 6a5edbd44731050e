"""Precisions of layers, from the inspector's JSON and from the listing in a plan."""

from __future__ import annotations

import json

import pytest

from lane_seg.errors import EngineError
from lane_seg_engine.plan_layers import (
    Layer,
    is_listed,
    layers_from_inspection,
    layers_from_listing,
    layers_of_plan,
)

# Shaped as in NVIDIA's documentation of the engine inspector.
INSPECTED = {
    'Layers': [
        {
            'Name': 'stem + relu',
            'LayerType': 'CaskConvolution',
            'Inputs': [
                {
                    'Name': 'a',
                    'Dimensions': [1, 3, 256, 512],
                    'Format/Datatype': 'Thirty-two wide channel vectorized row major Int8 format',
                }
            ],
            'Outputs': [{'Name': 'b', 'Format/Datatype': 'Row major linear FP16 format'}],
            'ParameterType': 'Convolution',
            'Weights': {'Type': 'Int8', 'Count': 864},
        },
        {
            'Name': 'head',
            'LayerType': 'CaskConvolution',
            'Inputs': [{'Name': 'b', 'Format/Datatype': 'Row major linear FP16 format'}],
            'Outputs': [{'Name': 'c', 'Format/Datatype': 'Row major linear FP32'}],
            'ParameterType': 'Convolution',
            'Weights': {'Type': 'Half', 'Count': 96},
        },
        {'Name': 'copy', 'LayerType': 'Reformat', 'Inputs': [], 'Outputs': []},
        'a layer of a plan without details',
    ],
    'Bindings': ['image', 'mask'],
}


def test_the_inspector_tells_type_and_size_of_each_layer() -> None:
    assert layers_from_inspection(json.dumps(INSPECTED)) == [
        Layer('stem + relu', 'convolution', 'int8', 'fp16', 864),
        Layer('head', 'convolution', 'fp16', 'fp32', 192),
        Layer('copy', 'reformat', '', '', 0),
        Layer('a layer of a plan without details', '', '', '', 0),
    ]


@pytest.mark.parametrize('text', ['', '[]', '{}', 'Layers'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match='JSON of the engine inspector'):
        layers_from_inspection(text)


def listing(types: dict[str, str]) -> bytes:
    tensors = ''.join(
        f'  tensor={{ alignment=128 const_payload_size={72 if name == "w" else 0} dims={{ 1 2 }} '
        f'name="{name}" offset=0 type={kind} }}\n'
        for name, kind in types.items()
    )
    operator = '  corrltn={ name="/stem/Conv" output={"y" } input={"x" "w" "s" } relu=false }\n'
    kernels = '  function={ name=__myl_Mul }\n  function={ name=__myl_Mul }\n'
    return b'\x00\xff\x01' + (tensors + operator + kernels).encode() + b'\x00\x02'


def test_a_listing_tells_the_types_of_a_convolutions_operands() -> None:
    plan = listing({'x': 'int8', 'w': 'int8', 'y': 'float'})
    assert layers_from_listing(plan) == [
        Layer('/stem/Conv', 'convolution', 'int8', 'fp32', 72),
        Layer('__myl_Mul', 'kernel x2', '', '', 0),
    ]


def test_operands_of_unequal_types_are_both_named() -> None:
    layers = layers_from_listing(listing({'x': 'float', 'w': 'int8', 'y': 'float'}))
    assert layers[0].precision == 'fp32+int8'


def test_a_plan_for_two_targets_lists_a_layer_once_unless_it_differs() -> None:
    same = listing({'x': 'int8', 'w': 'int8', 'y': 'float'})
    assert len([layer for layer in layers_from_listing(same + same) if layer.weight_bytes]) == 1


def test_a_plan_without_a_listing_needs_its_library() -> None:
    assert not is_listed(b'some engine')
    with pytest.raises(EngineError, match='expected the library that built the plan'):
        layers_of_plan(b'some engine')
