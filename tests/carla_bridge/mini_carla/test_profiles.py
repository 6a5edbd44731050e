"""What differs between the versions of the protocol."""

from __future__ import annotations

import pytest

from carla_bridge.mini_carla.profiles import PROFILES, profile_of
from carla_bridge.mini_carla.render.labels import kind_number, tag_table
from lane_seg.errors import LaneSegError


@pytest.mark.parametrize('version', PROFILES)
def test_a_profile_gives_every_kind_of_frame_a_number_of_its_own(version: str) -> None:
    profile = profile_of(version)
    numbers = [*profile.frame_types.values(), profile.observer_type]
    assert len(set(numbers)) == len(numbers)
    assert profile.version == version


@pytest.mark.parametrize('version', PROFILES)
def test_server_and_renderer_agree_on_the_tag_of_a_car(version: str) -> None:
    assert profile_of(version).vehicle_tag == tag_table(version)[kind_number('vehicle')]


def test_the_oldest_version_has_fewer_commands_in_the_same_order() -> None:
    old, new = profile_of('0.9.13').commands, profile_of('0.9.16').commands
    assert (len(old), len(new)) == (18, 22)
    assert [name for name in new if name in old] == list(old)


def test_an_unknown_version_is_refused_with_those_that_exist() -> None:
    with pytest.raises(LaneSegError, match=r"0\.9\.13.*0\.9\.16, found '0\.9\.12'"):
        profile_of('0.9.12')
