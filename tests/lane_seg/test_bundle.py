"""A bundle is verified on load, and each refusal says what to do."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

pytest.importorskip('onnx')

from lane_seg.bundle import ClassInfo, ModelBundle, find_bundle
from lane_seg.errors import BundleError
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / 'tiny')


def change(folder: Path, alter: Callable[[dict], object]) -> None:
    """Alter the content of model.yaml."""
    path = folder / 'model.yaml'
    spec = yaml.safe_load(path.read_text(encoding='utf-8'))
    alter(spec)
    path.write_text(yaml.safe_dump(spec), encoding='utf-8')


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        ModelBundle.load(folder)
    return str(caught.value)


def test_a_bundle_says_what_its_model_is(folder: Path) -> None:
    bundle = ModelBundle.load(folder)
    assert bundle.directory == folder
    assert (bundle.name, bundle.version, bundle.precision) == ('tiny', '0.0.1', 'fp32')
    assert (bundle.height, bundle.width, bundle.fit) == (64, 128, 'stretch')
    assert bundle.classes[2] == ClassInfo(2, 'lane_marking', (0, 0, 255))
    assert bundle.unlabeled_id == 255
    assert bundle.onnx_path == folder / 'model.onnx'
    assert bundle.onnx_sha256 == hashlib.sha256(bundle.onnx_path.read_bytes()).hexdigest()


def test_the_path_may_be_text_and_start_at_the_home_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', str(folder.parent))
    assert ModelBundle.load('~/tiny') == ModelBundle.load(str(folder))


def test_a_bundle_says_whether_its_model_tells_how_sure_it_is(
    folder: Path, tmp_path: Path
) -> None:
    assert not ModelBundle.load(folder).confidence
    sure = make_tiny_bundle(tmp_path / 'sure', confidence=True)
    assert ModelBundle.load(sure).confidence
    change(sure, lambda spec: spec.update(confidence=False))
    assert not ModelBundle.load(sure).confidence


def test_a_class_is_found_by_its_name(folder: Path) -> None:
    bundle = ModelBundle.load(folder)
    assert bundle.class_id('lane_marking') == 2
    with pytest.raises(BundleError, match="background, road, lane_marking, found 'kerb'"):
        bundle.class_id('kerb')


def test_a_name_is_looked_up_in_every_ament_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / 'install'
    installed = make_tiny_bundle(prefix / 'share' / 'lane_seg_ros' / 'models' / 'mine')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{prefix}')
    assert find_bundle('mine') == installed


def test_a_name_is_looked_up_beside_the_python_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = make_tiny_bundle(tmp_path / 'share' / 'lane_seg_ros' / 'models' / 'mine')
    monkeypatch.setattr(sys, 'prefix', str(tmp_path))
    assert find_bundle('mine') == installed


def test_a_folder_that_exists_wins_over_an_installed_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make_tiny_bundle(tmp_path / 'default')
    monkeypatch.chdir(tmp_path)
    assert find_bundle('default') == here


def test_a_bundle_that_is_nowhere_is_refused_with_the_places_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    with pytest.raises(BundleError, match="expected a model bundle 'no_such_model'") as caught:
        ModelBundle.load('no_such_model')
    for place in (ROOT / 'models', tmp_path / 'share' / 'lane_seg_ros' / 'models'):
        assert str(place / 'no_such_model') in str(caught.value)
    assert '"default" for the shipped one' in str(caught.value)


def test_a_path_that_is_nowhere_is_not_taken_for_a_name(tmp_path: Path) -> None:
    missing = tmp_path / 'a' / 'b'
    with pytest.raises(BundleError) as caught:
        ModelBundle.load(missing)
    assert f'found none at: {missing};' in str(caught.value)


def test_a_missing_model_is_named_with_its_hash(folder: Path) -> None:
    expected = ModelBundle.load(folder).onnx_sha256
    (folder / 'model.onnx').unlink()
    text = refusal(folder)
    assert f'expected {folder / "model.onnx"} with sha256 {expected}, found no such file' in text
    assert 'restore it with: python3 -m pip install' in text


def test_an_altered_model_is_named_with_both_hashes(folder: Path) -> None:
    expected = ModelBundle.load(folder).onnx_sha256
    path = folder / 'model.onnx'
    path.write_bytes(path.read_bytes() + b'\0')
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    text = refusal(folder)
    assert f'{path} was altered: expected sha256 {expected}, found {found}' in text
    assert 'restore it with: python3 -m pip install' in text


@pytest.mark.skipif(shutil.which('git') is None, reason='needs git')
def test_the_command_that_is_named_restores_an_altered_model(tmp_path: Path) -> None:
    folder = make_tiny_bundle(tmp_path / 'my checkout' / 'models' / 'tiny')
    git = ['git', '-C', str(folder.parents[1]), '-c', 'user.name=a', '-c', 'user.email=a@b.c']
    for command in (['init', '-q'], ['add', '.'], ['commit', '-q', '-m', 'Add a model']):
        subprocess.run([*git, *command], check=True)
    (folder / 'model.onnx').write_bytes(b'altered')
    command = refusal(folder).partition('restore it with: ')[2]
    assert command == f'git -C "{folder}" checkout -- model.onnx'
    subprocess.run(command, shell=True, check=True)
    ModelBundle.load(folder)


def test_every_graph_that_is_listed_is_verified(folder: Path) -> None:
    (folder / 'logits.onnx').write_bytes(b'graph')
    change(folder, lambda spec: spec['files'].update({'logits.onnx': {'sha256': '0' * 64}}))
    assert f'{folder / "logits.onnx"} was altered' in refusal(folder)


def test_an_edited_card_or_recipe_stops_nobody(folder: Path) -> None:
    change(folder, lambda spec: spec['files'].update({'README.md': {'sha256': '0' * 64}}))
    (folder / 'README.md').write_text('edited')
    assert ModelBundle.load(folder).name == 'tiny'


def test_a_missing_contract_is_named(folder: Path) -> None:
    (folder / 'model.yaml').unlink()
    text = refusal(folder)
    assert f'expected {folder / "model.yaml"}, found no such file' in text
    assert 'restore it with: ' in text


@pytest.mark.parametrize('content', [b'a: [1, 2', b'\xff\xfe\x00', b'a: !!python/object:os.x {}'])
def test_a_contract_that_is_not_plain_yaml_is_refused(folder: Path, content: bytes) -> None:
    (folder / 'model.yaml').write_bytes(content)
    text = refusal(folder)
    assert text.startswith(f'{folder / "model.yaml"}: expected YAML, found: ')
    assert 'restore it with: ' in text


@pytest.mark.parametrize('content', ['', '- a list', 'a word'])
def test_yaml_of_another_kind_lacks_its_first_field(folder: Path, content: str) -> None:
    (folder / 'model.yaml').write_text(content, encoding='utf-8')
    assert 'expected the field schema, found none' in refusal(folder)


FIELDS = (
    'schema', 'name', 'version', 'input', 'input.height', 'input.width', 'input.colour_order',
    'input.fit', 'classes', 'unlabeled_id', 'precision', 'files',
)  # fmt: skip


@pytest.mark.parametrize('field', FIELDS)
def test_each_missing_field_is_named(folder: Path, field: str) -> None:
    *parents, last = field.split('.')

    def remove(spec: dict) -> None:
        for parent in parents:
            spec = spec[parent]
        del spec[last]

    change(folder, remove)
    text = refusal(folder)
    assert str(folder / 'model.yaml') in text
    assert f'expected the field {field}' in text
    assert 'restore it with: ' in text


@pytest.mark.parametrize(
    ('field', 'value', 'expected'),
    [
        ('schema', 2, 'expected schema 1, found 2'),
        ('schema', '1', "expected a whole number >= 0 in schema, found '1'"),
        ('name', '', "expected text in name, found ''"),
        ('version', 1.0, 'expected text in version, found 1.0'),
        ('input', 'wide', 'expected the field input.colour_order, found none'),
        ('input.height', 0, 'expected a whole number >= 1 in input.height, found 0'),
        ('input.height', -64, 'expected a whole number >= 1 in input.height, found -64'),
        ('input.width', 128.0, 'expected a whole number >= 1 in input.width, found 128.0'),
        ('input.width', True, 'expected a whole number >= 1 in input.width, found True'),
        ('input.colour_order', 'rgb', "expected bgr in input.colour_order, found 'rgb'"),
        ('input.fit', 'zoom', "stretch or crop or letterbox in input.fit, found 'zoom'"),
        ('classes', [], 'expected a list of classes in classes, found []'),
        ('classes', {0: 'road'}, 'expected a list of classes'),
        ('classes', ['road'], 'expected the field classes[0].colour, found none'),
        ('unlabeled_id', 0, 'expected 255 in unlabeled_id, found 0'),
        ('precision', 'int4', "expected int8 or fp16 or fp32 in precision, found 'int4'"),
        ('confidence', 'yes', "expected true or false in confidence, found 'yes'"),
        ('confidence', 1, 'expected true or false in confidence, found 1'),
        ('files', [], 'expected a mapping that holds model.onnx in files, found []'),
        ('files', {'a.onnx': {}}, 'expected a mapping that holds model.onnx in files'),
        ('files', {'model.onnx': {}}, 'expected the field files[model.onnx].sha256, found none'),
        ('files', {'model.onnx': 'x'}, 'expected the field files[model.onnx].sha256, found none'),
        ('files', {'model.onnx': {'sha256': 7}}, 'text in files[model.onnx].sha256, found 7'),
    ],
)
def test_each_wrong_field_is_named_with_what_was_found(
    folder: Path, field: str, value: object, expected: str
) -> None:
    *parents, last = field.split('.')

    def put(spec: dict) -> None:
        for parent in parents:
            spec = spec[parent]
        spec[last] = value

    change(folder, put)
    text = refusal(folder)
    assert text.startswith(f'{folder / "model.yaml"}: ')
    assert expected in text


@pytest.mark.parametrize('ids', [[1, 2, 3], [0, 2, 1], [0, 1, 1], [0, 1, 3]])
def test_class_ids_count_up_from_zero(folder: Path, ids: list[int]) -> None:
    def renumber(spec: dict) -> None:
        for row, class_id in zip(spec['classes'], ids, strict=True):
            row['id'] = class_id

    change(folder, renumber)
    assert f'expected ids 0, 1, 2, ... below 255 in classes, found {ids}' in refusal(folder)


@pytest.mark.parametrize('colour', [None, [0, 0], [0, 0, 256], [0, -1, 0], [0, 0.5, 0], 'red'])
def test_a_wrong_colour_is_named(folder: Path, colour: object) -> None:
    change(folder, lambda spec: spec['classes'][1].update(colour=colour))
    text = refusal(folder)
    assert 'expected [blue, green, red], each 0..255 in classes[1].colour, found' in text


@pytest.mark.parametrize('name', ['../secret', '/etc/hostname', 'sub/model.onnx', '.', 7])
def test_only_files_of_the_bundle_itself_may_be_listed(folder: Path, name: object) -> None:
    (folder.parent / 'secret').write_bytes(b'')
    change(folder, lambda spec: spec['files'].update({name: {'sha256': '0' * 64}}))
    assert f'expected plain file names in files, found {name!r}' in refusal(folder)
