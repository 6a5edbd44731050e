"""From a checkpoint to a bundle that loads, runs and tells the truth about itself."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import yaml

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.errors import LaneSegError
from lane_seg.files import sha256_of
from lane_seg.pipeline import LanePipeline
from lane_seg_train import evaluate as evaluate_command
from lane_seg_train import export as export_command
from lane_seg_train.config_file import plain_config
from tests.lane_seg_train.tiny_training import (
    quantized_checkpoint,
    random_checkpoint,
    tiny_config,
    write_pairs,
)


@pytest.fixture(scope='module')
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('run')
    write_pairs(folder / 'data')
    for name, checkpoint in (('float', random_checkpoint()), ('int8', quantized_checkpoint())):
        (folder / name).mkdir()
        checkpoint.save(folder / name / 'checkpoint.pt')
        recipe = yaml.safe_dump(plain_config(tiny_config()))
        (folder / name / 'config.yaml').write_text(recipe)
    return folder


def export_command_line(*words: str) -> int:
    parser = argparse.ArgumentParser()
    export_command.add_arguments(parser)
    return export_command.run(parser.parse_args(words))


def export_tiny(folder: Path, output: Path, *more: str, of: str = 'int8') -> int:
    checkpoint, data = str(folder / of / 'checkpoint.pt'), str(folder / 'data')
    return export_command_line(checkpoint, '--data', data, '--output', str(output), *more)


@pytest.fixture(scope='module')
def bundle_folder(run_folder: Path) -> Path:
    output = run_folder / 'models' / 'tiny'
    assert export_tiny(run_folder, output, '--model-version', '2.1.0') == 0
    return output


def test_the_exported_bundle_loads_and_runs(run_folder: Path, bundle_folder: Path) -> None:
    bundle = ModelBundle.load(bundle_folder)
    assert (bundle.name, bundle.version, bundle.precision) == ('tiny', '2.1.0', 'int8')
    image = cv2.imread(str(run_folder / 'data' / 'images' / '000.png'))
    with open_engine(bundle) as engine:
        mask = LanePipeline(bundle, engine).process(image).mask
    assert mask.shape == image.shape[:2]
    assert mask.max() < 3


def test_model_yaml_hashes_every_other_file_of_the_bundle(bundle_folder: Path) -> None:
    spec = yaml.safe_load((bundle_folder / 'model.yaml').read_text())
    others = {path.name for path in bundle_folder.iterdir()} - {'model.yaml'}
    assert set(spec['files']) == others
    for name, entry in spec['files'].items():
        assert entry['sha256'] == sha256_of(bundle_folder / name)


def test_the_measured_iou_is_that_of_the_exported_file(
    run_folder: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    parser = argparse.ArgumentParser()
    evaluate_command.add_arguments(parser)
    words = ['--model', str(bundle_folder), '--data', str(run_folder / 'data')]
    report = tmp_path / 'iou.json'
    assert evaluate_command.run(parser.parse_args([*words, '--json', str(report)])) == 0
    measured = yaml.safe_load(report.read_text())['scores']
    stated = yaml.safe_load((bundle_folder / 'model.yaml').read_text())['metrics']['iou']
    assert [round(row['iou'], 4) for row in measured] == [row['iou'] for row in stated]
    assert {row['classes'] for row in stated} == {'background', 'road', 'lane_marking'}


def test_the_model_card_names_data_licence_calibration_and_weak_points(
    bundle_folder: Path,
) -> None:
    card = (bundle_folder / 'README.md').read_text()
    spec = yaml.safe_load((bundle_folder / 'model.yaml').read_text())
    assert 'test data' in card
    assert spec['quantization']['calibration']['sha256'][:16] in card
    assert 'lane_marking' in card
    assert '- cannot see in the dark' in card


def test_fp32_bundles_are_larger_and_agree(run_folder: Path, bundle_folder: Path) -> None:
    output = run_folder / 'models' / 'float'
    assert export_tiny(run_folder, output, '--name', 'float', of='float') == 0
    small, large = ModelBundle.load(bundle_folder), ModelBundle.load(output)
    assert large.precision == 'fp32'
    image = cv2.imread(str(run_folder / 'data' / 'images' / '001.png'))
    masks = []
    for bundle in (small, large):
        with open_engine(bundle) as engine:
            masks.append(LanePipeline(bundle, engine).process(image).mask)
    assert np.mean(masks[0] == masks[1]) > 0.9


def test_an_existing_bundle_is_not_overwritten(run_folder: Path, bundle_folder: Path) -> None:
    before = sha256_of(bundle_folder / 'model.onnx')
    with pytest.raises(LaneSegError, match='already holds a bundle; add --force'):
        export_tiny(run_folder, bundle_folder)
    assert sha256_of(bundle_folder / 'model.onnx') == before


def test_a_missing_checkpoint_is_named(run_folder: Path, tmp_path: Path) -> None:
    missing, data = str(tmp_path / 'none.pt'), str(run_folder / 'data')
    recipe = str(run_folder / 'float' / 'config.yaml')
    with pytest.raises(LaneSegError, match=r'expected a checkpoint .*none\.pt, found no file'):
        export_command_line(
            missing, '--data', data, '--output', str(tmp_path / 'm'), '--recipe', recipe
        )


def test_a_float_bundle_says_how_to_come_to_int8(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_tiny(run_folder, tmp_path / 'float', of='float') == 0
    assert 'for int8, first: lane-seg quantize' in capsys.readouterr().out


def test_the_confidence_is_the_probability_of_the_chosen_class(
    run_folder: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / 'sure'
    assert export_tiny(run_folder, output, '--confidence', '--logits') == 0
    bundle, plain = ModelBundle.load(output), ModelBundle.load(bundle_folder)
    assert bundle.confidence
    assert not plain.confidence
    assert '; `confidence`, the same shape' in (output / 'README.md').read_text()
    assert '`confidence`' not in (bundle_folder / 'README.md').read_text()
    image = cv2.imread(str(run_folder / 'data' / 'images' / '002.png'))
    sessions = {
        name: onnxruntime.InferenceSession(
            output / f'{name}.onnx', providers=['CPUExecutionProvider']
        )
        for name in ('model', 'logits')
    }
    mask, confidence = sessions['model'].run(['mask', 'confidence'], {'image': image[None]})
    (logits,) = sessions['logits'].run(['logits'], {'image': image[None]})
    assert logits.shape == (1, 3, *image.shape[:2])
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    # The two graphs may round apart where two classes are equally probable.
    assert np.mean(mask == logits.argmax(axis=1)) > 0.999
    assert np.abs(confidence / 255 - probability.max(axis=1)).max() < 0.02
    for name in ('onnxruntime', 'openvino'):
        with open_engine(bundle, name) as both, open_engine(plain, name) as one:
            mask, confidence = both.infer_both(image)
            assert np.array_equal(mask, one.infer(image))
            # The two graphs may round apart where two classes are equally probable.
            assert np.mean(mask == logits[0].argmax(axis=0)) > 0.99
            assert confidence.shape == image.shape[:2]
            differences = np.abs(confidence / 255 - probability[0].max(axis=0))
            assert np.mean(differences < 2 / 255) > 0.99


def test_an_export_without_logits_removes_those_of_the_export_before(
    run_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / 'twice'
    assert export_tiny(run_folder, output, '--logits') == 0
    assert 'logits.onnx' in yaml.safe_load((output / 'model.yaml').read_text())['files']
    assert export_tiny(run_folder, output, '--force') == 0
    assert not (output / 'logits.onnx').exists()
