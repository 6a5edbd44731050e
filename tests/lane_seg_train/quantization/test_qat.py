"""Quantization-aware training makes good what rounding has spoiled, or leaves it as it was."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

pytest.importorskip('lightning')

from lane_seg.errors import LaneSegError
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config_file import load_config
from lane_seg_train.onnx_from_checkpoint import onnx_from_checkpoint
from lane_seg_train.quantization.qat import QatSettings, qat
from lane_seg_train.run_csv import read_rows
from tests.lane_seg_train.quantization.qat_runs import (
    DAMAGING,
    ONE_THREAD,
    SETTINGS,
    lane_iou,
    masks,
    quantized,
    recipe,
)
from tests.lane_seg_train.tiny_training import pairs, random_checkpoint, write_pairs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with labels, and ptq.pt."""
    folder = tmp_path_factory.mktemp('data')
    write_pairs(folder)
    quantized(DAMAGING).save(folder / 'ptq.pt')
    return folder


@pytest.fixture(scope='module')
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run."""
    output = tmp_path_factory.mktemp('runs') / 'qat'
    best = qat(data / 'ptq.pt', recipe(), data, output, SETTINGS, hardware=ONE_THREAD)
    assert best == output / 'checkpoint.pt'
    return output


def scores(folder: Path) -> list[float]:
    return [float(row['tiny/lane_marking']) for row in read_rows(folder / 'metrics.csv')]


def test_training_makes_good_what_too_small_ranges_have_spoiled(
    data: Path, finished: Path
) -> None:
    before = lane_iou(Checkpoint.load(data / 'ptq.pt'))
    after = lane_iou(Checkpoint.load(finished / 'checkpoint.pt'))
    assert before < 0.7
    assert after > before + 0.2


def test_the_best_epoch_is_kept_and_named_and_was_measured_as_it_is_kept(
    data: Path, finished: Path
) -> None:
    best = Checkpoint.load(finished / 'checkpoint.pt')
    measured = scores(finished)
    assert best.quantization is not None
    assert best.quantization.qat_epochs == int(np.argmax(measured)) > 0
    assert best.metrics['tiny/lane_marking'] == pytest.approx(max(measured), abs=1e-5)
    assert lane_iou(best) == pytest.approx(max(measured), abs=1e-4)
    assert best.quantization.method.startswith('quantization-aware training')
    record = Checkpoint.load(data / 'ptq.pt').quantization
    assert record is not None
    assert dataclasses.replace(best.quantization, qat_epochs=0) == record


def test_the_run_folder_is_like_any_other_and_begins_with_epoch_0(
    data: Path, finished: Path
) -> None:
    rows = read_rows(finished / 'metrics.csv')
    assert [row['epoch'] for row in rows] == ['0', '1', '2', '3', '4']
    assert [row['step'] for row in rows] == ['0', '3', '6', '9', '12']
    assert rows[0]['train/loss'] == '' != rows[1]['train/loss']
    before = lane_iou(Checkpoint.load(data / 'ptq.pt'))
    assert float(rows[0]['tiny/lane_marking']) == pytest.approx(before, abs=1e-4)
    assert len(read_rows(finished / 'steps.csv')) == 12
    for name in ('last.ckpt', 'curves.png', 'report.html'):
        assert (finished / name).stat().st_size > 1000


def test_the_recipe_that_is_written_down_is_the_one_that_was_run(finished: Path) -> None:
    config = load_config(finished / 'config.yaml')
    assert (config.epochs, config.precision) == (4, '32-true')
    assert (config.optimizer.learning_rate, config.schedule.name) == (1e-2, 'cosine')
    rates = [float(row['learning_rate']) for row in read_rows(finished / 'steps.csv')]
    assert max(rates) == 1e-2
    assert rates[-1] == pytest.approx(1e-4)


def test_the_rate_is_a_hundredth_of_the_recipes_unless_said(data: Path, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1, learning_rate=None)
    config = recipe('optimizer.learning_rate=3e-3')
    qat(data / 'ptq.pt', config, data, tmp_path / 'run', settings, hardware=ONE_THREAD)
    assert load_config(tmp_path / 'run' / 'config.yaml').optimizer.learning_rate == 3e-5


def test_the_exported_int8_file_gives_the_masks_that_were_validated(finished: Path) -> None:
    best = Checkpoint.load(finished / 'checkpoint.pt')
    model = onnx_from_checkpoint(best)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    exported = np.concatenate(
        [session.run(None, {'image': image[None]})[0] for image, _ in pairs()]
    )
    assert (exported == masks(best)).mean() >= 0.999
    stored = [onnx.numpy_helper.to_array(item) for item in model.graph.initializer]
    codes = [array for array in stored if array.dtype == np.int8 and array.ndim == 4]
    assert len(codes) == len(best.net.placement.weights)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize('rate', [1e-12, 0.5], ids=['no better', 'worse'])
def test_what_training_does_not_make_better_stays_as_it_was(
    data: Path, tmp_path: Path, rate: float
) -> None:
    sound = quantized(100)
    sound.save(tmp_path / 'ptq.pt')
    settings = dataclasses.replace(SETTINGS, epochs=2, learning_rate=rate, freeze=0)
    output = tmp_path / 'run'
    kept = Checkpoint.load(
        qat(tmp_path / 'ptq.pt', recipe(), data, output, settings, hardware=ONE_THREAD)
    )
    assert max(scores(output)[1:]) <= scores(output)[0]
    assert kept.quantization == sound.quantization
    assert kept.metrics['tiny/lane_marking'] == pytest.approx(scores(output)[0], abs=1e-5)
    weights = kept.net.state_dict()
    assert all(torch.equal(weights[name], old) for name, old in sound.net.state_dict().items())


def test_what_would_round_the_int8_values_again_is_not_done_and_said(
    data: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1)
    for precision, said in (('bf16-mixed', 1), ('32-true', 0)):
        output = tmp_path / precision
        config = recipe(f'precision={precision}')
        qat(data / 'ptq.pt', config, data, output, settings, hardware=ONE_THREAD)
        assert load_config(output / 'config.yaml').precision == '32-true'
        message = f'32-true instead of {precision}, which would round the int8 values again'
        assert capsys.readouterr().err.count(message) == said


def test_ranges_are_chosen_as_before_unless_another_way_is_named(
    data: Path, tmp_path: Path
) -> None:
    settings = QatSettings(epochs=1, learning_rate=1e-3, calibrator='max', images=3)
    best = qat(data / 'ptq.pt', recipe(), data, tmp_path / 'run', settings, hardware=ONE_THREAD)
    record = Checkpoint.load(best).quantization
    assert record is not None
    assert (record.calibrator, record.images, record.qat_epochs) == ('max', 3, 1)


def test_a_checkpoint_that_cannot_be_trained_on_is_refused_before_anything_is_written(
    data: Path, finished: Path, tmp_path: Path
) -> None:
    random_checkpoint().save(tmp_path / 'float.pt')
    three = recipe()
    cases = [
        (tmp_path / 'float.pt', three, 'found one in float; quantize it with `lane-seg quantize`'),
        (finished / 'checkpoint.pt', three, r'found one of \d epochs of quantization-aware'),
        (data / 'ptq.pt', recipe('height=32'), '32, 128, background, .* found 64, 128, backgr'),
        (data / 'ptq.pt', recipe('classes=[road, other]'), 'take the recipe of the run that made'),
        (data / 'none.pt', three, 'found no file'),
    ]
    for checkpoint, config, text in cases:
        with pytest.raises(LaneSegError, match=text):
            qat(checkpoint, config, data, tmp_path / 'run', SETTINGS)
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    ('setting', 'text'),
    [
        ({'epochs': 0}, 'epochs: expected at least 1, found 0'),
        ({'images': 0}, 'images: expected at least 1, found 0'),
        ({'freeze': 1.5}, 'freeze: expected a share from 0 to 1, found 1.5'),
        ({'learning_rate': 0.0}, 'learning_rate: expected a number above 0, found 0'),
        ({'calibrator': 'mean'}, "out of max, percentile, mse, entropy, found 'mean'"),
        ({'percentile': 20.0}, 'percentile: expected above 50 and up to 100, found 20'),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: dict[str, object], text: str) -> None:
    with pytest.raises(LaneSegError, match=text):
        QatSettings(**setting)  # type: ignore[arg-type]
