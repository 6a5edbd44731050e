"""Pairs of files in folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carla_bridge.existing.folders import FolderSource
from carla_bridge.existing.frames import FramePair
from lane_seg.errors import ImageError, LaneSegError
from tests.carla_bridge.existing.files import coloured, picture, street, write


def put(root: Path, *names: str) -> None:
    """Write files; what they hold tells whether they were taken for what they are."""
    for number, name in enumerate(names):
        write(root / name, street('0.9.14') if number % 2 else picture(number))


@pytest.mark.parametrize(
    ('rgb', 'seg', 'name'),
    [
        ('rgb/000007.png', 'seg/000007.png', '000007'),
        ('CameraRGB/7.png', 'CameraSeg/7.png', 'Camera_7'),
        ('rgb/train/7.png', 'seg/train/7.png', 'train_7'),
        ('images/town1/7.jpg', 'labels/town1/7.png', 'town1_7'),
        ('town1_rgb_7.png', 'town1_semantic_7.png', 'town1_rgb_7'),
        ('run/rgb_front/7.png', 'run/semantic_segmentation_front/7.png', 'run_front_7'),
        ('image_7.png', 'label_image_7.png', 'image_7'),
        ('camera/img/clip-a.7.png', 'camera/masks/clip-a.7.png', 'camera_clip-a.7'),
    ],
)
def test_pairs_are_found_by_words_in_names(tmp_path: Path, rgb: str, seg: str, name: str) -> None:
    put(tmp_path, rgb, seg)
    source = FolderSource(tmp_path)
    assert [frame.name for frame in source.frames] == [name]
    assert source.frames[0].facts['source'] == rgb
    assert source.frames[0].facts['semantic_source'] == seg
    (pair,) = source.pairs({name})
    assert isinstance(pair, FramePair)
    assert np.array_equal(pair.semantic, street('0.9.14'))


def test_pairs_are_found_by_number_where_names_differ(tmp_path: Path) -> None:
    put(tmp_path, 'rgb/cam0_000012.png', 'seg/frame12.png', 'rgb/cam0_000100.png', 'seg/f_100.png')
    frames = FolderSource(tmp_path).frames
    assert [frame.facts['semantic_source'] for frame in frames] == [
        'seg/frame12.png',
        'seg/f_100.png',
    ]


def test_patterns_pair_what_words_cannot(tmp_path: Path) -> None:
    put(tmp_path, 'a/x/1.png', 'b/x/1.png', 'a/x/2.png', 'b/x/2.png')
    with pytest.raises(LaneSegError, match='4 that no word marks; name both: --rgb PATTERN'):
        FolderSource(tmp_path)
    source = FolderSource(tmp_path, rgb='a/**/*.png', seg='b/**/*.png')
    assert [frame.name for frame in source.frames] == ['x_1', 'x_2']
    with pytest.raises(LaneSegError, match='both --rgb and --seg'):
        FolderSource(tmp_path, rgb='a/**/*.png')
    with pytest.raises(LaneSegError, match="--seg: expected pictures of 'c/"):
        FolderSource(tmp_path, rgb='a/**/*.png', seg='c/*.png')
    with pytest.raises(LaneSegError, match='--rgb: expected a pattern below'):
        FolderSource(tmp_path, rgb='../*.png', seg='b/**/*.png')


def test_frames_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for drive in ('b', 'a'):
        for number in (10, 2, 1):
            put(tmp_path, f'rgb/{drive}/{number}.png', f'seg/{drive}/{number}.png')
    names = [frame.name for frame in FolderSource(tmp_path).frames]
    assert names == ['a_1', 'a_2', 'a_10', 'b_1', 'b_2', 'b_10']


def test_frames_that_were_dealt_out_to_splits_are_one_drive_again(tmp_path: Path) -> None:
    for number in range(6):
        split = ('train', 'val')[number % 2]
        put(tmp_path, f'rgb/{split}/{number}.png', f'seg/{split}/{number}.png')
    frames = FolderSource(tmp_path).frames
    assert {frame.group for frame in frames} == {''}
    assert [Path(str(frame.facts['source'])).stem for frame in frames] == list('012345')
    put(tmp_path, 'rgb/val/0.png', 'seg/val/0.png')
    assert {frame.group for frame in FolderSource(tmp_path).frames} == {'train', 'val'}


def test_files_without_partner_are_told(tmp_path: Path) -> None:
    put(tmp_path, 'rgb/1.png', 'seg/1.png', 'rgb/2.png', 'seg/3.png')
    source = FolderSource(tmp_path)
    assert len(source.frames) == 1
    assert 'for example rgb/2.png' in source.notes[0]
    assert 'for example seg/3.png' in source.notes[1]


@pytest.mark.parametrize(
    ('names', 'said'),
    [
        ([], 'found none, 0 of the other kind and 0 that'),
        (['rgb/1.png'], 'marks as seg .* found none, 1 of the other kind'),
        (['rgb/1.png', 'seg/2.png'], 'no two of them with the same'),
        (['rgb/1.png', 'seg/1.png', 'rgb/1.jpg'], r'found rgb/1\.jpg and rgb/1\.png'),
    ],
)
def test_folders_that_cannot_be_paired_are_refused(
    tmp_path: Path, names: list[str], said: str
) -> None:
    put(tmp_path, *names)
    with pytest.raises(LaneSegError, match=said):
        FolderSource(tmp_path)


@pytest.mark.parametrize(
    ('suffix', 'cut', 'said'),
    [('.jpg', None, 'JPEG blends'), ('.png', -30, 'cut short'), ('.png', 0, 'another type')],
)
def test_semantic_pictures_that_are_no_whole_png_are_named(
    tmp_path: Path, suffix: str, cut: int | None, said: str
) -> None:
    put(tmp_path, 'rgb/1.png', f'seg/1{suffix}')
    path = tmp_path / f'seg/1{suffix}'
    path.write_bytes(path.read_bytes()[:cut])
    source = FolderSource(tmp_path)
    (error,) = source.pairs({'1'})
    assert isinstance(error, ImageError)
    assert said in str(error)
    with pytest.raises(ImageError, match=said):
        source.semantic(source.frames[0])


def test_a_deep_png_is_refused(tmp_path: Path) -> None:
    put(tmp_path, 'rgb/1.png')
    write(tmp_path / 'seg/1.png', np.zeros((4, 4), np.uint16))
    source = FolderSource(tmp_path)
    with pytest.raises(ImageError, match='expected a PNG of 8 bits, found uint16'):
        source.semantic(source.frames[0])


def test_colours_come_as_blue_green_red(tmp_path: Path) -> None:
    colours = coloured(street('0.9.14'), '0.9.14')
    put(tmp_path, 'rgb/1.png')
    write(tmp_path / 'seg/1.png', np.dstack([colours, np.full(colours.shape[:2], 255, np.uint8)]))
    source = FolderSource(tmp_path)
    assert np.array_equal(source.semantic(source.frames[0]), colours)
