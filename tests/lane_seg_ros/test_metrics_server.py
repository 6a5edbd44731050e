"""Numbers of /diagnostics in Prometheus' text format."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('diagnostic_msgs')

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from lane_seg_ros.metrics_server import metrics_text

NAMES = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\x00'), max_size=20)
VALUES = st.floats().map(str) | st.integers().map(str) | NAMES
STATUSES = st.builds(
    DiagnosticStatus,
    level=st.sampled_from([b'\x00', b'\x01', b'\x02', b'\x03']),
    name=NAMES,
    values=st.lists(st.builds(KeyValue, key=NAMES, value=VALUES), max_size=6),
)
LINE = re.compile(r'lane_seg_[a-zA-Z0-9_]*\{status="((?:[^"\\]|\\.)*)"\} -?[0-9.e+-]+')


def test_numbers_become_lines_and_words_are_left_out() -> None:
    status = DiagnosticStatus(
        level=b'\x01',
        name='lane_seg_node: front',
        values=[
            KeyValue(key='fps', value='29.97'),
            KeyValue(key='engine', value='openvino'),
            KeyValue(key='inference_ms.p99', value='21.5'),
            KeyValue(key='age_ms.p50', value='nan'),
        ],
    )
    assert metrics_text([status]).splitlines() == [
        'lane_seg_level{status="lane_seg_node: front"} 1',
        'lane_seg_fps{status="lane_seg_node: front"} 29.97',
        'lane_seg_inference_ms_p99{status="lane_seg_node: front"} 21.5',
    ]


def test_the_lines_of_one_name_stand_together() -> None:
    values = [KeyValue(key='fps', value='1'), KeyValue(key='drops', value='2')]
    statuses = [DiagnosticStatus(level=b'\x00', name=name, values=values) for name in 'ab']
    names = [line.partition('{')[0] for line in metrics_text(statuses).splitlines()]
    assert names == sorted(names, key=names.index)
    assert [names.count(name) for name in dict.fromkeys(names)] == [2, 2, 2]


@given(st.lists(STATUSES, max_size=3))
def test_whatever_a_status_holds_every_line_is_one_of_the_format(
    statuses: list[DiagnosticStatus],
) -> None:
    text = metrics_text(statuses)
    for line in text.split('\n')[:-1]:
        assert LINE.fullmatch(line), line
    assert text == '' or text.endswith('\n')
