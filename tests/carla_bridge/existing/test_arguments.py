"""The command line of conversions."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from carla_bridge.existing import arguments
from lane_seg.errors import LaneSegError
from tests.carla_bridge.existing.files import picture, red, street, write


def parsed(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument('--output', type=Path)
    arguments.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def test_a_conversion_says_what_it_found_and_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(20):
        write(tmp_path / f'old/rgb/{index}.png', picture(index))
        write(tmp_path / f'old/seg/{index}.png', red(street('0.9.14', index)))
    write(tmp_path / 'old/rgb/99.png', picture(99))
    args = parsed('--existing', tmp_path / 'old', '--output', tmp_path / 'new', '--block', 10)
    assert arguments.run(args) == 0
    said = capsys.readouterr()
    assert 'with the tags of 0.9.14 and later' in said.out
    assert 'of them new; left out: ' in said.out
    assert 'note: 1 pictures have no semantic picture' in said.err
    assert arguments.run(args) == 0
    assert ', 0 of them new;' in capsys.readouterr().out


def test_an_output_is_needed(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match='expected --output DIR'):
        arguments.run(parsed('--existing', tmp_path))
