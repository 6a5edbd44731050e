"""The checkpoint that leaves training: weights with everything needed to rebuild the network."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path
from lane_seg_train.config import NetConfig
from lane_seg_train.fake_quantization.record import QuantizationRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from torch import nn

__all__ = ['Checkpoint']

SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what it was trained for.

    Attributes:
        net: the trained network, in eval mode.
        net_config: what `build_net` needs.
        classes: class names in the order of their ids.
        height: input height in pixels.
        width: input width in pixels.
        name: name of the run.
        metrics: validation metrics of the kept epoch, '<set>/<classes>' -> IoU.
        quantization: how it was quantized; then `net` is a `QuantizedNet`. None: it is float.
    """

    net: nn.Module
    net_config: NetConfig
    classes: tuple[str, ...]
    height: int
    width: int
    name: str
    metrics: dict[str, float]
    quantization: QuantizationRecord | None = None

    @property
    def precision(self) -> str:
        """'int8' or 'fp32'."""
        return 'fp32' if self.quantization is None else 'int8'

    def save(self, path: str | Path) -> None:
        """Write the checkpoint whole; an older one at `path` survives a full disk."""
        import torch

        with atomic_path(path) as temporary:
            torch.save(
                {
                    'schema': SCHEMA,
                    'net_config': dataclasses.asdict(self.net_config),
                    'classes': list(self.classes),
                    'height': self.height,
                    'width': self.width,
                    'name': self.name,
                    'metrics': self.metrics,
                    'quantization': self.quantization and dataclasses.asdict(self.quantization),
                    'state_dict': self.net.state_dict(),
                },
                temporary,
            )

    @classmethod
    def load(cls, path: str | Path) -> Checkpoint:
        """Read a checkpoint; never unpickles code.

        Raises:
            LaneSegError: no file, or not one of our checkpoints.
        """
        import torch

        from lane_seg_train.fake_quantization.quantized_net import QuantizedNet
        from lane_seg_train.nets import build_net

        path = Path(path)
        if not path.is_file():
            raise LaneSegError(
                f'expected a checkpoint {path}, found no file; `lane-seg train` makes one'
            )
        try:
            raw = torch.load(path, map_location='cpu', weights_only=True)
        except Exception as error:
            raise LaneSegError(f'{path}: expected a checkpoint, found: {error}') from error
        schema = raw.get('schema') if isinstance(raw, dict) else None
        if schema != SCHEMA:
            raise LaneSegError(
                f'{path}: expected a checkpoint.pt of `lane-seg train` with schema {SCHEMA}, '
                f'found schema {schema}; train it again, or use the version that wrote it'
            )
        try:
            net_config = NetConfig(
                **{**raw['net_config'], 'multipliers': tuple(raw['net_config']['multipliers'])}
            )
            # The weights to start from, which may be gone by now, are no matter any more.
            start = dataclasses.replace(net_config, weights='')
            plain = build_net(start, len(raw['classes']))
            net: nn.Module = plain
            # Checkpoints of before quantization was known do not have the key.
            quantization = _record(raw.get('quantization'))
            if quantization is not None:
                size = (raw['height'], raw['width'])
                net = QuantizedNet(plain, size, exclude=quantization.exclude)
            net.load_state_dict(raw['state_dict'])
            return cls(
                net=net.eval(),
                net_config=net_config,
                classes=tuple(raw['classes']),
                height=raw['height'],
                width=raw['width'],
                name=raw['name'],
                metrics=raw['metrics'],
                quantization=quantization,
            )
        except (KeyError, TypeError, RuntimeError) as error:
            raise LaneSegError(
                f'{path}: expected the weights of a network that this version knows, found: '
                f'{error}; use the version that wrote it'
            ) from error


def _record(raw: Mapping[str, Any] | None) -> QuantizationRecord | None:
    if raw is None:
        return None
    return QuantizationRecord(**{**raw, 'exclude': tuple(raw['exclude'])})
