"""Training reads what was recorded, by the recipe that the guide gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from carla_bridge.recording.recording import Recording
from lane_seg_train.config import DataConfig
from lane_seg_train.datasets import LaneData
from tests.carla_bridge.recording.test_recording import DRIVE, PLAN, ROOT, SPLIT_OF, TAG_OF, add

CLASSES = ('background', 'road', 'lane_marking')


@pytest.fixture(scope='module')
def recipe() -> dict[str, DataConfig]:
    """The data sets of the guide, by name."""
    guide = (ROOT / 'docs/carla_collect.md').read_text(encoding='utf-8')
    (text,) = re.findall(r'```yaml\n(.*?)```', guide, re.DOTALL)
    return {entry['name']: DataConfig(**entry) for entry in yaml.safe_load(text)}


def test_tags_and_labels_are_read_as_the_guide_says(
    recipe: dict[str, DataConfig], tmp_path: Path
) -> None:
    with Recording.open(tmp_path / 'recording', PLAN, '0.9.16') as recording:
        for index in range(10):
            add(recording, index)
    train = [index for index in range(10) if SPLIT_OF[index % 4] == 'train']
    expected = {
        'tags': [{1: 1, 24: 2}.get(TAG_OF[index % 5], 0) for index in train],
        'lanes': [index % 3 for index in train],
    }
    assert recipe.keys() == expected.keys()
    for name, config in recipe.items():
        data = LaneData(config, CLASSES, (6, 8), tmp_path)
        assert data.names == [DRIVE.frame_name(index) for index in train]
        assert [np.unique(target).tolist() for _, target in data.examples] == [
            [value] for value in expected[name]
        ]
        assert set(expected[name]) == {0, 1, 2}
