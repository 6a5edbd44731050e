"""A run is one readable YAML file; what it cannot mean is an error that names the key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from lane_seg.errors import LaneSegError
from lane_seg_train.config import TrainConfig
from lane_seg_train.config_file import load_config, with_overrides

ROOT = Path(__file__).resolve().parents[2]
LABELS = {0: ['background', 'road'], 255: ['lane_marking']}
RECIPE = {
    'name': 'mine',
    'train': [{'name': 'a', 'images': 'a/images', 'masks': 'a/labels', 'labels': LABELS}],
    'val': [{'name': 'b', 'images': 'b/images', 'masks': 'b/labels', 'labels': LABELS}],
}


def load(tmp_path: Path, **changes: object) -> TrainConfig:
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump({**RECIPE, **changes}), encoding='utf-8')
    return load_config(path)


def test_what_is_not_written_has_its_default(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert (config.height, config.width, config.net.name) == (256, 512, 'unet')
    assert config.train[0].labels == LABELS
    assert config.train[0].repeat == 1.0


@pytest.mark.skipif(not (ROOT / 'models/default/recipe.yaml').exists(), reason='no recipe')
def test_the_recipe_of_the_shipped_model_can_be_read() -> None:
    assert load_config(ROOT / 'models/default/recipe.yaml').name == 'default'


def test_a_configuration_survives_being_written_and_read(tmp_path: Path) -> None:
    config = load(tmp_path, net={'width': 8, 'multipliers': [1, 2, 4, 8, 8]})
    plain = yaml.safe_load(yaml.safe_dump(_lists(dataclasses.asdict(config))))
    assert load(tmp_path, **plain) == config


def _lists(value: object) -> object:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / 'recipe.yaml'
    optimizer = 'optimizer: {learning_rate: 1e-3, weight_decay: 1}\n'
    path.write_text(yaml.safe_dump(RECIPE) + optimizer, 'utf-8')
    config = load_config(path)
    assert config.optimizer.learning_rate == 1e-3
    assert config.optimizer.weight_decay == 1.0
    assert isinstance(config.optimizer.weight_decay, float)


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'epoch': 3}, r"unknown key 'epoch'; did you mean 'epochs'\?"),
        ({'zzz': 3}, "unknown key 'zzz'; known keys: name, train, val"),
        ({'net': {'widths': 3}}, r"net: unknown key 'widths'; did you mean 'width'\?"),
        ({'epochs': 'many'}, "epochs: expected a whole number, found 'many'"),
        ({'epochs': 2.5}, 'epochs: expected a whole number, found 2.5'),
        ({'epochs': True}, 'epochs: expected a whole number, found True'),
        ({'epochs': 0}, 'epochs: expected at least 1, found 0'),
        ({'learning_rate': 1}, r"unknown key 'learning_rate'; did you mean 'optimizer.learning_"),
        (
            {'optimizer': {'learning_rate': 'fast'}},
            "optimizer: learning_rate: expected a number, found 'fast'",
        ),
        ({'clip': False}, 'clip: expected a number, found False'),
        ({'name': 7}, 'name: expected text, found 7'),
        ({'classes': 'road'}, "classes: expected a list such as .*, found 'road'"),
        ({'classes': ['road', 1]}, r'classes\[1\]: expected text, found 1'),
        ({'augment': {'scale': [1]}}, 'augment: scale: expected 2 values, found 1'),
        ({'augment': {'scale': [0, 1]}}, 'augment.scale: expected .* found'),
        ({'augment': {'scale': [2, 1]}}, 'augment.scale: expected .* found'),
        ({'net': 'unet'}, "net: expected names and values, found 'unet'"),
        ({'val': []}, 'val: expected one data set or more'),
        ({'train': [{'name': 'a'}]}, r'train\[0\]: expected the key\(s\) labels, found none'),
        (
            {'train': [{'name': 'a', 'labels': [1]}]},
            r'labels: expected names and values, found \[1\]',
        ),
        (
            {'train': [{'name': 'a', 'labels': {0: 7}}]},
            r'labels\[0\]: expected text or a list of text, found 7',
        ),
        ({'val': [RECIPE['val'][0]] * 2}, r"each with a name of its own, found \['b', 'b'\]"),
    ],
)
def test_what_a_key_cannot_mean_is_an_error_that_names_it(
    tmp_path: Path, changes: dict[str, object], text: str
) -> None:
    with pytest.raises(LaneSegError, match=text):
        load(tmp_path, **changes)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'recipe.yaml'
    path.write_text('name: mine', encoding='utf-8')
    with pytest.raises(LaneSegError, match=r'expected the key\(s\) train, val, found none'):
        load_config(path)


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'recipe.yaml'
    with pytest.raises(LaneSegError, match=f'found no file {path}'):
        load_config(path)
    path.write_text('a: [', encoding='utf-8')
    with pytest.raises(LaneSegError, match=f'{path}: expected YAML'):
        load_config(path)
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(LaneSegError, match=f'{path}: expected YAML'):
        load_config(path)


def test_overrides_change_one_key_and_keep_the_rest(tmp_path: Path) -> None:
    config = load(tmp_path)
    settings = ['epochs=3', 'net.width=8', 'optimizer.learning_rate=1e-4', 'augment.scale=[1, 2]']
    changed = with_overrides(config, settings)
    assert (changed.epochs, changed.net.width) == (3, 8)
    assert changed.optimizer.learning_rate == 1e-4
    assert changed.augment.scale == (1.0, 2.0)
    assert changed.train == config.train
    assert with_overrides(config, []) == config


def test_a_number_for_a_key_that_takes_text_is_text(tmp_path: Path) -> None:
    assert with_overrides(load(tmp_path), ['net.variant=0.50']).net.variant == '0.50'


def test_overrides_reach_into_lists_and_free_mappings(tmp_path: Path) -> None:
    settings = ['train.0.repeat=2.5', 'loss.weights.dice=0.5', 'train.0.labels.255=any']
    changed = with_overrides(load(tmp_path), settings)
    assert changed.train[0].repeat == 2.5
    assert changed.loss.weights == {'dice': 0.5}
    assert changed.train[0].labels == {0: ['background', 'road'], 255: 'any'}


@pytest.mark.parametrize(
    ('setting', 'text'),
    [
        ('train.1.repeat=2', "unknown key 'train.1.repeat'; known keys: 0"),
        ('learning_rate=1', "unknown key 'learning_rate'; did you mean 'optimizer.learning_rate'"),
        ('epochs', "expected key=value, found 'epochs'"),
        ('epoch=3', "unknown key 'epoch'; did you mean 'epochs'"),
        ('net.widths=3', "unknown key 'net.widths'; did you mean 'width'"),
        ('nett.width=3', "unknown key 'nett.width'"),
        ('net.width.x=3', "unknown key 'net.width.x'"),
        ('epochs=many', "epochs: expected a whole number, found 'many'"),
        ('epochs=[', r"--set epochs: expected YAML, found '\['"),
    ],
)
def test_a_wrong_override_is_an_error_that_names_it(
    tmp_path: Path, setting: str, text: str
) -> None:
    with pytest.raises(LaneSegError, match=text):
        with_overrides(load(tmp_path), [setting])
