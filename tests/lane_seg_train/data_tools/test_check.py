"""Faults that were put into data sets on purpose, and are found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lane_seg_cli.main import main
from lane_seg_train.config_file import load_config
from lane_seg_train.data_tools.check import Report, check
from lane_seg_train.data_tools.chosen_sets import chosen_sets
from tests.lane_seg_train.data_tools.road_sets import (
    HEIGHT,
    LABELS,
    WIDTH,
    data_set,
    label,
    picture,
    recipe,
    write_pair,
    write_sets,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_sets(tmp_path)
    return tmp_path


def checked(path: Path, workers: int = 1) -> Report:
    config = load_config(path)
    return check(config, chosen_sets(config), path.parent, workers=workers)


def found(path: Path) -> dict[str, list[str]]:
    """Kind of each finding -> the pairs."""
    kinds: dict[str, list[str]] = {}
    for finding in checked(path).findings:
        kinds.setdefault(finding.kind, []).append(f'{finding.set_key}/{finding.name}')
    return kinds


def run_check(root: Path, *words: object) -> int:
    return main(
        ['data', 'check', str(root / 'recipe.yaml'), '--data', str(root), *map(str, words)]
    )


def test_sound_data_has_no_findings_and_exit_code_0(root: Path) -> None:
    assert found(recipe(root)) == {}
    assert run_check(root) == 0


def test_each_broken_file_is_found_and_none_hides_another(root: Path) -> None:
    images, labels = root / 'train' / 'images', root / 'train' / 'labels'
    whole = (images / 'a0.png').read_bytes()
    (images / 'a0.png').write_bytes(whole[: len(whole) // 2])
    (labels / 'a1.png').write_bytes(b'')
    cv2.imwrite(str(labels / 'a2.jpg'), label())
    (labels / 'a2.png').unlink()
    cv2.imwrite(str(labels / 'a3.png'), label()[:-2])
    cv2.imwrite(str(labels / 'a4.png'), label() + 3)
    write_pair(root / 'val', 'b9', picture(9))
    (root / 'val' / 'images' / 'b9.png').unlink()
    assert found(recipe(root)) == {
        'broken_image': ['train/streets/a0'],
        'broken_label': ['train/streets/a1'],
        'no_label': ['train/streets/a2'],
        'size': ['train/streets/a3'],
        'content': ['train/streets/a4'],
        'no_image': ['val/streets/b9'],
    }


def test_findings_say_what_was_found(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = root / 'train' / 'labels'
    cv2.imwrite(str(labels / 'a3.png'), label()[:-2])
    cv2.imwrite(str(labels / 'a4.png'), label() + 3)
    (labels / 'a2.png').rename(labels / 'a2.jpg')
    recipe(root)
    assert run_check(root) == 1
    text = capsys.readouterr().out
    assert f'expected {WIDTH}x{HEIGHT} like the image, found {WIDTH}x{HEIGHT - 2}' in text
    assert 'found 3, 4, 5' in text
    assert 'but a2.jpg, which is not read' in text
    assert '3 faults in 9 pairs' in text


def test_unlisted_colours_are_found_with_the_nearest_one(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colours = np.array([[0, 0, 0], [0, 0, 250], [0, 255, 0]], np.uint8)[label()]
    for index in range(6):
        write_pair(root / 'train', f'a{index}', picture(index), colours)
    palette = {'nothing': [0, 0, 0], 'street': [255, 0, 0], 'paint': [0, 255, 0]}
    labels = {'nothing': 'background', 'street': 'road', 'paint': 'lane_marking'}
    recipe(root, [data_set('train', palette=palette, labels=labels)])
    assert run_check(root) == 1
    assert "found R,G,B 250,0,0 in 2208 pixels; the nearest entry is 'street'" in (
        capsys.readouterr().out
    )


def test_a_file_that_train_and_val_share_is_a_leak_even_through_a_link(root: Path) -> None:
    for kind in ('images', 'labels'):
        (root / 'train' / kind / 'a9.png').symlink_to(root / 'val' / kind / 'b0.png')
    assert found(recipe(root)) == {'same_file': ['train/streets/a9']}


def test_copies_and_near_copies_and_mirrored_copies_are_leaks(root: Path) -> None:
    for kind in ('images', 'labels'):
        shutil.copy(root / 'val' / kind / 'b0.png', root / 'train' / kind / 'a7.png')
    noisy = picture(101).astype(np.int16) + np.random.default_rng(0).integers(-4, 5, (48, 96, 3))
    write_pair(root / 'train', 'a8', np.clip(noisy, 0, 255).astype(np.uint8))
    write_pair(root / 'train', 'a9', picture(102)[:, ::-1])
    report = checked(recipe(root))
    texts = {finding.name: (finding.kind, finding.text) for finding in report.findings}
    assert texts['a7'] == ('same_image', 'byte for byte val/streets b0')
    assert texts['a8'][0] == 'near_duplicate'
    assert texts['a8'][1].endswith('val/streets b1')
    assert texts['a9'][0] == 'near_duplicate'
    assert texts['a9'][1].startswith('mirrored: correlation 1.000')
    assert set(texts) == {'a7', 'a8', 'a9'}


def test_equal_images_with_different_labels_contradict_each_other(root: Path) -> None:
    write_pair(root / 'train', 'a9', picture(0), label()[::-1])
    kinds = found(recipe(root))
    assert kinds['contradiction'] == ['train/streets/a0', 'train/streets/a9']


def test_equal_images_with_equal_labels_only_weigh_more(root: Path) -> None:
    write_pair(root / 'train', 'a9', picture(0))
    report = checked(recipe(root))
    assert [finding.kind for finding in report.findings] == ['repeated']
    assert '1 of 7 images, 1 of them byte for byte' in report.findings[0].text
    assert [item.repeats for item in report.sets] == [1, 0]
    assert report.faults == []


def test_labels_without_foreground_are_noted_by_name(root: Path) -> None:
    write_pair(root / 'train', 'a9', picture(9), np.zeros((HEIGHT, WIDTH), np.uint8))
    assert found(recipe(root)) == {'empty': ['train/streets/a9']}
    assert run_check(root) == 0


def test_lane_only_labels_count_background_or_road_as_no_foreground(root: Path) -> None:
    lanes = {0: ['background', 'road'], 1: ['background', 'road'], 2: 'lane_marking'}
    write_pair(root / 'train', 'a9', picture(9), np.ones((HEIGHT, WIDTH), np.uint8))
    kinds = found(recipe(root, [data_set('train', labels=lanes)]))
    assert kinds['empty'] == ['train/streets/a9']


def test_values_that_never_occur_and_classes_that_nothing_marks_are_noted(root: Path) -> None:
    labels = {0: 'background', 1: ['road', 'lane_marking'], 2: 'any', 7: 'road', 'other': 'any'}
    report = checked(recipe(root, [data_set('train', labels=labels)]))
    texts = {finding.text.partition(':')[0] for finding in report.findings}
    assert texts == {
        '7 (road)', 'other (any class (ignored))', 'road (class 1)', 'lane_marking (class 2)',
    }  # fmt: skip


def test_the_use_of_each_value_is_counted(root: Path) -> None:
    write_pair(root / 'val', 'b9', picture(9), np.zeros((HEIGHT, WIDTH), np.uint8))
    val = checked(recipe(root)).sets[1]
    pixels = HEIGHT * WIDTH
    assert [(use.key, use.means, use.ids) for use in val.values] == [
        ('0', 'background', (0,)), ('1', 'road', (1,)), ('2', 'lane_marking', (2,)),
    ]  # fmt: skip
    assert [use.pixels for use in val.values] == [2.5 * pixels, 1.5 * pixels - 288, 288]
    assert [use.images for use in val.values] == [4, 3, 3]
    assert val.sizes == {(HEIGHT, WIDTH): 4}


def test_a_set_that_cannot_be_opened_does_not_hide_the_others(root: Path) -> None:
    sets = [data_set('nowhere', name='lost'), data_set('train')]
    (root / 'train' / 'labels' / 'a1.png').unlink()
    assert found(recipe(root, sets)) == {
        'unusable': ['train/lost/'],
        'no_label': ['train/streets/a1'],
    }


def test_a_label_without_an_image_is_a_fault_of_a_strict_set_only(root: Path) -> None:
    (root / 'train' / 'images' / 'a1.png').unlink()
    assert found(recipe(root)) == {'no_image': ['train/streets/a1']}
    assert found(recipe(root, [data_set('train', strict=True)])) == {
        'strict': ['train/streets/a1']
    }


def test_an_orphan_of_a_folder_that_two_sets_read_is_named_once(root: Path) -> None:
    (root / 'train' / 'images' / 'a1.png').unlink()
    halves = [data_set('train', name='x', before='a3'), data_set('train', name='y', first='a3')]
    assert found(recipe(root, halves)) == {'no_image': ['train/x/a1']}


def test_pairs_that_the_recipe_does_not_take_are_no_leak(root: Path) -> None:
    write_pair(root / 'train', 'a9', picture(100))
    assert 'same_image' in found(recipe(root))
    assert found(recipe(root, [data_set('train', before='a9')])) == {}
    shares = {'foreground': ['lane_marking'], 'foreground_share': [0.01, 1]}
    write_pair(root / 'train', 'a9', picture(100), np.ones((HEIGHT, WIDTH), np.uint8))
    assert found(recipe(root, [data_set('train', **shares)])) == {}


def test_frames_of_the_scene_are_compared_by_their_seeds(root: Path) -> None:
    scene = {'name': 'scene', 'images': 'scene', 'labels': LABELS, 'scene_frames': 2}
    train = [{**scene, 'scene_seeds': [1, 4]}]
    assert found(recipe(root, train, [{**scene, 'scene_seeds': [4, 2]}])) == {
        'same_seed': ['train/scene/']
    }
    assert found(recipe(root, train, [{**scene, 'scene_seeds': [5, 2]}])) == {}


def test_several_processes_find_what_one_finds(tmp_path: Path) -> None:
    write_sets(tmp_path, train=60)
    write_pair(tmp_path / 'train', 'a99', picture(100))
    (tmp_path / 'train' / 'labels' / 'a7.png').write_bytes(b'no label')
    path = recipe(tmp_path)
    assert checked(path, workers=2) == checked(path, workers=1)


def test_leaving_out_the_listed_pairs_mends_the_data(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / 'train' / 'labels' / 'a1.png').unlink()
    write_pair(root / 'train', 'a9', picture(100))
    (root / 'old.txt').write_text('a3\n', encoding='utf-8')
    recipe(root, [data_set('train', exclude='old.txt')])
    files = sorted(path for path in root.rglob('*.png'))
    folder = root / 'left out'
    assert run_check(root, '--write-exclude', folder) == 1
    setting = 'train.0.exclude=left out/train_streets.txt'
    assert setting in capsys.readouterr().out
    names = [
        line for line in (folder / 'train_streets.txt').read_text(encoding='utf-8').splitlines()
        if line and not line.startswith('#')
    ]  # fmt: skip
    assert sorted(names) == ['a1', 'a3', 'a9']
    assert run_check(root, '--set', setting) == 0
    assert sorted(path for path in root.rglob('*.png')) == files


def test_nothing_is_written_if_leaving_out_mends_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(root)
    assert run_check(root, '--write-exclude', root / 'lists') == 0
    assert not (root / 'lists').exists()
    assert 'wrote no list' in capsys.readouterr().out


def test_the_json_file_holds_every_finding(root: Path) -> None:
    for index in range(100, 103):
        for copy in range(4):
            write_pair(root / 'train', f'c{index}{copy}', picture(index))
    recipe(root)
    assert run_check(root, '--json', root / 'check.json') == 1
    content = json.loads((root / 'check.json').read_text(encoding='utf-8'))
    leaks = [item for item in content['findings'] if item['kind'] == 'same_image']
    assert content['faults'] == len(leaks) == 12
    assert content['sets'][0]['sizes'] == [{'height': HEIGHT, 'width': WIDTH, 'images': 18}]


def test_a_long_list_is_shortened_on_the_terminal_and_whole_with_all(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for copy in range(12):
        write_pair(root / 'train', f'c{copy}', picture(100))
    recipe(root)
    run_check(root)
    short = capsys.readouterr().out
    run_check(root, '--all')
    whole = capsys.readouterr().out
    assert 'c9: byte for byte' not in short
    assert 'and 4 more' in short
    assert 'c9: byte for byte' in whole


def test_a_limit_of_likeness_out_of_range_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(root)
    assert run_check(root, '--near', 1.5) == 1
    assert '--near: expected a correlation above 0 and up to 1' in capsys.readouterr().err
