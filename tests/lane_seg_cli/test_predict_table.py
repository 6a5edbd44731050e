"""`lane-seg predict --csv`: shares of the classes, joined with what else is known."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lane_seg_cli.main import main
from tests.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A black and a white picture: background, and lane marking."""
    (tmp_path / 'in/sub').mkdir(parents=True)
    cv2.imwrite(str(tmp_path / 'in/black.png'), np.zeros((64, 128, 3), np.uint8))
    cv2.imwrite(str(tmp_path / 'in/sub/white.png'), np.full((64, 128, 3), 255, np.uint8))
    return tmp_path


def predict(folder: Path, model: Path, *words: str) -> int:
    inputs = [str(folder / 'in'), '--output', str(folder / 'out'), '--model', str(model)]
    return main(['predict', *inputs, *words])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


def test_each_image_has_a_row_with_the_share_of_each_class(folder: Path, model: Path) -> None:
    assert predict(folder, model, '--csv', str(folder / 'shares.csv')) == 0
    black, white = rows(folder / 'shares.csv')
    assert (black['name'], float(black['background'])) == ('black.png', 1.0)
    assert (white['name'], float(white['lane_marking'])) == ('sub/white.png', 1.0)
    assert float(white['inference_ms']) > 0


def test_metadata_is_joined_by_name_or_by_path(folder: Path, model: Path) -> None:
    (folder / 'gps.json').write_text(
        json.dumps({'black.png': {'latitude': 48.1}, 'white.png': {'speed': 7}}), 'utf-8'
    )
    words = ['--csv', str(folder / 'shares.csv'), '--metadata', str(folder / 'gps.json')]
    assert predict(folder, model, *words) == 0
    black, white = rows(folder / 'shares.csv')
    assert (black['latitude'], black['speed']) == ('48.1', '')
    assert (white['latitude'], white['speed']) == ('', '7')


def test_metadata_without_a_table_is_wrong_usage(folder: Path, model: Path) -> None:
    assert predict(folder, model, '--metadata', str(folder / 'gps.json')) == 2


@pytest.mark.parametrize('text', ['[1]', '{"a.png": 1}', '{"a.png": {"b": [1]}}', '{'])
def test_metadata_of_another_form_is_refused(
    folder: Path, model: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / 'gps.json').write_text(text, encoding='utf-8')
    words = ['--csv', str(folder / 'shares.csv'), '--metadata', str(folder / 'gps.json')]
    assert predict(folder, model, *words) == 1
    assert f'{folder / "gps.json"}: expected' in capsys.readouterr().err
    assert not (folder / 'shares.csv').exists()


def test_what_was_done_before_an_interrupt_is_kept(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lane_seg.pipeline import LanePipeline

    process = LanePipeline.process
    done = []

    def interrupted(pipeline: LanePipeline, image: np.ndarray) -> object:
        if done:
            raise KeyboardInterrupt
        done.append(image)
        return process(pipeline, image)

    monkeypatch.setattr(LanePipeline, 'process', interrupted)
    assert predict(folder, model, '--csv', str(folder / 'shares.csv')) == 130
    assert [row['name'] for row in rows(folder / 'shares.csv')] == ['black.png']
