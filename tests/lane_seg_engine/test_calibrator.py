"""Scales from images, for TensorRT up to 10; the calls to it are recorded, no GPU is needed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnx
import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.errors import EngineError
from lane_seg.plans import gpu, libraries, messages
from lane_seg.plans.gpu import Gpu
from lane_seg.plans.key import read_record
from lane_seg.preprocess import tensor_from_image
from lane_seg_engine import build, calibrator
from lane_seg_engine.calibrator import (
    calibration_hash,
    calibration_images,
    float_input,
    make_calibrator,
)
from lane_seg_engine.graph_types import float_graph
from tests.lane_seg_engine.fake_tensorrt import SCALES, FakeTensorrt, library_of
from tests.lane_seg_engine.quantized_graphs import HEIGHT, WIDTH, quantized_graph, write_bundle

if TYPE_CHECKING:
    from pathlib import Path


class Buffer:
    """Stands for memory on the GPU."""

    made: list[Buffer] = []

    def __init__(self, size: int) -> None:
        self.size, self.address, self.filled = size, 4096, []
        Buffer.made.append(self)

    def fill(self, values: np.ndarray) -> None:
        assert values.nbytes == self.size
        self.filled.append(values.copy())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    model = quantized_graph()
    float_graph(model)
    return write_bundle(tmp_path / 'mine', model, 'fp32')


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / 'images'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ('b.png', 'a.png'):
        cv2.imwrite(str(folder / name), rng.integers(0, 256, (40, 60, 3), np.uint8))
    (folder / 'notes.txt').write_text('no image', encoding='utf-8')
    return folder


@pytest.fixture
def buffers(monkeypatch: pytest.MonkeyPatch) -> list[Buffer]:
    Buffer.made = []
    monkeypatch.setattr(calibrator, '_DeviceBuffer', Buffer)
    monkeypatch.setattr(messages, '_MESSAGES_OF', {})
    return Buffer.made


def test_images_are_listed_by_name_and_hashed_by_content(images: Path) -> None:
    found = calibration_images(images)
    assert [path.name for path in found] == ['a.png', 'b.png']
    before = calibration_hash(found)
    (images / 'a.png').rename(images / 'aa.png')
    assert calibration_hash(calibration_images(images)) == before
    (images / 'aa.png').write_bytes((images / 'b.png').read_bytes())
    assert calibration_hash(calibration_images(images)) != before


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match='expected a folder with images'):
        calibration_images(tmp_path / 'nowhere')


def test_a_float_input_leaves_the_names_and_the_graph_valid() -> None:
    model = quantized_graph()
    names = [name for node in model.graph.node for name in node.output]
    float_input(model)
    onnx.checker.check_model(model, full_check=True)
    assert [name for node in model.graph.node for name in node.output] == names


def test_images_go_in_one_by_one_as_in_the_car(
    bundle: Path, images: Path, buffers: list[Buffer]
) -> None:
    loaded, paths = ModelBundle.load(bundle), calibration_images(images)
    made = make_calibrator(library_of(FakeTensorrt('10.3.0')), loaded, paths)
    assert made.get_batch_size() == 1
    assert made.read_calibration_cache() is None
    assert [made.get_batch(['image']) for _ in range(3)] == [[4096], [4096], None]
    for path, filled in zip(paths, buffers[0].filled, strict=True):
        wanted = tensor_from_image(cv2.imread(str(path)), (HEIGHT, WIDTH))
        assert filled.dtype == np.float32
        np.testing.assert_array_equal(filled, wanted)


def test_scales_that_are_known_need_no_image_and_no_gpu(
    bundle: Path, buffers: list[Buffer]
) -> None:
    library = library_of(FakeTensorrt('8.5.2'))
    made = make_calibrator(library, ModelBundle.load(bundle), [], cache=SCALES)
    assert made.read_calibration_cache() == SCALES
    assert made.get_batch(['image']) is None
    assert buffers == []


@pytest.mark.parametrize('version', ['8.5.2', '10.3.0'])
def test_the_command_calibrates_first_and_builds_with_the_scales(
    bundle: Path,
    images: Path,
    buffers: list[Buffer],
    version: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = FakeTensorrt(version)
    monkeypatch.setattr(libraries, 'open_library', lambda flavour='auto': library_of(api))
    monkeypatch.setattr(gpu, 'gpu_info', lambda: Gpu('Orin', '8.7', '12.6'))
    parser = argparse.ArgumentParser()
    build.add_arguments(parser)
    words = ['--model', str(bundle), '--precision', 'int8', '--calibration-images', str(images)]
    assert build.run(parser.parse_args(words)) == 0
    assert api.made['builds'] == 2
    assert len(buffers[0].filled) == 2
    assert api.made['config'].int8_calibrator.read_calibration_cache() == SCALES
    (plan,) = bundle.glob('*.plan')
    options = read_record(plan).key.options
    assert options['calibration'] == calibration_hash(calibration_images(images))
