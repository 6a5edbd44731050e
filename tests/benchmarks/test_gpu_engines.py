"""The GPU benchmark: what it says without a GPU, and what it does on the stand-in for one."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip('onnx')
pytest.importorskip('rich')
pytest.importorskip('torch')

from lane_seg.bundle import ModelBundle
from lane_seg.errors import EngineError, LaneSegError
from lane_seg.plans.gpu import gpu_info
from tests.lane_seg.engines.fake_cuda import NETWORK_MS, FakeGpu, mask_of
from tests.lane_seg_train import tiny_training as tiny

if TYPE_CHECKING:
    from gpu_contenders import Contender

ROOT = Path(__file__).resolve().parents[2]


class Here:
    """In place of a process of its own, which would know nothing of the stand-in."""

    fails_after: dict[str, int] = {}

    def __init__(self, contender: Contender, tensors: np.ndarray, *, patience_s: float) -> None:
        import gpu_contenders

        assert patience_s > 0
        self.answer = gpu_contenders.answer
        self.label, self.tensors, self.asked = contender.label, tensors, 0
        self.runner, self.facts = gpu_contenders.open_contender(contender)

    def ask(self, what: str, frames: int = 0, lead_in: int = 0) -> dict[str, Any]:
        self.asked += 1
        if self.asked > self.fails_after.get(self.label, 10**6):
            raise LaneSegError('its process died')
        return self.answer(self.runner, what, self.tensors, frames, lead_in)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        close = getattr(self.runner, 'close', None)
        if close is not None:
            close()


def test_without_a_gpu_the_command_says_so_and_fails() -> None:
    with contextlib.suppress(EngineError):
        pytest.skip(f'there is one: {gpu_info().name}')
    done = subprocess.run(
        [sys.executable, str(ROOT / 'benchmarks' / 'gpu_engines.py'), '--frames', '2'],
        capture_output=True,
        text=True,
        timeout=120,
        env={'PYTHONPATH': str(ROOT / 'src')},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: expected NVIDIA's driver (libcuda.so.1), found")
    assert 'Traceback' not in done.stderr


def run_main(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(script, 'Process', Here)
    monkeypatch.setattr(sys, 'argv', ['gpu_engines.py', *map(str, words)])
    return script.main()


def test_plans_are_built_and_every_contender_becomes_a_row(
    script: ModuleType,
    gpu: FakeGpu,
    bundles: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import torch

    checkpoint = tmp_path / 'checkpoint.pt'
    tiny.random_checkpoint().save(checkpoint)
    # What the stand-in for the GPU computes, as if OpenVINO had computed it too.
    monkeypatch.setattr(script, 'openvino_masks', lambda bundle, tensors: mask_of(tensors))
    words = ['--int8', bundles[0], '--float', bundles[1], '--checkpoint', checkpoint]
    words += ['--frames', 30, '--plans', tmp_path / 'plans', '--json', tmp_path]
    assert run_main(script, monkeypatch, *words) == 0
    report = json.loads((tmp_path / 'gpu_engines.json').read_text())
    rows = {row['contender']: row for row in report['rows']}
    assert list(rows) == ['tensorrt int8', 'tensorrt fp16', 'tensorrt fp32', 'torch fp16']
    for name in list(rows)[:3]:
        row = rows[name]
        # Whole windows are timed, of the network alone and of whole frames.
        assert (row['gpu']['count'], row['whole']['count']) == (40, 40)
        assert row['gpu']['median_ms'] == row['gpu']['max_ms'] == NETWORK_MS
        assert row['whole']['median_ms'] > 0
        assert (row['faster_gpu'], row['agreement'], row['missing']) == (1.0, 1.0, '')
        assert row['facts']['cuda_graph'] == 'yes'
        assert row['facts']['plan'].startswith(f'model.{name.split()[1]}.tensorrt-10.3.0.orin')
    assert {path.name for path in (tmp_path / 'plans').rglob('*.plan')} == {
        rows[name]['facts']['plan'] for name in list(rows)[:3]
    }
    assert report['gpu']['name'] == 'Orin'
    assert '--frames 30' in report['command']
    assert report['settings']['sha256'] == ModelBundle.load(bundles[0]).onnx_sha256
    said = capsys.readouterr().out
    assert '100.000 %' in said
    if not torch.cuda.is_available():
        assert 'expected PyTorch with CUDA' in rows['torch fp16']['missing']
        assert rows['torch fp16']['gpu'] is None
        assert 'torch fp16: expected PyTorch with CUDA' in said


def test_an_int8_engine_that_gives_other_masks_than_openvino_fails_the_command(
    script: ModuleType,
    gpu: FakeGpu,
    bundles: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip('openvino')
    # OpenVINO runs the real graph, the stand-in for the GPU a network of its own.
    assert run_main(script, monkeypatch, '--int8', bundles[0], '--frames', 1) == 1
    said = capsys.readouterr()
    assert 'expected at least 99.9 % of the pixels as in OpenVINO' in said.err
    assert 'tensorrt fp16: --float was not given' in said.out
    assert 'torch fp16: --checkpoint was not given' in said.out


def test_a_contender_that_dies_leaves_the_others_their_turns(
    script: ModuleType,
    gpu: FakeGpu,
    bundles: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(Here, 'fails_after', {'tensorrt fp16': script.WARMUP_WINDOWS + 2})
    monkeypatch.setattr(script, 'openvino_masks', lambda bundle, tensors: mask_of(tensors))
    words = ['--int8', bundles[0], '--float', bundles[1], '--frames', 60]
    assert run_main(script, monkeypatch, *words, '--json', tmp_path / 'r.json') == 0
    rows = {row['contender']: row for row in json.loads((tmp_path / 'r.json').read_text())['rows']}
    assert rows['tensorrt fp16']['missing'] == 'its process died'
    assert rows['tensorrt fp16']['gpu'] is None
    assert [rows[f'tensorrt {name}']['gpu']['count'] for name in ('int8', 'fp32')] == [60, 60]


def test_where_nothing_runs_the_reasons_are_told_and_the_command_fails(
    script: ModuleType,
    gpu: FakeGpu,
    bundles: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gpu.fails.add('deserialize')
    words = ['--int8', bundles[0], '--frames', 1, '--json', tmp_path / 'r.json']
    assert run_main(script, monkeypatch, *words) == 1
    said = capsys.readouterr()
    assert 'tensorrt int8: engine tensorrt: ' in said.out
    assert 'magicTag does not match' in said.out
    assert said.err.endswith('error: expected at least one contender that runs, found none\n')
    assert json.loads((tmp_path / 'r.json').read_text())['rows'][0]['gpu'] is None


def test_bundles_in_each_others_place_are_refused(
    script: ModuleType,
    gpu: FakeGpu,
    bundles: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_main(script, monkeypatch, '--int8', bundles[1]) == 1
    assert '--int8: expected such a bundle, found fp32' in capsys.readouterr().err


def test_no_frames_are_refused(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_main(script, monkeypatch, '--frames', 0)
    assert 'expected --frames of at least 1, found 0' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('command', 'said'),
    [('echo 1980 MHz', '1980 MHz'), ('sleep 60', 'expected an answer of nvidia-smi, found none')],
)
def test_nvidia_smi_is_not_waited_for_in_vain(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    monkeypatch.setattr(script, 'PATIENCE_S', 1)
    process = subprocess.Popen(command.split(), stdout=subprocess.PIPE, text=True)
    assert script.said_by(process).startswith(said)
    assert process.returncode is not None
    assert script.said_by(None) == 'expected nvidia-smi, found none'


@pytest.mark.parametrize(
    ('precision', 'agreement', 'code'),
    [
        ('int8', 0.0, 1),
        ('int8', 0.9989, 1),
        ('int8', 0.999, 0),
        ('int8', None, 0),
        ('fp16', 0.5, 0),
    ],
)
def test_only_int8_has_to_agree_with_openvino(
    script: ModuleType, precision: str, agreement: float | None, code: int
) -> None:
    rows = [
        script.Row('tensorrt fp32', agreement=1.0),
        script.Row(f'tensorrt {precision}', agreement=agreement),
    ]
    assert script.verdict(rows) == code
