"""`lane-seg predict` takes the checkpoint of a run before it is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

pytest.importorskip('torch')

from lane_seg_cli.main import main
from lane_seg_train.checkpoint_engine import checkpoint_pipeline
from tests.lane_seg_train.tiny_training import random_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


def test_a_checkpoint_gives_the_mask_of_its_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'road.png'), image)
    checkpoint = random_checkpoint()
    checkpoint.save(tmp_path / 'checkpoint.pt')
    words = ['--output', str(tmp_path / 'out'), '--model', str(tmp_path / 'checkpoint.pt')]
    assert main(['predict', str(tmp_path / 'road.png'), *words, '--threads', '1']) == 0
    mask = cv2.imread(str(tmp_path / 'out/road.png'), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(mask, checkpoint_pipeline(checkpoint).process(image).mask)
    assert 'torch' in capsys.readouterr().out


def test_a_checkpoint_runs_in_pytorch_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / 'road.png'), np.zeros((64, 128, 3), np.uint8))
    random_checkpoint().save(tmp_path / 'checkpoint.pt')
    words = ['--model', str(tmp_path / 'checkpoint.pt'), '--engine', 'openvino']
    code = main(['predict', str(tmp_path / 'road.png'), '--output', str(tmp_path / 'out'), *words])
    assert code == 1
    assert 'a checkpoint runs in PyTorch, found --engine openvino' in capsys.readouterr().err
