"""Label values stand for sets of classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg.errors import LaneSegError
from lane_seg_train.label_sets import ANY_ID, LabelTable, class_set

CLASSES = ('background', 'road', 'lane_marking')
LANES_ONLY = {255: ['lane_marking'], 0: ['background', 'road']}


def test_a_set_of_classes_is_their_ids_in_rising_order() -> None:
    assert class_set(['background'], CLASSES) == (0,)
    assert class_set('lane_marking', CLASSES) == (2,)
    assert class_set(['lane_marking', 'road', 'road'], CLASSES) == (1, 2)
    assert class_set('any', CLASSES) == (0, 1, 2)


@pytest.mark.parametrize('names', [[], ['kerb'], ['road', 'any'], 'kerb'])
def test_an_unknown_class_is_refused_with_the_known_ones(names: list[str]) -> None:
    with pytest.raises(LaneSegError, match='\'lane_marking\'.* or "any", found'):
        class_set(names, CLASSES)


def test_an_unknown_class_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(LaneSegError, match="did you mean 'lane_marking'"):
        class_set(['Lane_Markings'], CLASSES)


def test_a_target_of_single_classes_is_a_mask_of_class_ids() -> None:
    table = LabelTable.from_config({7: 'road', 9: 'background', 8: 'lane_marking'}, CLASSES)
    target = table.target_from_label(np.array([[9, 7, 8]], np.uint8))
    assert target.dtype == np.uint8
    assert target.tolist() == [[0, 1, 2]]


def test_composite_sets_are_numbered_after_the_classes_in_order_of_appearance() -> None:
    labels = {
        9: ['road', 'lane_marking'],
        1: 'road',
        5: ['background', 'road'],
        6: ['lane_marking', 'road'],
        3: 'any',
    }
    table = LabelTable.from_config(labels, CLASSES)
    target = table.target_from_label(np.array([[9, 1, 5, 6, 3]], np.uint8))
    assert target.tolist() == [[3, 1, 4, 3, ANY_ID]]


def test_a_set_of_all_classes_is_any() -> None:
    table = LabelTable.from_config({0: list(CLASSES), 1: 'road'}, CLASSES)
    assert table.target_from_label(np.zeros((1, 1), np.uint8)).item() == ANY_ID


def test_sets_tell_what_each_target_id_allows() -> None:
    sets = LabelTable.from_config(LANES_ONLY, CLASSES).sets
    assert sets.shape == (256, 3)
    assert sets.dtype == np.bool_
    assert sets[2].tolist() == [False, False, True]
    assert sets[3].tolist() == [True, True, False]
    assert sets[ANY_ID].all()
    # Ids that the data set cannot produce, the singletons of undefined classes among them.
    assert not sets[[0, 1, *range(4, 255)]].any()


@given(
    st.dictionaries(
        st.integers(0, 255), st.sets(st.sampled_from([f'class{i}' for i in range(20)]), min_size=1)
    ).filter(bool)
)
def test_what_a_label_value_means_can_be_read_back_from_its_target(
    labels: dict[int, set[str]],
) -> None:
    classes = [f'class{index}' for index in range(20)]
    table = LabelTable.from_config({key: sorted(names) for key, names in labels.items()}, classes)
    target = table.target_from_label(np.array([list(labels)], np.uint8))
    for names, row in zip(labels.values(), table.sets[target[0]], strict=True):
        assert {classes[index] for index in np.flatnonzero(row)} == names


@given(st.dictionaries(st.integers(0, 255), st.sampled_from([*CLASSES, 'any'])))
def test_other_stands_for_every_value_that_is_not_listed(labels: dict[int, str]) -> None:
    table = LabelTable.from_config({**labels, 'other': 'background'}, CLASSES)
    target = table.target_from_label(np.arange(256, dtype=np.uint8).reshape(16, 16)).ravel()
    for value in range(256):
        assert table.name_of(target[value]) == labels.get(value, 'background')


def test_an_unknown_value_is_named_with_its_file() -> None:
    table = LabelTable.from_config(LANES_ONLY, CLASSES)
    label = np.array([[0, 7, 7, 9]], np.uint8)
    with pytest.raises(LaneSegError, match=r'a\.png: expected label values 0, 255, found 7, 9;'):
        table.target_from_label(label, 'a.png')


def test_label_values_may_be_named_as_the_data_set_names_them() -> None:
    names = {'Roads': 7, 'RoadLine': 6, 'Sky': 13}
    table = LabelTable.from_config(
        {'RoadLine': 'lane_marking', 7: 'road', 'other': 'background'}, CLASSES, names
    )
    assert table.target_from_label(np.array([[6, 7, 13]], np.uint8)).tolist() == [[2, 1, 0]]


def test_an_unknown_label_name_is_refused_with_the_nearest_one() -> None:
    names = {'Roads': 7, 'RoadLine': 6}
    with pytest.raises(LaneSegError, match="found 'roadlines'; did you mean 'RoadLine'"):
        LabelTable.from_config({'roadlines': 'road'}, CLASSES, names)
    with pytest.raises(LaneSegError, match='its names are: Roads, RoadLine'):
        LabelTable.from_config({'zebra': 'road'}, CLASSES, names)


def test_a_value_with_two_meanings_is_refused() -> None:
    with pytest.raises(LaneSegError, match="two for 'Roads', which is value 7"):
        LabelTable.from_config({7: 'background', 'Roads': 'road'}, CLASSES, {'Roads': 7})


def test_an_unknown_value_is_shown_with_its_name() -> None:
    table = LabelTable.from_config({7: 'road'}, CLASSES, {'Roads': 7, 'Sky': 13})
    with pytest.raises(LaneSegError, match=r'values 7 \(Roads\), found 13 \(Sky\)'):
        table.target_from_label(np.array([[7, 13]], np.uint8))


@pytest.mark.parametrize('key', [-1, 256, '255', 1.5, True])
def test_a_key_that_is_no_label_value_is_refused(key: object) -> None:
    with pytest.raises(LaneSegError, match='expected a label value 0..255 or "other"'):
        LabelTable.from_config({key: 'road'}, CLASSES)


def test_labels_without_any_entry_are_refused() -> None:
    with pytest.raises(LaneSegError, match='expected "labels" with a meaning'):
        LabelTable.from_config({}, CLASSES)


@pytest.mark.parametrize('count', [1, 255])
def test_there_are_ids_for_2_to_254_classes(count: int) -> None:
    with pytest.raises(LaneSegError, match=f'expected 2 to 254 different classes, found {count}'):
        LabelTable.from_config({0: '0'}, [str(index) for index in range(count)])


def test_the_same_class_twice_is_refused() -> None:
    with pytest.raises(LaneSegError, match='different classes'):
        LabelTable.from_config({0: 'a'}, ['a', 'b', 'a'])


def test_more_sets_than_ids_are_refused() -> None:
    classes = [str(index) for index in range(254)]
    LabelTable.from_config({0: classes[:2]}, classes)
    with pytest.raises(LaneSegError, match='expected at most 1 sets of several classes'):
        LabelTable.from_config({0: classes[:2], 1: classes[:3]}, classes)


def test_a_class_is_defined_if_some_value_means_it_alone() -> None:
    table = LabelTable.from_config(LANES_ONLY, CLASSES)
    assert table.defined_classes() == (False, False, True)
    with_other = LabelTable.from_config({**LANES_ONLY, 'other': 'road'}, CLASSES)
    assert with_other.defined_classes() == (False, True, True)


def test_sets_have_readable_names() -> None:
    table = LabelTable.from_config({**LANES_ONLY, 3: 'any'}, CLASSES)
    assert table.name_of(1) == 'road'
    assert table.name_of(3) == 'background+road'
    assert table.name_of(ANY_ID) == 'any'
    assert table.set_names() == ['lane_marking', 'background+road']
