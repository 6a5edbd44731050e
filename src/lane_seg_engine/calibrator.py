"""Scales from images, for a model in float on TensorRT 10 or earlier.

The way of old: TensorRT runs the float network on images and picks the scales by entropy. Scales
in the graph (`lane-seg quantize`) are measured once, are the same on every machine, and can be
checked before the car; this is for models that come without them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import onnx
    import tensorrt
    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle
    from lane_seg.plans.libraries import Library

__all__ = ['calibration_hash', 'calibration_images', 'float_input', 'make_calibrator']


def calibration_images(folder: Path) -> list[Path]:
    """List the images of a folder, in the order of their names.

    Raises:
        EngineError: there is none.
    """
    from lane_seg.sources import IMAGE_SUFFIXES

    images = [path for path in sorted(folder.glob('*')) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise EngineError(
            f'--calibration-images: expected a folder with images ({", ".join(IMAGE_SUFFIXES)}), '
            f'found none in {folder}'
        )
    return images


def calibration_hash(images: Sequence[Path]) -> str:
    """Return the sha256 over the contents of images, in their order."""
    digest = hashlib.sha256()
    for path in images:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def float_input(model: onnx.ModelProto) -> None:
    """Let the graph take its image as float32 of the same values 0..255, in place.

    Calibration reads float32 whatever the type of the input; with this graph there is no doubt.
    The scales that come out carry over, because all tensors keep their names.
    """
    from onnx import TensorProto

    for item in model.graph.input:
        item.type.tensor_type.elem_type = TensorProto.FLOAT


def make_calibrator(
    library: Library,
    bundle: ModelBundle,
    images: Sequence[Path],
    *,
    cache: bytes | None = None,
    on_image: Callable[[int], None] | None = None,
) -> tensorrt.IInt8EntropyCalibrator2:
    """Make a calibrator that feeds images, one at a time, prepared as in the car.

    Args:
        library: TensorRT 10 or earlier.
        bundle: says size and fit of the input.
        images: files.
        cache: scales of an earlier calibration; then no image is read.
        on_image: called with the number of images that were fed.

    Returns:
        The calibrator; its attribute `cache` holds the scales after a build.

    Raises:
        EngineError: pycuda is missing.
    """
    import numpy as np

    from lane_seg.preprocess import tensor_from_image
    from lane_seg.sources import image_from_file

    api = library.api
    buffer = None
    if cache is None:
        buffer = _DeviceBuffer(bundle.height * bundle.width * 3 * np.dtype(np.float32).itemsize)

    class Calibrator(api.IInt8EntropyCalibrator2):  # type: ignore[name-defined]
        def __init__(self) -> None:
            api.IInt8EntropyCalibrator2.__init__(self)
            self.cache = cache
            self.fed = 0

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: Sequence[str]) -> list[int] | None:
            if buffer is None or self.fed >= len(images):
                return None
            image = image_from_file(images[self.fed])
            tensor = tensor_from_image(image, (bundle.height, bundle.width), bundle.fit)
            buffer.fill(np.ascontiguousarray(tensor, np.float32))
            self.fed += 1
            if on_image is not None:
                on_image(self.fed)
            return [buffer.address]

        def read_calibration_cache(self) -> bytes | None:
            return cache

        def write_calibration_cache(self, cache: bytes) -> None:
            self.cache = bytes(cache)

    return Calibrator()


class _DeviceBuffer:
    """Memory on the GPU, in the primary context: the one that TensorRT itself works in."""

    def __init__(self, size: int) -> None:
        try:
            import pycuda.driver
        except ImportError as error:
            raise EngineError(
                f'--calibration-images needs the Python package pycuda, found: {error}; '
                'install it: python3 -m pip install pycuda'
            ) from error
        self.driver = pycuda.driver
        self.driver.init()
        self.context = self.driver.Device(0).retain_primary_context()
        self.context.push()
        try:
            self.memory = self.driver.mem_alloc(size)
        finally:
            self.context.pop()
        self.address = int(self.memory)

    def fill(self, values: NDArray[np.float32]) -> None:
        """Copy values to the GPU; the builder calls from whatever thread it likes."""
        self.context.push()
        try:
            self.driver.memcpy_htod(self.memory, values)
        finally:
            self.context.pop()
