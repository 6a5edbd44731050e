"""What is evaluated: a bundle, or a checkpoint of a run that was not exported yet."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.errors import LaneSegError
from lane_seg.files import sha256_of
from lane_seg.pipeline import LanePipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lane_seg.engines import EngineName

__all__ = ['OpenModel', 'checkpoint_path', 'open_model']

CHECKPOINT = 'checkpoint.pt'
SUFFIXES = ('.pt', '.pth', '.ckpt')


@dataclass(frozen=True)
class OpenModel:
    """A model that is ready to run.

    Attributes:
        pipeline: from image to mask; its bundle names size and classes.
        engine: name and version of what really runs it.
        sha256: of the graph, or of the checkpoint.
        recipe: where its recipe should lie.
    """

    pipeline: LanePipeline
    engine: str
    sha256: str
    recipe: Path

    @property
    def title(self) -> str:
        """Name, version and engine."""
        return f'{self.pipeline.bundle.name} {self.pipeline.bundle.version} on {self.engine}'


def checkpoint_path(model: str) -> Path | None:
    """The checkpoint that is meant: a file, or that of a run folder; None if it is a bundle."""
    path = Path(model).expanduser()
    if path.suffix in SUFFIXES:
        return path
    inside = path / CHECKPOINT
    return inside if inside.is_file() and not (path / 'model.yaml').exists() else None


@contextmanager
def open_model(model: str, engine: EngineName = 'auto') -> Iterator[OpenModel]:
    """Open a bundle with an engine, or a checkpoint with PyTorch (on a GPU if there is one).

    Args:
        model: name or folder of a bundle, a checkpoint file, or a run folder.
        engine: for a bundle; a checkpoint takes 'auto' only.

    Raises:
        LaneSegError: no such model, or one that cannot be opened so.
    """
    path = checkpoint_path(model)
    if path is None:
        bundle = ModelBundle.load(model)
        with open_engine(bundle, engine) as opened:
            yield OpenModel(
                pipeline=LanePipeline(bundle, opened),
                engine=f'{opened.name} {opened.version}',
                sha256=bundle.onnx_sha256,
                recipe=bundle.directory / 'recipe.yaml',
            )
        return
    if engine != 'auto':
        raise LaneSegError(
            f'{path}: a checkpoint runs in PyTorch, found --engine {engine}; leave the option '
            'away, or make a bundle of it with `lane-seg export`'
        )
    import torch

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.checkpoint_engine import checkpoint_pipeline

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    pipeline = checkpoint_pipeline(Checkpoint.load(path), device)
    with pipeline.engine as opened:
        yield OpenModel(
            pipeline=pipeline,
            engine=f'{opened.name} {opened.version}',
            sha256=sha256_of(path),
            recipe=path.parent / 'config.yaml',
        )
