"""A tiny network that post-training quantization has damaged, for tests of training it on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config_file import with_overrides
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.quantization.ptq import post_training
from lane_seg_train.quantization.qat import QatSettings
from lane_seg_train.trainer.hardware import Hardware
from tests.lane_seg_train.tiny_training import NET, pairs, tiny_config, trained_checkpoint

if TYPE_CHECKING:
    from lane_seg_train.config import TrainConfig

ONE_THREAD = Hardware(threads=1)
WIDER = replace(NET, width=8)
LANE = 2
# So much is clipped that the white line suffers.
DAMAGING = 98.5
SETTINGS = QatSettings(epochs=4, learning_rate=1e-2, images=6)
# What has been learned within a few steps must be what is measured.
PLAIN = [f'augment.{key}=0' for key in ('flip', 'stretch', 'rotate_deg', 'shadow', 'noise')]
PLAIN += [f'augment.{key}=0' for key in ('brightness', 'contrast', 'colour', 'gamma', 'blur')]
PLAIN += ['augment.scale=[1, 1]', 'loss.class_weights={lane_marking: 4}', 'snapshots=0']


def recipe(*settings: str) -> TrainConfig:
    """A recipe for `pairs`, three steps an epoch, with some keys changed."""
    return replace(with_overrides(tiny_config(), [*PLAIN, *settings]), net=WIDER)


def quantized(percentile: float) -> Checkpoint:
    """A network that has learned `pairs`, quantized with so many per cent of values in range."""
    images = [image for image, _ in pairs()]
    learned = trained_checkpoint(WIDER, steps=100)
    return post_training(learned, images, images[:1], 'percentile', percentile=percentile)[0]


def lane_iou(checkpoint: Checkpoint) -> float:
    """IoU of the lane markings of `pairs`, computed from the definition."""
    found = masks(checkpoint) == LANE
    labels = np.stack([label for _, label in pairs()]) == LANE
    return float((found & labels).sum() / (found | labels).sum())


def masks(checkpoint: Checkpoint) -> np.ndarray:
    """Class ids of `pairs`, (N, H, W) uint8."""
    images = torch.from_numpy(np.stack([image for image, _ in pairs()]))
    with torch.inference_mode():
        logits = checkpoint.net(normalized(images).permute(0, 3, 1, 2))
    return logits.argmax(dim=1).to(torch.uint8).numpy()
