"""The exported float graph computes what the network computes, from bytes to class ids."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch

from lane_seg_train.nets.normalization import normalized
from lane_seg_train.onnx_from_checkpoint import OPSET, onnx_from_checkpoint
from tests.lane_seg_train.tiny_training import HEIGHT, WIDTH, random_checkpoint


def test_the_graph_gives_the_same_mask_as_the_network() -> None:
    checkpoint = random_checkpoint()
    model = onnx_from_checkpoint(checkpoint)
    image = np.random.default_rng(1).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    mask = session.run(None, {'image': image})[0]
    with torch.no_grad():
        planes = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
        expected = checkpoint.net(normalized(planes)).argmax(dim=1).numpy()
    assert mask.dtype == np.uint8
    assert mask.shape == (1, HEIGHT, WIDTH)
    assert len(np.unique(expected)) > 1  # otherwise the comparison proves nothing
    # Not 100 %: batch normalization folded into weights rounds the last bit elsewhere.
    assert np.mean(mask == expected) > 0.9999


def test_the_graph_keeps_to_what_tensorrt_reads() -> None:
    model = onnx_from_checkpoint(random_checkpoint())
    operators = {node.op_type for node in model.graph.node}
    assert [(item.domain, item.version) for item in model.opset_import] == [('', OPSET)]
    assert not operators & {'ConvTranspose', 'BatchNormalization', 'ArgMax', 'TopK'}
    assert [item.name for item in model.graph.input] == ['image']
    assert [item.name for item in model.graph.output] == ['mask']


def test_the_graph_holds_no_large_constants() -> None:
    checkpoint = random_checkpoint()
    weights = sum(p.numel() * 4 for p in checkpoint.net.parameters())
    assert len(onnx_from_checkpoint(checkpoint).SerializeToString()) < weights + 20_000
