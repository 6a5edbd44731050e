"""One tiny network as checkpoints and bundles, in float and in int8, for all of these tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

pytest.importorskip('lightning')
pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('openvino')

from lane_seg_train.export import export
from lane_seg_train.quantization.ptq import post_training
from tests.lane_seg_train import tiny_training as tiny


@dataclass(frozen=True)
class Models:
    """Where they lie.

    Attributes:
        folder: of all of them.
        checkpoint: file, in float.
        quantized: file, of the quantized network.
        floating: folder of the bundle in float.
        int8: folder of the quantized bundle.
        data: folder that holds the labelled images.
    """

    folder: Path
    checkpoint: Path
    quantized: Path
    floating: Path
    int8: Path
    data: Path


@pytest.fixture(scope='session')
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The only place here that quantizes and exports."""
    folder = tmp_path_factory.mktemp('models')
    data, recipe = folder / 'data', folder / 'recipe.yaml'
    tiny.write_pairs(data, 4)
    tiny.write_recipe(recipe)
    images = [cv2.imread(str(path)) for path in sorted((data / 'images').glob('*.png'))]
    quantized, _ = post_training(tiny.random_checkpoint(), images, images[:1], 'max')
    for precision, checkpoint in (('fp32', tiny.random_checkpoint()), ('int8', quantized)):
        checkpoint.save(folder / f'{precision}.pt')
        export(
            folder / f'{precision}.pt',
            folder / precision,
            config=tiny.tiny_config(),
            recipe=recipe,
            data_root=data,
        )
    return Models(
        folder, folder / 'fp32.pt', folder / 'int8.pt', folder / 'fp32', folder / 'int8', data
    )
