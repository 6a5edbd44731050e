"""KITTI road: magenta, red and black."""

from __future__ import annotations

from pathlib import Path

import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import LaneData
from tests.lane_seg_train.datasets.files import columns_of, data, halves, picture, write_picture

MAGENTA, RED, BLACK = (255, 0, 255), (255, 0, 0), (0, 0, 0)
ROAD_LABELS = {'road': ['road', 'lane_marking'], 'not_road': 'background', 'void': 'any'}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Images of the three scenes; only um has a lane label."""
    for scene, number in (('uu', 0), ('um', 10), ('um', 2), ('umm', 1)):
        write_picture(tmp_path / f'k/image_2/{scene}_{number:06}.png', picture())
        label = halves(RED, MAGENTA, BLACK)
        write_picture(tmp_path / f'k/gt_image_2/{scene}_road_{number:06}.png', label)
        if scene == 'um':
            label = halves(MAGENTA, RED)
            write_picture(tmp_path / f'k/gt_image_2/um_lane_{number:06}.png', label)
    return tmp_path


def kitti(root: Path, **changes: object) -> LaneData:
    asked = {'format': 'kitti_road', 'images': 'k', 'masks': '', 'labels': ROAD_LABELS}
    return data(root, **{**asked, **changes})


def test_road_labels_of_all_scenes_are_read(root: Path) -> None:
    opened = kitti(root)
    assert opened.names == ['um_000002', 'um_000010', 'umm_000001', 'uu_000000']
    assert columns_of(opened.examples[0][1]) == [0, 3, 255]
    assert opened.table.set_names() == ['background', 'road+lane_marking']


def test_one_scene_can_be_chosen(root: Path) -> None:
    assert kitti(root, split='um').names == ['um_000002', 'um_000010']
    assert kitti(root, split='umm').names == ['umm_000001']


def test_the_lane_of_the_own_car_is_read_where_there_is_one(root: Path) -> None:
    labels = {'lane': 'road', 'not_lane': 'any', 'void': 'any'}
    opened = kitti(root, masks='lane', labels=labels)
    assert opened.names == ['um_000002', 'um_000010']
    assert columns_of(opened.examples[0][1]) == [1, 255]


def test_another_colour_is_an_error(root: Path) -> None:
    path = write_picture(root / 'k/gt_image_2/um_road_000002.png', halves(RED, (0, 0, 255)))
    with pytest.raises(LaneSegError, match=f"{path}: .* 0,0,255 in .*nearest entry is 'road'"):
        _ = kitti(root).examples


@pytest.mark.parametrize(
    ('changes', 'found'),
    [
        ({'masks': 'lanes'}, "found 'lanes'; did you mean 'lane'"),
        ({'split': 'train'}, "out of um, umm, uu or empty, found 'train'"),
        ({'labels': {'lane': 'road'}}, "found 'lane'"),
    ],
)
def test_what_the_data_set_has_not_is_refused(
    root: Path, changes: dict[str, object], found: str
) -> None:
    with pytest.raises(LaneSegError, match=found):
        kitti(root, **changes)


def test_missing_labels_and_labels_without_image_are_named(root: Path) -> None:
    (root / 'k/image_2/um_000002.png').unlink()
    assert kitti(root).reader.orphans() == [root / 'k/gt_image_2/um_road_000002.png']
    (root / 'k/gt_image_2/uu_road_000000.png').unlink()
    with pytest.raises(LaneSegError, match=r'for 1 of 3, for example .*uu_road_000000\.png'):
        len(kitti(root))
