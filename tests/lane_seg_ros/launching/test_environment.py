"""The environment of a launch file's processes is what our own processes give themselves."""

from __future__ import annotations

import os

import pytest

from lane_seg.allocator import MALLOC_VARIABLES
from lane_seg_ros.launching.environment import image_path_environment
from lane_seg_ros.middleware import NO_TUNING_VARIABLE, PROFILE_PATH, prepare_middleware

PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
OF_FAST_DDS = (*PROFILES, 'FASTDDS_BUILTIN_TRANSPORTS', 'RMW_IMPLEMENTATION')
MALLOC = ('MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'MALLOC_TOP_PAD_')


@pytest.mark.parametrize(
    'chosen',
    [
        {},
        {'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'},
        {'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp'},
        {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'},
        {'FASTRTPS_DEFAULT_PROFILES_FILE': '/mine.xml'},
        {'FASTDDS_DEFAULT_PROFILES_FILE': ''},
        {'FASTDDS_DEFAULT_PROFILES_FILE': str(PROFILE_PATH)},
        {NO_TUNING_VARIABLE: '1'},
        {NO_TUNING_VARIABLE: '0'},
    ],
)
def test_the_profile_is_set_where_our_own_processes_set_it(
    chosen: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*OF_FAST_DDS, *MALLOC, NO_TUNING_VARIABLE):
        monkeypatch.setenv(name, '')  # so that all of it is taken back
        monkeypatch.delenv(name)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    for_others = {**chosen, **image_path_environment(os.environ)}
    prepare_middleware()
    expected = {name: os.environ[name] for name in OF_FAST_DDS if name in os.environ}
    assert {name: for_others[name] for name in OF_FAST_DDS if name in for_others} == expected


def test_malloc_gets_the_values_that_our_own_processes_give_it() -> None:
    settings = image_path_environment({})
    own = {name: str(value) for name, value in MALLOC_VARIABLES.items()}
    assert {name: settings[name] for name in MALLOC} == own


@pytest.mark.parametrize('name', MALLOC)
def test_malloc_is_left_alone_where_the_user_has_set_anything_of_it(name: str) -> None:
    assert set(image_path_environment({name: '1'})) == set(PROFILES)


def test_one_variable_turns_all_of_it_off() -> None:
    assert image_path_environment({NO_TUNING_VARIABLE: '1'}) == {}
