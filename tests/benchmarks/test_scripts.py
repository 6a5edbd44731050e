"""The benchmark scripts run and say what they should; how fast is not tested."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny_bundle import make_tiny_bundle

ROOT = Path(__file__).resolve().parents[2]


def run_script(name: str, *words: str) -> str:
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / 'benchmarks' / name),
            '--repeats',
            '2',
            '--warmup',
            '1',
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, 'PYTHONPATH': str(ROOT / 'src')},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pre_post_compares_all_stages_at_all_sizes(tmp_path: Path) -> None:
    said = run_script('pre_post.py', '--json', str(tmp_path / 'r.json'))
    assert 'all three 1280x720' in said
    report = json.loads((tmp_path / 'r.json').read_text())
    assert report['settings']['OpenCV threads'] == 1
    stages = ('preprocess', 'postprocess', 'overlay', 'rows to draw', 'all three')
    cases = {
        f'{stage} {size}' for stage in stages for size in ('640x360', '1280x720', '1920x1080')
    }
    assert {row['case'] for row in report['rows']} == cases
    assert all(row['timing']['count'] == 2 for row in report['rows'])


def test_engines_compares_engines_threads_and_graphs(tmp_path: Path) -> None:
    for name in ('openvino', 'onnxruntime'):
        pytest.importorskip(name)
    model = make_tiny_bundle(tmp_path / 'tiny')
    said = run_script('engines.py', '--model', str(model), '--json', str(tmp_path))
    assert '100.00 % same pixels' in said
    report = json.loads((tmp_path / 'engines.json').read_text())
    assert len(report['rows']) == 2 * 2 * 2
    assert {'openvino', 'onnxruntime'} <= set(report['machine']['libraries'])


def test_engines_tells_what_the_confidence_costs(tmp_path: Path) -> None:
    for name in ('openvino', 'onnxruntime'):
        pytest.importorskip(name)
    said = run_script('engines.py', '--confidence', '--threads', '1', '--json', str(tmp_path))
    assert said.count('100.00 % same pixels') == 4
    rows = json.loads((tmp_path / 'engines_confidence.json').read_text())['rows']
    assert [row['reference'] for row in rows] == ['openvino'] * 2 + ['onnxruntime'] * 2


def test_train_throughput_runs_every_contender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('lightning')
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    import train_throughput as script

    from lane_seg_train.config_file import with_overrides

    parsed = argparse.Namespace(size=(32, 64), width=4, batch_size=2)
    config = with_overrides(script.config_of(parsed), ['net.depth=2', 'workers=0'])
    script.write_data(tmp_path, 4, config)
    for contender in script.CONTENDERS:
        assert script.seconds_of(contender, tmp_path, config) > 0


def test_bit_widths_measures_every_width_and_dynamic_scales(tmp_path: Path) -> None:
    pytest.importorskip('torch')
    from tests.lane_seg_train.tiny_training import trained_checkpoint, write_pairs, write_recipe

    write_pairs(tmp_path / 'data')
    trained_checkpoint().save(tmp_path / 'checkpoint.pt')
    write_recipe(tmp_path / 'config.yaml')
    words = ('--data', str(tmp_path / 'data'), '--images', '4', '--json', str(tmp_path))
    run_script('bit_widths.py', str(tmp_path / 'checkpoint.pt'), *words)
    report = json.loads((tmp_path / 'bit_widths.json').read_text())
    widths = {(row['weights'], row['activations']): row for row in report['bits']}
    assert widths[8, 8]['agreement'] > 0.99
    assert widths[2, 8]['agreement'] < widths[8, 8]['agreement']
    contenders = {row['contender']: row for row in report['dynamic']}
    assert contenders['float']['ratio'] == 1
    assert set(contenders) == {'float', 'static int8', 'dynamic int8'}
    assert 'DynamicQuantizeLinear' in report['dynamic_in_tensorrt'] or (
        'not asked' in report['dynamic_in_tensorrt']
    )
