"""The readers on samples of the real data sets, where they are at hand.

They are no part of the project. LANE_SEG_DATA names their folder; else they lie in ../shared/data.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lane_seg_train.datasets import LaneData, open_reader
from tests.lane_seg_train.datasets.files import SIZE, config, write_json

ROOT = Path(
    os.environ.get('LANE_SEG_DATA') or Path(__file__).parents[3].parent / 'shared' / 'data'
)
CLASSES = ('background', 'road', 'lane_marking')
LANE_ONLY = {255: 'lane_marking', 0: ['background', 'road']}
# Tags up to CARLA 0.9.13, of which the samples of CARLA 0.8 have the first 13.
TAGS = (
    'None', 'Building', 'Fence', 'Other', 'Pedestrian', 'Pole', 'RoadLine', 'Road', 'SideWalk',
    'Vegetation', 'Vehicle', 'Wall', 'TrafficSign',
)  # fmt: skip


def needs(folder: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not (ROOT / folder).is_dir(), reason=f'no {folder} at hand')


def sample(root: Path = ROOT, classes: tuple[str, ...] = CLASSES, **changes: object) -> LaneData:
    return LaneData(config(**{'limit': 6, **changes}), classes, SIZE, root)


def shares(data: LaneData) -> dict[str, float]:
    """Share of the pixels of each set of classes over all examples."""
    targets = np.stack([target for _, target in data.examples])
    return {
        data.table.name_of(int(id_)): float((targets == id_).mean()) for id_ in np.unique(targets)
    }


@needs('kitti_road_sample')
def test_a_lane_of_kitti_road(tmp_path: Path) -> None:
    for folder, real in (('image_2', 'images'), ('gt_image_2', 'labels')):
        (tmp_path / folder).symlink_to(ROOT / 'kitti_road_sample' / real)
    labels = {'lane': 'road', 'not_lane': 'any', 'void': 'any'}
    data = sample(tmp_path, format='kitti_road', images='.', masks='lane', labels=labels)
    assert data.names == ['um_000000']
    assert 0.05 < shares(data)['road'] < 0.3


@needs('tusimple_samples')
def test_lanes_of_tusimple() -> None:
    data = sample(
        images='tusimple_samples/images', masks='tusimple_samples/labels', labels=LANE_ONLY
    )
    assert len(data) == 6
    assert 0.005 < shares(data)['lane_marking'] < 0.05


@needs('carla_semantic_samples')
def test_carla_tags_in_the_red_channel() -> None:
    folder = 'carla_semantic_samples'
    data = sample(
        images=f'{folder}/images/lyft_train',
        masks=f'{folder}/labels/lyft_train',
        channel='red',
        labels={6: 'lane_marking', 7: 'road', 'other': 'background'},
    )
    assert len(data) == 3
    assert shares(data)['road'] > 0.1


@needs('carla_semantic_samples')
def test_a_recording_of_carla_by_the_names_of_its_classes(tmp_path: Path) -> None:
    classes = [{'id': tag, 'name': name} for tag, name in enumerate(TAGS)]
    write_json(tmp_path / 'classes.json', {'classes': classes})
    for kind, real in (('rgb', 'images'), ('seg', 'labels')):
        (tmp_path / kind).mkdir()
        for split in ('train', 'val'):
            source = ROOT / 'carla_semantic_samples' / real / f'lyft_{split}'
            (tmp_path / kind / split).symlink_to(source)
    asked = {'format': 'carla', 'images': '.', 'masks': '', 'split': 'train'}
    labels = {'RoadLine': 'lane_marking', 'Road': 'road', 'other': 'background'}
    data = sample(tmp_path, **asked, labels=labels)
    assert 'red channel' in data.reader.found()
    numbered = sample(
        images='carla_semantic_samples/images/lyft_train',
        masks='carla_semantic_samples/labels/lyft_train',
        channel='red',
        labels={6: 'lane_marking', 7: 'road', 'other': 'background'},
    )
    assert shares(data) == shares(numbered)


@needs('camvid_road')
def test_camvid_by_the_names_of_its_11_classes() -> None:
    data = sample(
        format='camvid',
        images='camvid_road/val/images',
        masks='camvid_road/val/labels',
        labels={'Road': ['road', 'lane_marking'], 'Void': 'any', 'other': 'background'},
    )
    assert data.reader.found() == 'labels hold values of 11 classes'
    assert 0.15 < shares(data)['road+lane_marking'] < 0.5


@needs('isbi_em')
def test_membranes_of_isbi_need_a_configuration_only() -> None:
    asked = {
        'images': 'isbi_em/images',
        'masks': 'isbi_em/labels',
        'labels': {0: 'membrane', 255: 'cell'},
    }
    train = sample(classes=('cell', 'membrane'), **asked, part=(0.0, 0.8), limit=0)
    val = sample(classes=('cell', 'membrane'), **asked, part=(0.8, 1.0), limit=0)
    assert (len(train), len(val)) == (24, 6)
    assert train.names[:3] == ['0', '1', '2']
    assert 0.1 < shares(val)['membrane'] < 0.35


@needs('crackforest')
def test_road_cracks_need_a_configuration_only() -> None:
    asked = {
        'images': 'crackforest/images',
        'masks': 'crackforest/labels',
        'labels': {255: 'crack', 0: 'background'},
        # The images from 201 on have no label.
        'before': '119',
    }
    data = sample(classes=('background', 'crack'), **asked, limit=0)
    assert len(data) == 118
    assert 0.005 < shares(data)['crack'] < 0.05
    assert open_reader(data.config, ROOT).orphans() == []


@needs('carla_lane_512')
def test_a_recipes_blocks_of_a_recording_share_no_frame() -> None:
    asked = {
        'images': 'carla_lane_512/train/images',
        'masks': 'carla_lane_512/train/labels',
        'labels': LANE_ONLY,
        'limit': 0,
    }
    before = sample(**asked, before='frame_00432780').names
    after = sample(**asked, first='frame_00432780').names
    assert len(before) + len(after) == 693
    assert not set(before) & set(after)
