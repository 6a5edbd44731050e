"""The steps of the core together, on a real tiny model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.errors import BundleError, ImageError
from lane_seg.overlay import draw_mask
from lane_seg.pipeline import LanePipeline
from lane_seg.postprocess import confidence_from_output
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope='module', params=['stretch', 'crop', 'letterbox'])
def pipeline(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LanePipeline]:
    folder = make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny', fit=request.param)
    bundle = ModelBundle.load(folder)
    with open_engine(bundle, 'onnxruntime', threads=1) as engine:
        yield LanePipeline(bundle, engine)


def road(height: int, width: int) -> np.ndarray:
    """A dark upper half, a mid-grey road below, and a bright line down its middle."""
    image = np.full((height, width, 3), 20, np.uint8)
    image[height // 2 :] = 100
    image[height // 2 :, 2 * width // 5 : 3 * width // 5] = 240
    return image


def test_the_mask_has_the_images_size_and_names_what_it_shows(pipeline: LanePipeline) -> None:
    result = pipeline.process(road(480, 800))
    assert result.mask.shape == (480, 800)
    assert result.mask.dtype == np.uint8
    assert result.mask[120, 400] == 0
    assert result.mask[400, 100] == 1
    assert result.mask[400, 400] == 2


def test_each_step_has_its_time(pipeline: LanePipeline) -> None:
    result = pipeline.process(road(48, 80))
    assert result.preprocess_ms > 0
    assert result.inference_ms > 0
    assert result.postprocess_ms > 0


def test_images_of_changing_size_give_the_same_masks_as_alone(pipeline: LanePipeline) -> None:
    sizes = [(48, 80), (480, 800), (48, 80), (1, 1), (33, 77)]
    alone = []
    for size in sizes:
        fresh = LanePipeline(pipeline.bundle, pipeline.engine)
        alone.append(fresh.process(road(*size)).mask)
    for size, mask in zip(sizes, alone, strict=True):
        assert np.array_equal(pipeline.process(road(*size)).mask, mask)


def test_the_masks_buffer_is_kept_between_frames_of_one_size(pipeline: LanePipeline) -> None:
    first = pipeline.process(road(48, 80)).mask
    assert pipeline.process(road(48, 80)).mask is first


def test_the_overlay_is_that_of_the_bundles_classes(pipeline: LanePipeline) -> None:
    image = road(48, 80)
    mask = pipeline.process(image).mask
    for alpha in (0.25, 0.75):
        pipeline.alpha = alpha
        assert pipeline.alpha == alpha
        expected = draw_mask(image, mask, pipeline.bundle.classes, alpha=alpha)
        assert np.array_equal(pipeline.draw(image, mask), expected)


def test_an_image_that_cannot_be_used_leaves_the_pipeline_usable(pipeline: LanePipeline) -> None:
    with pytest.raises(ImageError):
        pipeline.process(np.zeros((0, 80, 3), np.uint8))
    assert pipeline.process(road(48, 80)).mask.any()


# Confidence.


@pytest.fixture(scope='module', params=['stretch', 'crop', 'letterbox'])
def sure(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LanePipeline]:
    folder = tmp_path_factory.mktemp('models') / 'sure'
    bundle = ModelBundle.load(make_tiny_bundle(folder, fit=request.param, confidence=True))
    with open_engine(bundle, 'onnxruntime', threads=1) as engine:
        yield LanePipeline(bundle, engine)


def test_the_confidence_has_the_models_size_until_somebody_wants_the_images(
    sure: LanePipeline,
) -> None:
    result = sure.process(road(480, 800))
    assert result.confidence is not None
    assert result.confidence.shape == (64, 128)
    confidence = sure.confidence_of(result)
    assert (confidence.shape, confidence.dtype) == ((480, 800), np.uint8)
    # The tiny model is the more confident, the brighter a pixel is.
    for row, column, level in ((120, 400, 20), (400, 100, 100), (400, 400, 240)):
        assert confidence[row, column] == level
    seen = result.mask < 255
    assert confidence[seen].min() > 0
    assert not confidence[~seen].any()
    fit = sure.bundle.fit
    assert np.array_equal(confidence, confidence_from_output(result.confidence, (480, 800), fit))


def test_the_buffer_of_the_confidence_follows_the_images_size(sure: LanePipeline) -> None:
    for size in [(48, 80), (480, 800), (48, 80), (1, 1), (33, 77)]:
        first = sure.confidence_of(sure.process(road(*size)))
        assert first.shape == size
        assert sure.confidence_of(sure.process(road(*size))) is first


def test_specks_that_are_removed_leave_the_confidence_alone(sure: LanePipeline) -> None:
    image = road(480, 800)
    before = sure.confidence_of(sure.process(image)).copy()
    sure.min_blob_area = 480 * 800
    result = sure.process(image)
    assert not (result.mask == 2).any()
    assert np.array_equal(sure.confidence_of(result), before)
    sure.min_blob_area = 0


def test_a_model_without_confidence_gives_none_and_says_how_to_get_one(
    pipeline: LanePipeline,
) -> None:
    result = pipeline.process(road(48, 80))
    assert result.confidence is None
    with pytest.raises(BundleError, match='`lane-seg add-confidence --model DIR --output DIR`'):
        pipeline.confidence_of(result)
