"""`lane-seg add-confidence`: another bundle of the same model, with a second output."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

pytest.importorskip('onnx')

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.errors import BundleError
from lane_seg.files import sha256_of
from lane_seg_engine import add_confidence as command
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from pathlib import Path


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model with confidence."""
    output = tmp_path_factory.mktemp('models') / 'sure'
    assert run('--output', output) == 0
    return output


def test_the_new_bundle_gives_the_masks_of_the_old_one_and_confidence(made: Path) -> None:
    pytest.importorskip('onnxruntime')
    old, new = ModelBundle.load('default'), ModelBundle.load(made)
    assert new.confidence
    assert not old.confidence
    image = np.random.default_rng(0).integers(0, 256, (old.height, old.width, 3), np.uint8)
    with open_engine(old, 'onnxruntime') as plain, open_engine(new, 'onnxruntime') as both:
        mask, confidence = both.infer_both(image)
        assert np.array_equal(mask, plain.infer(image))
    assert confidence.min() < 200
    assert confidence.max() == 255


def test_all_else_is_that_of_the_old_one(made: Path) -> None:
    old = ModelBundle.load('default').directory
    before, after = (
        yaml.safe_load((folder / 'model.yaml').read_text(encoding='utf-8'))
        for folder in (old, made)
    )
    files, files_before = after.pop('files'), before.pop('files')
    assert after.pop('confidence') is True
    assert after == before
    assert (
        set(files) == set(files_before) == {path.name for path in made.iterdir()} - {'model.yaml'}
    )
    for name, entry in files.items():
        assert entry == {
            'sha256': sha256_of(made / name), 'bytes': (made / name).stat().st_size
        }  # fmt: skip
    assert (made / 'recipe.yaml').read_bytes() == (old / 'recipe.yaml').read_bytes()
    card = (made / 'README.md').read_text(encoding='utf-8')
    assert card.startswith((old / 'README.md').read_text(encoding='utf-8').rstrip())
    assert 'its second output: `confidence`' in card


def test_it_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run('--output', tmp_path / 'sure') == 0
    assert capsys.readouterr().out.startswith(f'wrote {tmp_path / "sure"}: default ')


def test_a_bundle_is_never_overwritten_not_even_the_old_one(made: Path) -> None:
    old = ModelBundle.load('default')
    for output in (made, old.directory):
        before = {path: path.read_bytes() for path in output.iterdir() if path.is_file()}
        with pytest.raises(BundleError, match='already holds a bundle; choose another --output'):
            run('--output', output)
        assert all(path.read_bytes() == data for path, data in before.items())


def test_a_bundle_that_gives_it_already_is_left_as_it_is(made: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match='found that it gives it already; use it as it is'):
        run('--model', made, '--output', tmp_path / 'twice')
    assert not (tmp_path / 'twice').exists()


def test_a_graph_of_another_make_is_refused_and_nothing_written(tmp_path: Path) -> None:
    model = make_tiny_bundle(tmp_path / 'tiny')
    with pytest.raises(BundleError, match='expected a graph of `lane-seg export`'):
        run('--model', model, '--output', tmp_path / 'sure')
    assert not (tmp_path / 'sure').exists()
