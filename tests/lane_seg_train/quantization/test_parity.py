"""What PyTorch computes with rounding is what the engines compute from the exported file."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.machine import int8_sums_saturate
from lane_seg_scene import RoadScene
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.onnx_from_checkpoint import DeployedNet, onnx_from_checkpoint
from tests.lane_seg_train.datasets.test_real_data import ROOT
from tests.lane_seg_train.tiny_training import (
    HEIGHT,
    NET,
    WIDTH,
    pairs,
    quantized_checkpoint,
    trained_checkpoint,
)
from tests.tiny_bundle import write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg_train.checkpoint import Checkpoint

NETS = {
    'add': NET,
    'concat': dataclasses.replace(NET, skip='concat', down='pool'),
    'no batch norm': dataclasses.replace(NET, batch_norm=False),
    'factors of all kinds': NET,
}
# Where int8 sums would saturate, engines run weights of 7 bits instead.
LEAST = 0.99 if int8_sums_saturate() else 0.999
# On images unlike those it learned from, the network is of two minds about many pixels, and ONNX
# Runtime rounds biases as well: only pixels with a quarter of the median lead count.
UNLIKE = 0.25


def with_all_factors(checkpoint: Checkpoint) -> Checkpoint:
    """Of the deepest normalization: a channel turned, one next to switched off, one entirely."""
    norm = [part for part in checkpoint.net.modules() if isinstance(part, torch.nn.BatchNorm2d)][4]
    assert len(norm.weight) == 8
    with torch.no_grad():
        norm.weight[0] = 0.0
        norm.weight[1] = 1e-12
        norm.weight[2] *= -1
    return checkpoint


@pytest.fixture(scope='module', params=NETS)
def quantized(request: pytest.FixtureRequest) -> Checkpoint:
    checkpoint = trained_checkpoint(NETS[request.param])
    if request.param == 'factors of all kinds':
        checkpoint = with_all_factors(checkpoint)
    return quantized_checkpoint(checkpoint)


@pytest.fixture(scope='module')
def bundle(quantized: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    folder = tmp_path_factory.mktemp('bundle')
    model = onnx_from_checkpoint(quantized)
    return ModelBundle.load(write_bundle(folder, model, precision='int8'))


def fitted(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))


def scene_frames() -> list[np.ndarray]:
    scenes = [RoadScene(seed, height=2 * HEIGHT, width=2 * WIDTH) for seed in range(3)]
    return [fitted(scene.frame(time_s).image) for scene in scenes for time_s in (0.0, 2.0)]


def real_images(folder: Path) -> list[np.ndarray]:
    paths = sorted(path for path in folder.glob('*') if path.suffix in ('.jpg', '.png'))[:6]
    return [fitted(cv2.imread(str(path))) for path in paths]


def agreement(
    checkpoint: Checkpoint,
    bundle: ModelBundle,
    engine: str,
    images: list[np.ndarray],
    *,
    decided: float = 0.0,
) -> float:
    """Share of pixels to which the engine gives the class that PyTorch gives.

    Of all pixels, or of those whose best logit leads by a share `decided` of the median lead.
    """
    net = DeployedNet(checkpoint.net, len(checkpoint.classes)).eval()
    tensors = [torch.from_numpy(image[None]) for image in images]
    with torch.no_grad():
        expected = np.array([net(tensor)[0].numpy() for tensor in tensors])
        logits = [checkpoint.net(normalized(item).permute(0, 3, 1, 2))[0] for item in tensors]
    assert len(np.unique(expected)) > 1  # otherwise the comparison proves nothing
    best, second = torch.stack(logits).topk(2, dim=1).values.unbind(dim=1)
    lead = (best - second).numpy()
    counts = lead >= decided * np.median(lead)
    assert counts.mean() > 0.7
    with open_engine(bundle, engine, threads=1) as opened:  # type: ignore[arg-type]
        masks = np.array([opened.infer(image).copy() for image in images])
    return float((masks == expected)[counts].mean())


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_engines_give_the_mask_of_pytorch_on_images_like_those_it_learned_from(
    quantized: Checkpoint, bundle: ModelBundle, engine: str
) -> None:
    pytest.importorskip(engine)
    images = [image for image, _ in pairs(12)]
    assert agreement(quantized, bundle, engine, images) >= LEAST


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_engines_give_the_mask_of_pytorch_on_frames_of_the_road_scene(
    quantized: Checkpoint, bundle: ModelBundle, engine: str
) -> None:
    pytest.importorskip(engine)
    assert agreement(quantized, bundle, engine, scene_frames(), decided=UNLIKE) >= LEAST


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
@pytest.mark.skipif(not (ROOT / 'tusimple_samples').is_dir(), reason='no tusimple_samples at hand')
def test_engines_give_the_mask_of_pytorch_on_real_images(
    quantized: Checkpoint, bundle: ModelBundle, engine: str
) -> None:
    pytest.importorskip(engine)
    images = real_images(ROOT / 'tusimple_samples' / 'images')
    assert agreement(quantized, bundle, engine, images, decided=UNLIKE) >= LEAST


def test_the_network_has_learned_and_rounding_costs_little() -> None:
    """Else agreement would say nothing about masks that matter."""
    checkpoint = trained_checkpoint()
    float_net = DeployedNet(checkpoint.net, 3)
    with torch.no_grad():
        right, same = [], []
        for image, label in pairs(12)[6:]:
            mask = float_net(torch.from_numpy(image[None]))[0].numpy()
            right.append(np.mean(mask == label))
            same.append(mask)
        assert np.mean(right) > 0.99
        net = DeployedNet(quantized_checkpoint(checkpoint).net, 3).eval()
        masks = [net(torch.from_numpy(image[None]))[0].numpy() for image, _ in pairs(12)[6:]]
    assert np.mean(np.array(masks) == np.array(same)) > 0.995
