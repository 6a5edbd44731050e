"""From a checkpoint to a bundle that loads, runs and tells the truth about itself."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
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
from tests.lane_seg_train.tiny_training import random_checkpoint, tiny_config, write_pairs


@pytest.fixture(scope='module')
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('run')
    write_pairs(folder / 'data')
    random_checkpoint().save(folder / 'checkpoint.pt')
    (folder / 'config.yaml').write_text(yaml.safe_dump(plain_config(tiny_config())))
    return folder


def export_command_line(*words: str) -> int:
    parser = argparse.ArgumentParser()
    export_command.add_arguments(parser)
    return export_command.run(parser.parse_args(words))


def export_tiny(folder: Path, output: Path, *more: str) -> int:
    checkpoint, data = str(folder / 'checkpoint.pt'), str(folder / 'data')
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
    assert export_tiny(run_folder, output, '--precision', 'fp32', '--name', 'float') == 0
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
    recipe = str(run_folder / 'config.yaml')
    with pytest.raises(LaneSegError, match=r'expected a checkpoint .*none\.pt, found no file'):
        export_command_line(
            missing, '--data', data, '--output', str(tmp_path / 'm'), '--recipe', recipe
        )
