"""`lane-seg compare` from bundles to verdict, with real engines in real processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lane_seg_cli.main import main
from lane_seg_train.compare import process

if TYPE_CHECKING:
    from tests.lane_seg_train.compare.conftest import Models

ROOT = Path(__file__).resolve().parents[3]
FEW = ['--frames', '4', '--warmup', '1', '--threads', '1']
LABELS = [
    'torch fp32', 'torch int8', 'onnxruntime fp32', 'onnxruntime int8', 'openvino fp32',
    'openvino int8',
]  # fmt: skip
CPU_ENGINES = 'torch,onnxruntime,openvino'


def compare(models: Models, output: Path, *words: object) -> int:
    bundles = ['--int8', models.int8, '--float', models.floating, '--output', output]
    return main(['compare', *map(str, [*bundles, *FEW, *words])])


@pytest.mark.slow
def test_everything_is_measured_checked_and_written(
    models: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, copy = tmp_path / 'out', tmp_path / 'figures.json'
    checkpoints = ['--checkpoint', models.checkpoint, '--checkpoint', models.quantized]
    limits = ['--max-drop', 100, '--min-parity', 99]  # of a network that has learned nothing
    words = ['--engines', CPU_ENGINES, '--data', models.data, *limits]
    code = compare(models, output, *checkpoints, *words, '--pictures', 2, '--json', copy)
    said = capsys.readouterr().out
    assert code == 0, said
    for text in ('11 convolutions f32', 'convolutions int8', 'imitated in f32', 'slowest layers'):
        assert text in said.replace('\n', ' ') or text in (output / 'compare.md').read_text()

    report = json.loads((output / 'compare.json').read_text())
    assert copy.read_text() == (output / 'compare.json').read_text()
    rows = {row['label']: row for row in report['rows']}
    assert list(rows) == LABELS
    assert report['reference'] == 'torch fp32'
    assert report['shown'] == 'openvino int8'
    assert report['lane_score'] == 'tiny/lane_marking'
    for row in rows.values():
        assert row['error'] == ''
        assert row['frames'] == 4
        assert row['threads'] == 1
        assert 0 < row['p50_ms'] <= row['p95_ms'] <= row['p99_ms']
        assert row['frames_per_s'] > 0
        assert row['file_mb'] == Path(row['source']).stat().st_size / 1e6
        assert row['peak_mb'] == pytest.approx(row['library_mb'] + row['model_mb'])
        assert row['lane_iou'] == row['by_set']['tiny']['lane_marking']
    # Float is float in every engine; int8 differs, and by itself only.
    assert rows['torch fp32']['agreement'] == 1
    assert rows['openvino fp32']['agreement'] > 0.999
    assert 0.8 < rows['openvino int8']['agreement'] < 1
    assert rows['openvino int8']['int8_convolutions'] == 11
    assert set(report['layers']) == set(LABELS)
    assert set(report['float_layers']) == {'onnxruntime int8', 'openvino int8'}
    assert all(check['holds'] is not False for check in report['checks'])

    with (output / 'compare.csv').open(encoding='utf-8', newline='') as file:
        table = {row['label']: row for row in csv.DictReader(file)}
    assert float(table['openvino int8']['tiny/miou']) == pytest.approx(
        rows['openvino int8']['miou'], rel=1e-5
    )
    assert '| openvino int8 | openvino ' in (output / 'compare.md').read_text()
    assert '/Split (Split)' in (output / 'compare.md').read_text()
    layers = (output / 'layers_openvino_int8.csv').read_text()
    assert layers.startswith('layer,kind,precision,ms,share,operators\n')
    assert 'Convolution,u8' in layers
    pictures = sorted((output / 'pictures').glob('*.jpg'))
    assert len(pictures) == 3  # of four images two differ most, and one of them is in the middle
    page = (output / 'report.html').read_text()
    charts = ('latency.png', 'size_iou.png', 'iou.png', 'layers.png')
    assert all((output / name).read_bytes().startswith(b'\x89PNG') for name in charts)
    assert page.count('data:image/png') == len(charts)
    assert page.count('data:image/jpeg') == len(pictures)


def test_limits_that_do_not_hold_make_it_fail_and_are_named(
    models: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ['--engines', 'openvino', '--images', models.data / 'images', '--limit', 2]
    assert compare(models, tmp_path, *words, '--min-speedup', 1000, '--pictures', 0) == 1
    said = capsys.readouterr().out
    assert 'FAILED openvino int8: faster, against openvino fp32' in said
    assert 'not measured, there were no labels' in said
    report = json.loads((tmp_path / 'compare.json').read_text())
    assert report['images'] == {'images': 2}
    assert all(row['lane_iou'] is None for row in report['rows'])
    assert not (tmp_path / 'iou.png').exists()
    assert not (tmp_path / 'pictures').exists()


def test_a_contender_that_is_killed_is_named_and_the_others_are_measured(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    ask = process.Worker.ask

    def killed(worker: process.Worker, what: str, *args: object, **values: object) -> object:
        if (worker.label, what) == ('onnxruntime int8', 'time'):
            os.kill(worker.pid, signal.SIGKILL)
        return ask(worker, what, *args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(process.Worker, 'ask', killed)
    words = ['--engines', 'onnxruntime,openvino', '--images', models.data / 'images']
    assert compare(models, tmp_path, *words) == 1
    said = capsys.readouterr()
    assert 'onnxruntime int8 drops out: the process of onnxruntime int8 has ended' in said.err
    assert 'FAILED onnxruntime int8: measured' in said.out
    rows = {
        row['label']: row for row in json.loads((tmp_path / 'compare.json').read_text())['rows']
    }
    assert 'SIGKILL' in rows['onnxruntime int8']['error']
    assert rows['openvino int8']['p50_ms'] > 0
    assert 'dropped out' in (tmp_path / 'report.html').read_text()


def test_ctrl_c_ends_the_workers_and_writes_nothing(models: Models, tmp_path: Path) -> None:
    words = ['--int8', models.int8, '--float', models.floating, '--output', tmp_path / 'out']
    words += ['--engines', 'openvino', '--frames', 1_000_000, '--images', models.data / 'images']
    command = [sys.executable, '-m', 'lane_seg_cli.main', 'compare', *map(str, words)]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT / 'src')}
    started = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    end_s = time.monotonic() + 60
    children: list[int] = []
    try:
        while len(children) < 2 and time.monotonic() < end_s:  # both contenders are being timed
            time.sleep(0.2)
            children = _children(started.pid)
        os.killpg(started.pid, signal.SIGINT)
        _, errors = started.communicate(timeout=60)
    finally:
        started.kill()
    assert len(children) == 2
    assert started.returncode == 130, errors
    assert not any(Path(f'/proc/{child}').exists() for child in children)
    assert not (tmp_path / 'out').exists()


def _children(pid: int) -> list[int]:
    text = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    return [int(word) for word in text.split()]


@pytest.mark.parametrize(
    ('words', 'complaint'),
    [
        (['--int8', 'x'], 'expected something in float to compare with'),
        (['--int8', 'x', '--float', 'y', '--frames', '0'], 'expected --frames of at least 1'),
        (['--int8', 'x', '--float', 'y', '--data', 'd', '--images', 'i'], 'found both'),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['compare', *words]) == 1
    assert complaint in capsys.readouterr().err


def test_an_unknown_engine_is_refused(
    models: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(models, tmp_path, '--engines', 'openvino,tflite') == 1
    assert "found 'tflite'" in capsys.readouterr().err


def test_the_command_explains_itself_without_heavy_libraries() -> None:
    code = (
        'import sys, argparse\n'
        'from lane_seg_train.compare import command\n'
        'command.add_arguments(argparse.ArgumentParser())\n'
        'print(*{"torch", "onnx", "onnxruntime", "openvino", "cv2", "matplotlib", "rich"}\n'
        '      & set(sys.modules))\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT / 'src', capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, ''), done.stderr
