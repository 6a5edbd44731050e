"""A model ready to run: verified bundle, open engine, one pipeline per camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from lane_seg.bundle import ModelBundle
from lane_seg.engines import Engine, EngineName, open_engine
from lane_seg.pipeline import LanePipeline
from lane_seg_ros.parameters import LaneSegParameters

__all__ = ['LoadedModel']


@dataclass(frozen=True)
class LoadedModel:
    """What configure loads, and what a change of the model replaces as a whole.

    Attributes:
        bundle: the verified files.
        engine: the one engine that all cameras share.
        pipelines: one per camera, for each keeps buffers of its camera's size.
    """

    bundle: ModelBundle
    engine: Engine
    pipelines: tuple[LanePipeline, ...]

    @staticmethod
    def load(name: str, config: LaneSegParameters) -> LoadedModel:
        """Load a bundle, open its engine and run it once.

        Args:
            name: of the bundle, or a path.
            config: says which engine, how many threads and cameras.

        Raises:
            LaneSegError: the bundle or the engine cannot be had.
        """
        bundle = ModelBundle.load(name)
        engine = open_engine(
            bundle, engine=cast('EngineName', config.engine), threads=config.threads
        )
        try:
            pipelines = tuple(
                LanePipeline(bundle, engine, alpha=config.overlay_alpha) for _ in config.cameras
            )
            # The first inference allocates; let it be on nobody's frame.
            pipelines[0].process(np.zeros((bundle.height, bundle.width, 3), dtype=np.uint8))
        except BaseException:
            engine.close()
            raise
        return LoadedModel(bundle, engine, pipelines)

    def close(self) -> None:
        """Free the engine."""
        self.engine.close()

    def __str__(self) -> str:
        """One line for the log."""
        bundle, engine = self.bundle, self.engine
        return (
            f'model {bundle.name} {bundle.version} ({bundle.height} x {bundle.width}, '
            f'sha256 {bundle.onnx_sha256[:12]}) runs on {engine.name}, threads: {engine.threads}'
        )
