"""Label values stand for sets of classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg.errors import LaneSegError
from lane_seg_train.label_sets import LabelTable, bits_from_names

CLASSES = ('background', 'road', 'lane_marking')
LANES_ONLY = {255: ['lane_marking'], 0: ['background', 'road']}


def test_a_set_is_a_bit_for_each_class() -> None:
    assert bits_from_names(['background'], CLASSES) == 0b001
    assert bits_from_names('lane_marking', CLASSES) == 0b100
    assert bits_from_names(['lane_marking', 'road', 'road'], CLASSES) == 0b110
    assert bits_from_names('any', CLASSES) == 0b111


@pytest.mark.parametrize('names', [[], ['kerb'], ['road', 'any'], 'kerb'])
def test_an_unknown_class_is_named_with_the_known_ones(names: list[str]) -> None:
    with pytest.raises(LaneSegError, match='\'lane_marking\'.* or "any", found'):
        bits_from_names(names, CLASSES)


def test_labels_become_admissible_sets() -> None:
    table = LabelTable.from_config(LANES_ONLY, CLASSES)
    label = np.array([[0, 255], [255, 0]], np.uint8)
    bits = table.bits_from_label(label)
    assert bits.dtype == np.uint8
    assert bits.tolist() == [[0b011, 0b100], [0b100, 0b011]]


@given(st.dictionaries(st.integers(0, 255), st.sampled_from([*CLASSES, 'any'])))
def test_other_stands_for_every_value_that_is_not_listed(labels: dict[int, str]) -> None:
    table = LabelTable.from_config({**labels, 'other': 'background'}, CLASSES)
    label = np.arange(256, dtype=np.uint8).reshape(16, 16)
    bits = table.bits_from_label(label).ravel()
    for value in range(256):
        assert bits[value] == bits_from_names(labels.get(value, 'background'), CLASSES)


def test_an_unknown_value_is_named_with_its_file() -> None:
    table = LabelTable.from_config(LANES_ONLY, CLASSES)
    label = np.array([[0, 7, 7, 9]], np.uint8)
    with pytest.raises(LaneSegError, match=r'a\.png: expected label values .*, found \[7, 9\]'):
        table.bits_from_label(label, 'a.png')


@pytest.mark.parametrize('key', [-1, 256, '255', 1.5, True])
def test_a_key_that_is_no_label_value_is_refused(key: object) -> None:
    with pytest.raises(LaneSegError, match='expected a label value 0..255 or "other"'):
        LabelTable.from_config({key: 'road'}, CLASSES)


@pytest.mark.parametrize('count', [1, 9])
def test_there_is_a_bit_for_two_to_eight_classes(count: int) -> None:
    with pytest.raises(LaneSegError, match=f'expected 2 to 8 classes .* found {count}'):
        LabelTable.from_config({0: 'a'}, [chr(ord('a') + index) for index in range(count)])


def test_a_class_is_defined_if_some_value_means_it_alone() -> None:
    table = LabelTable.from_config(LANES_ONLY, CLASSES)
    assert table.defined_classes() == (False, False, True)
    with_other = LabelTable.from_config({**LANES_ONLY, 'other': 'road'}, CLASSES)
    assert with_other.defined_classes() == (False, True, True)


def test_sets_have_readable_names() -> None:
    table = LabelTable.from_config({**LANES_ONLY, 3: 'any'}, CLASSES)
    assert table.all_bits == 0b111
    assert table.name_of(0b110) == 'road+lane_marking'
    assert table.set_names() == ['background+road', 'lane_marking']
