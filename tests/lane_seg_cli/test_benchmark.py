"""`lane-seg benchmark`: what it says, not how fast it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg_cli.benchmark import STAGES
from lane_seg_cli.main import main
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from pathlib import Path

SHORT = ['--frames', '5', '--warmup', '1']


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')


@pytest.mark.parametrize('engine', ['openvino', 'onnxruntime'])
def test_the_report_says_what_ran_on_what(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    pytest.importorskip(engine)
    path = tmp_path / 'new/report.json'
    words = ['--model', str(model), '--engine', engine, '--threads', '1', '--size', '320x180']
    assert main(['benchmark', *words, *SHORT, '--json', str(path)]) == 0
    bundle = ModelBundle.load(model)
    report = json.loads(path.read_text())
    assert report['engine'] == report['engine_asked'] == engine
    assert report['engine_version'] == report['machine']['libraries'][engine]
    assert report['threads'] == 1
    assert report['model_sha256'] == bundle.onnx_sha256
    assert (report['model'], report['model_version']) == ('tiny', '0.0.1')
    assert (report['height'], report['width']) == (180, 320)
    assert (report['frames'], report['warmup']) == (5, 1)
    assert report['machine']['cores'] >= 1
    assert report['machine']['load_1m'] >= 0
    assert tuple(report['stages']) == STAGES
    for summary in report['stages'].values():
        assert summary['count'] == 5
        assert 0 < summary['median_ms'] <= summary['p99_ms'] <= summary['max_ms']
    said = capsys.readouterr().out
    for words_of_table in (*STAGES, engine, bundle.onnx_sha256, '320x180', 'median', 'p99'):
        assert words_of_table in said


def test_an_image_of_the_user_keeps_its_size(tmp_path: Path, model: Path) -> None:
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.zeros((50, 70, 3), np.uint8))
    words = ['--model', str(model), '--input', str(path), '--json', str(tmp_path / 'r.json')]
    assert main(['benchmark', *words, *SHORT]) == 0
    report = json.loads((tmp_path / 'r.json').read_text())
    assert (report['height'], report['width'], report['image']) == (50, 70, str(path))


def test_another_engine_than_the_one_asked_for_is_a_failure(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('onnxruntime')
    monkeypatch.setattr(
        'lane_seg.engines.open_engine',
        lambda bundle, engine, threads: open_engine(bundle, 'onnxruntime', threads=threads),
    )
    assert main(['benchmark', '--model', str(model), '--engine', 'openvino', *SHORT]) == 1
    said = capsys.readouterr()
    assert 'expected to measure engine openvino, found that onnxruntime runs' in said.err
    assert said.out == ''


def test_tensorrt_says_why_it_does_not_run(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['benchmark', '--model', str(model), '--engine', 'tensorrt', *SHORT]) == 1
    assert 'error: engine tensorrt: ' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'code', 'text'),
    [
        (['--engine', 'abacus'], 2, "invalid choice: 'abacus'"),
        (['--size', '720p'], 2, "'720p' is no size"),
        (['--frames', '0'], 1, 'expected --frames >= 1'),
        (['--size', '9999x9999'], 1, 'give an image: --input IMAGE'),
        (['--model', 'no model'], 1, 'expected a model bundle'),
        (['--input', 'nowhere.png', *SHORT], 1, 'nowhere.png: expected an image file'),
    ],
)
def test_bad_arguments_are_explained(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int, text: str
) -> None:
    assert main(['benchmark', *words]) == code
    assert text in capsys.readouterr().err
