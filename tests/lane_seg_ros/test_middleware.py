"""Settings before rclpy.init: what is set, what is left alone, and that Fast DDS obeys."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lane_seg_ros import middleware
from lane_seg_ros.middleware import NO_TUNING_VARIABLE, PROFILE_PATH, prepare_middleware

CHOSEN_BY_USER = (
    'FASTRTPS_DEFAULT_PROFILES_FILE',
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'FASTDDS_BUILTIN_TRANSPORTS',
)
MALLOC = ('MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'MALLOC_TOP_PAD_')


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing chosen yet; and what a test sets is taken back (setenv first registers that)."""
    for name in (*CHOSEN_BY_USER, *MALLOC, 'RMW_IMPLEMENTATION', NO_TUNING_VARIABLE):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)


def test_the_profile_is_well_formed_and_asks_for_sixteen_megabytes() -> None:
    root = ElementTree.parse(PROFILE_PATH).getroot()
    space = '{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}'
    assert [size.text for size in root.iter(f'{space}segment_size')] == [str(16 * 1024 * 1024)]


def test_both_names_of_the_profile_variable_are_set() -> None:
    notes = prepare_middleware()
    assert os.environ['FASTRTPS_DEFAULT_PROFILES_FILE'] == str(PROFILE_PATH)
    assert os.environ['FASTDDS_DEFAULT_PROFILES_FILE'] == str(PROFILE_PATH)
    assert any('16 MB' in note for note in notes)


def test_one_variable_turns_everything_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NO_TUNING_VARIABLE, '1')
    (note,) = prepare_middleware()
    assert NO_TUNING_VARIABLE in note
    assert not any(name in os.environ for name in CHOSEN_BY_USER)


@pytest.mark.parametrize('name', CHOSEN_BY_USER)
def test_what_the_user_chose_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, 'mine')
    notes = prepare_middleware()
    assert any(f'{name} is already mine' in note for note in notes)
    assert os.environ[name] == 'mine'
    assert [other for other in CHOSEN_BY_USER if other in os.environ] == [name]


@pytest.mark.parametrize(
    ('rmw', 'is_set'),
    [
        ('rmw_fastrtps_cpp', True),
        ('rmw_fastrtps_dynamic_cpp', True),
        ('rmw_cyclonedds_cpp', False),
    ],
)
def test_only_fast_dds_gets_a_profile(
    rmw: str, is_set: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('RMW_IMPLEMENTATION', rmw)
    prepare_middleware()
    assert ('FASTRTPS_DEFAULT_PROFILES_FILE' in os.environ) is is_set


def test_a_missing_profile_is_said_and_not_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(middleware, 'PROFILE_PATH', tmp_path / 'gone.xml')
    assert any('gone.xml is missing' in note for note in prepare_middleware())
    assert 'FASTRTPS_DEFAULT_PROFILES_FILE' not in os.environ


@pytest.mark.parametrize('name', MALLOC)
def test_malloc_is_left_alone_where_the_user_set_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, '131072')
    assert any(f'malloc is left alone: {name}' in note for note in prepare_middleware())


def test_a_c_library_without_mallopt_is_passed_over_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ctypes, 'CDLL', lambda _: object())
    assert not any('malloc' in note for note in prepare_middleware())


def test_a_process_that_inherits_our_settings_says_the_same_as_its_parent() -> None:
    assert prepare_middleware() == prepare_middleware()


SEGMENT_OF_A_NODE = """
from pathlib import Path
from lane_seg_ros.middleware import prepare_middleware

prepare_middleware()
import rclpy

rclpy.init()
node = rclpy.create_node('segment')
# The maps of this process, not the folder, in which other processes may have theirs.
lines = Path('/proc/self/maps').read_text().splitlines()
sizes = [
    int(end, 16) - int(start, 16)
    for line in lines
    if '/dev/shm/fastrtps_' in line and '_port' not in line
    for start, _, end in [line.split()[0].partition('-')]
]
print(max(sizes, default=0))
node.destroy_node()
rclpy.try_shutdown()
"""


@pytest.mark.ros
@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
@pytest.mark.parametrize(('off', 'megabytes'), [('', 16), ('1', 0)])
def test_fast_dds_takes_the_segment_from_the_profile(off: str, megabytes: int) -> None:
    pytest.importorskip('rclpy')
    done = subprocess.run(
        [sys.executable, '-c', SEGMENT_OF_A_NODE],
        env={
            **os.environ,
            NO_TUNING_VARIABLE: off,
            'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp',
            'PYTHONPATH': os.pathsep.join(path for path in sys.path if path),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(done.stdout.split()[-1]) // 2**20 == megabytes
