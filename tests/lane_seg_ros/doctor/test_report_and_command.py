"""What the doctor prints, and how it takes its options."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from lane_seg_cli.main import main
from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.report import json_of, lines_of, summary_of, table_of

FINDINGS = (
    Finding(
        'error', 'loss', '/x', 'images get lost', 'found 3', 'a cause', 'export A=[b] /c/d.xml'
    ),
    Finding('ok', 'shm', 'environment', 'there is room'),
)


def test_plain_lines_hold_everything_and_can_be_searched() -> None:
    assert lines_of(FINDINGS) == [
        'error loss /x: images get lost',
        '  found: found 3',
        '  cause: a cause',
        '  do: export A=[b] /c/d.xml',
        'ok shm environment: there is room',
    ]


@pytest.mark.parametrize('width', [40, 120])
def test_the_table_loses_no_word_whatever_the_width(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(table_of(FINDINGS))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for word in ('error', 'loss', '/x', 'images get lost', 'A=[b]', '/c/d.xml', 'there is room'):
        assert word in shown
    assert max(map(len, shown.splitlines())) <= width


def test_the_summary_counts_every_severity() -> None:
    assert summary_of(FINDINGS) == '1 error, 0 warnings, 0 notes, 1 checks well'
    assert summary_of(()) == '0 errors, 0 warnings, 0 notes, 0 checks well'


def test_json_holds_every_field() -> None:
    report = json.loads(json_of(FINDINGS))
    assert report['summary'] == {'error': 1, 'warning': 0, 'note': 0, 'ok': 1}
    assert Finding(**report['findings'][0]) == FINDINGS[0]


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['--seconds', '0'], "expected 1 to 600 seconds, found '0'"),
        (['--seconds', 'nan'], "expected 1 to 600 seconds, found 'nan'"),
        (['--seconds', 'x'], "found 'x'"),
        (['--image', '/a b'], 'expected a topic name such as /camera/image_raw'),
        (['--label', '/1a'], "found '/1a'"),
        (['--camera-info', ''], "found ''"),
        (['/camera/image'], 'unrecognized arguments'),
    ],
)
def test_wrong_usage_is_exit_code_2_with_what_was_expected(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(['doctor', *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize('domain', ['abc', '233', '-1', '1.5'])
def test_a_domain_that_ros_does_not_have_is_refused_in_plain_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, domain: str
) -> None:
    pytest.importorskip('rclpy')
    monkeypatch.setenv('ROS_DOMAIN_ID', domain)
    assert main(['doctor']) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: ROS_DOMAIN_ID is '{domain}': expected a whole number from 0")
