"""Parameters: declared once with a description, read frozen, changed only where it makes sense."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy')

import rclpy
from rclpy.context import Context
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from lane_seg_ros.parameters import LaneSegParameters, declare_parameters, updated_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [field.name for field in dataclasses.fields(LaneSegParameters)]


@pytest.fixture(scope='module')
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


def declared(
    context: Context, **overrides: bool | int | float | str | list[str]
) -> LaneSegParameters:
    """What a fresh node reads, given these values at start."""
    node = Node(
        'parameters',
        context=context,
        parameter_overrides=[Parameter(name, value=value) for name, value in overrides.items()],
    )
    try:
        return declare_parameters(node)
    finally:
        node.destroy_node()


def test_the_defaults_are_those_of_the_dataclass(context: Context) -> None:
    assert declared(context) == LaneSegParameters()


def test_values_given_at_start_are_read(context: Context) -> None:
    parameters = declared(
        context, model='other', overlay_alpha=0.25, threads=2, input_reliability='reliable'
    )
    assert parameters == LaneSegParameters(
        model='other', overlay_alpha=0.25, threads=2, input_reliability='reliable'
    )


def test_every_parameter_has_a_description_that_says_when_it_may_change(context: Context) -> None:
    node = Node('parameters', context=context)
    declare_parameters(node)
    for name in NAMES:
        description = node.describe_parameter(name).description
        assert 'changed' in description or 'read once' in description, name
    assert node.describe_parameter('autostart').read_only
    assert 'openvino' in node.describe_parameter('engine').additional_constraints
    assert node.describe_parameter('overlay_alpha').floating_point_range[0].to_value == 1.0
    assert node.describe_parameter('queue_depth').integer_range[0].from_value == 1
    node.destroy_node()


@pytest.mark.parametrize(
    ('name', 'value'), [('overlay_alpha', 1.5), ('threads', -1), ('queue_depth', 0)]
)
def test_a_value_out_of_range_at_start_is_refused(
    context: Context, name: str, value: float
) -> None:
    with pytest.raises(InvalidParameterValueException, match=name):
        declared(context, **{name: value})


def test_a_value_of_the_wrong_type_at_start_is_refused(context: Context) -> None:
    with pytest.raises(InvalidParameterTypeException, match='overlay_alpha'):
        declared(context, overlay_alpha=1)


@pytest.mark.parametrize('name', ['engine', 'input_reliability', 'output_reliability'])
def test_a_choice_that_does_not_exist_is_refused_at_start(context: Context, name: str) -> None:
    with pytest.raises(ValueError, match=f'{name} must be one of'):
        declared(context, **{name: 'sometimes'})


def test_a_change_gives_new_parameters_and_leaves_the_old_alone() -> None:
    old = LaneSegParameters()
    new = updated_parameters(old, [Parameter('overlay_alpha', value=0.75)], configured=True)
    assert (old.overlay_alpha, new.overlay_alpha) == (0.5, 0.75)


def test_a_configured_node_refuses_another_engine_and_says_how_to_get_it() -> None:
    with pytest.raises(ValueError, match='deactivate and clean up first'):
        updated_parameters(
            LaneSegParameters(), [Parameter('engine', value='openvino')], configured=True
        )


@pytest.mark.parametrize('configured', [True, False])
def test_another_model_is_taken_at_any_time(configured: bool) -> None:
    new = updated_parameters(
        LaneSegParameters(), [Parameter('model', value='other')], configured=configured
    )
    assert new.model == 'other'


def test_several_cameras_are_read(context: Context) -> None:
    assert declared(context, cameras=['front', 'rear_2']).cameras == ('front', 'rear_2')
    assert declared(context).cameras == ('',)


@pytest.mark.parametrize(
    'names', [['front', 'front'], ['front', ''], ['2nd'], ['a/b'], ['front camera']]
)
def test_names_of_cameras_that_cannot_be_topics_are_refused(
    context: Context, names: list[str]
) -> None:
    with pytest.raises(ValueError, match='cameras must be names that differ'):
        declared(context, cameras=names)


def test_one_refused_change_refuses_them_all() -> None:
    changes = [Parameter('overlay_alpha', value=0.1), Parameter('engine', value='magic')]
    with pytest.raises(ValueError, match="it is 'magic'"):
        updated_parameters(LaneSegParameters(), changes, configured=False)


def test_a_parameter_that_is_not_ours_is_passed_over() -> None:
    old = LaneSegParameters()
    assert updated_parameters(old, [Parameter('use_sim_time', value=True)], configured=True) == old
