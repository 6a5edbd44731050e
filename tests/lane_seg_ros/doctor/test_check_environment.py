"""Settings of the shell, shared memory, cv_bridge, and the node's own words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lane_seg_ros.doctor.check_environment import check_environment
from lane_seg_ros.doctor.machine import environment_of, why_cv_bridge_fails
from lane_seg_ros.doctor.observations import LaneNode
from tests.lane_seg_ros.doctor.observed import bad_codes, seen, the

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg_ros.doctor.observations import Observations


def shell(**settings: str) -> Observations:
    return seen(environment=replace(seen().environment, settings=settings))


@pytest.mark.parametrize(
    ('settings', 'codes'),
    [
        ({}, set()),
        ({'ROS_DOMAIN_ID': '42'}, set()),
        ({'ROS_DOMAIN_ID': '150'}, {'domain-high'}),
        ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'}, {'discovery-off'}),
        ({'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}, set()),
        (
            {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'},
            {'transports-ignored'},
        ),
    ],
)
def test_settings_that_cannot_work_are_named(settings: dict[str, str], codes: set[str]) -> None:
    assert bad_codes(check_environment(shell(**settings))) == codes


def test_all_settings_are_shown() -> None:
    found = the(check_environment(shell(ROS_DOMAIN_ID='7', RMW_IMPLEMENTATION='x')), 'settings')
    assert found.what.startswith('domain 7, discovery range SUBNET (default)')
    assert 'RMW_IMPLEMENTATION=x' in found.evidence


@pytest.mark.parametrize(('free_mb', 'severity'), [(4, 'error'), (40, 'warning'), (400, None)])
def test_a_full_shared_memory_is_told_by_what_is_left(free_mb: int, severity: str | None) -> None:
    environment = replace(seen().environment, shm_free_bytes=free_mb << 20)
    findings = list(check_environment(seen(environment=environment)))
    if severity is None:
        assert not bad_codes(findings)
    else:
        found = the(findings, 'shm-full')
        assert found.severity == severity
        assert f'{free_mb} MB of 8192 MB free' in found.evidence


def test_leaked_segments_are_told_with_the_command_that_removes_them() -> None:
    environment = replace(seen().environment, dead_segments=3, dead_bytes=48 << 20)
    found = the(check_environment(seen(environment=environment)), 'shm-leaked')
    assert '48.0 MB' in found.evidence
    assert 'remove_dead_segments' in found.fix


def test_a_profile_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    here = tmp_path / 'here.xml'
    here.touch()
    environment = environment_of(
        [
            ('FASTRTPS_DEFAULT_PROFILES_FILE', str(tmp_path / 'gone.xml')),
            ('FASTDDS_DEFAULT_PROFILES_FILE', str(here)),
            ('HOME', '/root'),
        ],
        middleware='rmw_fastrtps_cpp',
        segments=(),
    )
    assert 'HOME' not in environment.settings
    found = the(check_environment(seen(environment=environment)), 'profile-missing')
    assert found.evidence == f'FASTRTPS_DEFAULT_PROFILES_FILE={tmp_path / "gone.xml"}'


def test_another_middleware_is_noted() -> None:
    environment = replace(seen().environment, middleware='rmw_cyclonedds_cpp')
    assert the(check_environment(seen(environment=environment)), 'middleware').severity == 'note'


@pytest.mark.parametrize(
    ('level', 'severity'), [(0, 'ok'), (1, 'warning'), (2, 'error'), (3, 'error'), (9, 'error')]
)
def test_the_node_is_quoted(level: int, severity: str) -> None:
    node = LaneNode('/lane_seg_node', level, 'no image on /x for 3.0 s')
    found = the(check_environment(seen(lane_nodes=(node,))), 'node')
    assert (found.severity, found.where) == (severity, '/lane_seg_node')
    assert 'no image on /x for 3.0 s' in found.what


def test_a_node_that_is_absent_or_silent_is_noted() -> None:
    assert 'image:=/camera/image' in the(check_environment(seen(lane_nodes=())), 'node-absent').fix
    silent = seen(lane_nodes=(LaneNode('/lane_seg_node'),))
    assert the(check_environment(silent), 'node-silent').severity == 'note'


def test_a_cv_bridge_that_breaks_is_tried_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / 'cv_bridge'
    package.mkdir()
    # Its end by a signal is what an ABI mismatch may look like; nothing is printed then.
    (package / '__init__.py').write_text(
        'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    said = why_cv_bridge_fails()
    assert said == 'its process ended with code -11'
    environment = replace(seen().environment, cv_bridge_error=said)
    assert said in the(check_environment(seen(environment=environment)), 'cv-bridge').evidence


def test_the_last_words_of_cv_bridge_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / 'cv_bridge'
    package.mkdir()
    (package / '__init__.py').write_text("raise ImportError('numpy.core.multiarray failed')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert why_cv_bridge_fails() == 'ImportError: numpy.core.multiarray failed'
