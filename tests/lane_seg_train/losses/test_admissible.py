"""Target ids become sets of classes."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg_train.label_sets import LabelTable
from lane_seg_train.losses import allowed_from_targets, defined_from_sets
from tests.lane_seg_train.losses.cases import CLASSES, set_table

LANES_ONLY = LabelTable.from_config({255: ['lane_marking'], 0: ['background', 'road']}, CLASSES)
FULL = LabelTable.from_config({0: 'background', 1: 'road', 2: 'lane_marking', 9: 'any'}, CLASSES)


def sets_of(*tables: LabelTable) -> torch.Tensor:
    return torch.stack([torch.from_numpy(table.sets) for table in tables])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 20), st.integers(2, 30))
def test_each_pixel_gets_the_row_of_its_id_from_the_table_of_its_image(
    seed: int, classes: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    sets = torch.rand(3, 256, classes, generator=generator) < 0.5
    target = torch.randint(0, 256, (3, 4, 5), generator=generator, dtype=torch.uint8)
    allowed = allowed_from_targets(target, sets)
    assert allowed.dtype == torch.bool
    assert allowed.shape == (3, classes, 4, 5)
    for image in range(3):
        for row in range(4):
            for column in range(5):
                expected = sets[image, int(target[image, row, column])]
                assert torch.equal(allowed[image, :, row, column], expected)


def test_labels_of_two_data_sets_meet_in_one_batch() -> None:
    lanes = LANES_ONLY.target_from_label(torch.tensor([[0, 255]], dtype=torch.uint8).numpy())
    full = FULL.target_from_label(torch.tensor([[1, 9]], dtype=torch.uint8).numpy())
    target = torch.stack([torch.from_numpy(lanes), torch.from_numpy(full)])
    sets = sets_of(LANES_ONLY, FULL)
    allowed = allowed_from_targets(target, sets)
    assert allowed[0, :, 0].T.tolist() == [[True, True, False], [False, False, True]]
    assert allowed[1, :, 0].T.tolist() == [[False, True, False], [True, True, True]]
    assert defined_from_sets(sets).tolist() == [[False, False, True], [True, True, True]]


def test_a_class_that_is_only_part_of_sets_is_not_defined() -> None:
    sets = set_table(defines=(1,))[None]
    assert defined_from_sets(sets).tolist() == [[False, True, False]]


def test_what_is_defined_agrees_with_the_label_table() -> None:
    for table in (LANES_ONLY, FULL):
        defined = defined_from_sets(sets_of(table))[0]
        assert tuple(defined.tolist()) == table.defined_classes()
