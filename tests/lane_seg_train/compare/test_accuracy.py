"""IoU and agreement of contenders that run in processes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.pipeline import LanePipeline
from lane_seg_train.compare.accuracy import run_over
from lane_seg_train.compare.frames import folder_frames, labelled_frames
from lane_seg_train.compare.process import Worker, WorkerError
from lane_seg_train.datasets import open_data
from lane_seg_train.evaluation.measure import measure
from tests.lane_seg_train.tiny_training import CLASSES, HEIGHT, WIDTH, tiny_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lane_seg_train.compare.accuracy import Accuracy, SeenFrame
    from tests.lane_seg_train.compare.conftest import Models

SIZE = (HEIGHT, WIDTH)


@pytest.fixture
def workers(models: Models) -> Iterator[dict[str, Worker]]:
    with Worker('float') as floating, Worker('int8') as int8:
        floating.ask('open', engine='openvino', model=str(models.floating), threads=1)
        int8.ask('open', engine='openvino', model=str(models.int8), threads=1)
        yield {'float': floating, 'int8': int8}


def compared(
    models: Models, workers: dict[str, Worker], lost: list[str], *, labelled: bool = True
) -> tuple[dict[str, Accuracy], list[SeenFrame]]:
    def fail(label: str, _error: WorkerError) -> None:
        lost.append(label)

    sets = folder_frames(models.data / 'images', 0)
    if labelled:
        sets = labelled_frames(tiny_config(), CLASSES, SIZE, models.data, 0)
    return run_over(
        sets,
        workers,
        ModelBundle.load(models.int8),
        reference='float',
        shown='int8',
        imitation='int8',
        failed=fail,
        done=lambda: None,
    )


def test_iou_is_what_evaluate_measures_on_the_same_bundle(
    models: Models, workers: dict[str, Worker]
) -> None:
    found, _ = compared(models, workers, [])
    (data,) = open_data(tiny_config().val, CLASSES, SIZE, models.data)
    for label, folder in (('float', models.floating), ('int8', models.int8)):
        bundle = ModelBundle.load(folder)
        with open_engine(bundle, 'openvino', threads=1) as engine:
            expected = measure(LanePipeline(bundle, engine), data)
        scores = {score.classes: score.iou for score in expected.scores}
        assert found[label].by_set == {'tiny': {'miou': expected.miou, **scores}}


def test_agreement_is_the_share_of_equal_pixels(
    models: Models, workers: dict[str, Worker]
) -> None:
    found, seen = compared(models, workers, [])
    assert found['float'].agreement == 1
    shares = [float((frame.mask(0, SIZE) == frame.mask(1, SIZE)).mean()) for frame in seen]
    assert [frame.agreement for frame in seen] == shares
    assert found['int8'].agreement == pytest.approx(np.mean(shares))
    assert 0.8 < found['int8'].agreement < 1
    assert found['int8'].parity == 1
    assert found['float'].parity == found['int8'].agreement
    assert [frame.name for frame in seen] == [f'tiny {index:03}' for index in range(4)]


def test_without_labels_there_is_agreement_only(
    models: Models, workers: dict[str, Worker]
) -> None:
    found, seen = compared(models, workers, [], labelled=False)
    assert found['int8'].by_set == {}
    assert found['int8'].agreement < 1
    assert len(seen) == 4


def test_a_reference_that_dies_leaves_the_iou_of_the_others(
    models: Models, workers: dict[str, Worker]
) -> None:
    workers['float'].close()
    with Worker('float') as not_opened:
        lost: list[str] = []
        found, seen = compared(models, {**workers, 'float': not_opened}, lost)
    assert (lost, list(found), seen) == (['float'], ['int8'], [])
    assert set(found['int8'].by_set['tiny']) >= {'miou', 'lane_marking'}
    assert np.isnan(found['int8'].agreement)
