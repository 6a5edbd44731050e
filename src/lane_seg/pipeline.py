"""From a camera image to its mask and overlay: the steps of the core, each with its time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.confidence import no_confidence
from lane_seg.overlay import Painter
from lane_seg.postprocess import confidence_from_output, mask_from_output
from lane_seg.preprocess import tensor_from_image
from lane_seg.specks import remove_specks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle
    from lane_seg.engines import Engine

__all__ = ['LanePipeline', 'LaneResult']

_BACKGROUND = 'background'


@dataclass(frozen=True)
class LaneResult:
    """What one image gave.

    Attributes:
        mask: (H, W) uint8 class ids at the image's own size; a buffer of the pipeline that the
            next call overwrites.
        preprocess_ms: time of scaling to the model's input.
        inference_ms: time of the engine.
        postprocess_ms: time of laying the mask back.
        confidence: (height, width) uint8 at the model's size, the probability of the class that
            the network chose, 255 for 1; a buffer of the engine that the next call overwrites.
            None if the model gives none. `LanePipeline.confidence_of` brings it to the image's
            size.
    """

    mask: NDArray[np.uint8]
    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float
    confidence: NDArray[np.uint8] | None


class LanePipeline:
    """Runs a model on camera images. Buffers are kept between frames: use it from one thread.

    Args:
        bundle: the model.
        engine: an open engine for that model; it stays the caller's to close.
        alpha: opacity of overlay colours, 0..1.

    Attributes:
        min_blob_area: connected areas of a class, background excepted, of fewer pixels of the
            camera image than this go to the class around them; 0 keeps everything. May be
            changed between frames.
    """

    def __init__(self, bundle: ModelBundle, engine: Engine, alpha: float = 0.5) -> None:
        self.bundle = bundle
        self.engine = engine
        self._painter = Painter(bundle.classes, alpha=alpha)
        self._tensor = np.empty((bundle.height, bundle.width, 3), np.uint8)
        self._mask = np.empty((0, 0), np.uint8)
        self._confidence = np.empty((0, 0), np.uint8)
        self.min_blob_area = 0
        self._cleaned_ids = tuple(info.id for info in bundle.classes if info.name != _BACKGROUND)

    @property
    def alpha(self) -> float:
        """Opacity of overlay colours, 0..1; may be changed between frames."""
        return self._painter.alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        self._painter.alpha = value

    def process(self, image: NDArray[np.uint8]) -> LaneResult:
        """Find the classes of every pixel.

        Args:
            image: (H, W, 3) uint8 BGR, any size.

        Raises:
            ImageError: not such an image.
        """
        bundle = self.bundle
        start = time.perf_counter()
        tensor = tensor_from_image(
            image, (bundle.height, bundle.width), bundle.fit, out=self._tensor
        )
        prepared = time.perf_counter()
        confidence = None
        if bundle.confidence:
            output, confidence = self.engine.infer_both(tensor)
        else:
            output = self.engine.infer(tensor)
        inferred = time.perf_counter()
        image_hw = (image.shape[0], image.shape[1])
        if self.min_blob_area > 0:
            # At the model's size there are fewer pixels to look at than at the camera's.
            shrink = output.size / (image_hw[0] * image_hw[1])
            output = remove_specks(output, self._cleaned_ids, self.min_blob_area * shrink)
        if self._mask.shape != image_hw:
            self._mask = np.empty(image_hw, np.uint8)
        mask = mask_from_output(output, image_hw, bundle.fit, out=self._mask)
        done = time.perf_counter()
        return LaneResult(
            mask=mask,
            preprocess_ms=(prepared - start) * 1e3,
            inference_ms=(inferred - prepared) * 1e3,
            postprocess_ms=(done - inferred) * 1e3,
            confidence=confidence,
        )

    def confidence_of(self, result: LaneResult) -> NDArray[np.uint8]:
        """Bring the confidence of the last image to its size, for those who want it.

        Args:
            result: what `process` gave last.

        Returns:
            (H, W) uint8, 255 for certain, 0 where the model saw nothing (fit 'crop'); a buffer of
            the pipeline that the next call overwrites.

        Raises:
            BundleError: the model gives no confidence.
        """
        if result.confidence is None:
            raise no_confidence(self.bundle.name)
        image_hw = (result.mask.shape[0], result.mask.shape[1])
        if self._confidence.shape != image_hw:
            self._confidence = np.empty(image_hw, np.uint8)
        return confidence_from_output(
            result.confidence, image_hw, self.bundle.fit, out=self._confidence
        )

    def colour(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Paint a mask in the colours of its classes: (H, W, 3) uint8 BGR."""
        return self._painter.colour(mask)

    def draw(self, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Blend a mask over its image: (H, W, 3) uint8 BGR, a buffer the next call overwrites."""
        return self._painter.draw(image, mask)
