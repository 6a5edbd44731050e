"""The arguments of the launch files, each by itself."""

from __future__ import annotations

import pytest

from lane_seg_ros.launching.arguments import (
    LaunchArgumentError,
    checked_values,
    node_arguments,
    unknown_arguments,
)


def test_a_value_that_is_none_of_the_choices_is_refused_with_all_of_them() -> None:
    arguments = node_arguments()
    given = {argument.name: argument.default for argument in arguments}
    with pytest.raises(LaunchArgumentError, match='true, false; found .maybe.'):
        checked_values(arguments, {**given, 'rviz': 'maybe'})
    assert checked_values(arguments, {**given, 'rviz': ' TRUE '})['rviz'] == 'true'


def test_only_what_looks_like_a_misspelled_argument_is_complained_about() -> None:
    arguments = node_arguments()
    (complaint,) = unknown_arguments(arguments, ['model', 'modle', 'ros_namespace', 'town'])
    assert complaint == 'modle is no argument of this launch file; did you mean model?'


def test_an_argument_to_leave_out_has_to_be_there() -> None:
    with pytest.raises(KeyError):
        node_arguments(without=('camera',))


def test_the_help_says_what_may_be_chosen_and_what_empty_means() -> None:
    named = {argument.name: argument for argument in node_arguments(use_sim_time='true')}
    assert named['engine'].help.startswith('Inference engine. One of: auto, ')
    assert named['engine'].help.endswith(' Empty: as params_file says.')
    assert named['use_sim_time'].help == 'Take the time from /clock. One of: true, false.'
