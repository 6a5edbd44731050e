"""A checkpoint sees what the exported bundle sees, and says what it says."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import yaml

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.errors import EngineError
from lane_seg.pipeline import LanePipeline
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.checkpoint_engine import (
    CheckpointEngine,
    CheckpointModel,
    checkpoint_pipeline,
)
from lane_seg_train.config_file import load_config, plain_config
from lane_seg_train.export import export
from lane_seg_train.nets import build_net
from tests.lane_seg_train.tiny_training import (
    CLASSES,
    HEIGHT,
    NET,
    WIDTH,
    random_checkpoint,
    tiny_config,
    write_pairs,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIZES = ((HEIGHT, WIDTH), (90, 131), (300, 400), (33, 65))


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """The random checkpoint, exported as fp32."""
    folder = tmp_path_factory.mktemp('export')
    write_pairs(folder / 'data', count=2)
    random_checkpoint().save(folder / 'checkpoint.pt')
    recipe = folder / 'config.yaml'
    recipe.write_text(yaml.safe_dump(plain_config(tiny_config())))
    export(
        folder / 'checkpoint.pt',
        folder / 'bundle',
        config=load_config(recipe),
        recipe=recipe,
        data_root=folder / 'data',
    )
    return ModelBundle.load(folder / 'bundle')


def images() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    pictures = []
    for height, width in SIZES:
        rows, columns = np.mgrid[:height, :width]
        smooth = 127 + 90 * np.sin(rows / 9)[..., None] * np.cos(columns[..., None] / (5, 11, 17))
        noisy = smooth + rng.normal(0, 12, (height, width, 3))
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return pictures


def seen_and_said(
    pipeline: LanePipeline, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """What the engine is given for each image, and the mask of the image."""
    seen = []
    infer = pipeline.engine.infer

    def spy(tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        seen.append(tensor.copy())
        return infer(tensor)

    monkeypatch.setattr(pipeline.engine, 'infer', spy)
    masks = [pipeline.process(image).mask.copy() for image in images()]
    return list(zip(seen, masks, strict=True))


def test_it_sees_the_same_bits_as_the_exported_bundle_and_gives_the_same_masks(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_engine(bundle, 'onnxruntime') as engine:
        exported = seen_and_said(LanePipeline(bundle, engine), monkeypatch)
    trained = seen_and_said(checkpoint_pipeline(random_checkpoint()), monkeypatch)
    for (tensor, mask), (other_tensor, other_mask), size in zip(
        trained, exported, SIZES, strict=True
    ):
        np.testing.assert_array_equal(tensor, other_tensor)
        assert mask.shape == size
        assert (mask == other_mask).mean() >= 0.999
    assert len(np.unique(np.concatenate([mask.ravel() for _, mask in trained]))) > 1


def test_a_network_in_training_mode_is_evaluated_all_the_same() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(NET, dropout=0.5)
    checkpoint = dataclasses.replace(random_checkpoint(), net=build_net(config, len(CLASSES)))
    net = checkpoint.net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = []
    net.register_forward_hook(
        lambda *_: modes.append((net.training, torch.is_inference_mode_enabled()))
    )
    image = images()[0]
    pipeline = checkpoint_pipeline(checkpoint)
    masks = [pipeline.process(image).mask.copy() for _ in range(3)]
    assert modes == [(False, True)] * 3
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name  # batch normalization learned nothing


def test_the_same_network_would_answer_differently_in_training_mode() -> None:
    # Otherwise the test above could not fail.
    torch.manual_seed(0)
    net = build_net(dataclasses.replace(NET, dropout=0.5), len(CLASSES)).train()
    tensor = torch.randn(1, 3, HEIGHT, WIDTH)
    assert not torch.equal(net(tensor), net(tensor))


def test_it_names_itself_and_its_library() -> None:
    with CheckpointEngine(random_checkpoint()) as engine:
        assert engine.name == 'torch'
        assert torch.__version__ in engine.version
        assert engine.threads == torch.get_num_threads()


def test_what_is_not_the_input_is_refused() -> None:
    with (
        CheckpointEngine(random_checkpoint()) as engine,
        pytest.raises(EngineError, match=r'expected a contiguous uint8 tensor \(64, 128, 3\)'),
    ):
        engine.infer(np.zeros((64, 64, 3), np.uint8))


def test_a_closed_one_says_so() -> None:
    engine = CheckpointEngine(random_checkpoint())
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match='engine torch is closed'):
        engine.infer(np.zeros((HEIGHT, WIDTH, 3), np.uint8))


def test_it_knows_of_a_bundle_all_but_its_files(tmp_path: Path) -> None:
    random_checkpoint().save(tmp_path / 'checkpoint.pt')
    model = CheckpointModel.of(Checkpoint.load(tmp_path / 'checkpoint.pt'))
    assert (model.name, model.height, model.width, model.fit) == ('tiny', 64, 128, 'stretch')
    assert [info.name for info in model.classes] == list(CLASSES)
    missing = {field.name for field in dataclasses.fields(ModelBundle)} - {
        field.name for field in dataclasses.fields(CheckpointModel)
    }
    assert missing == {'directory', 'onnx_path', 'onnx_sha256'}
