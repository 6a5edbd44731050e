"""Weights from files: read without running code, and put where they fit."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ['load_weights', 'read_weights']

_log = logging.getLogger(__name__)
# Batch normalization counts batches only where it has no momentum; old files lack the counter.
COUNTER = 'num_batches_tracked'


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a state dict: .safetensors, a file of torch.save, or a checkpoint.pt of ours.

    Raises:
        LaneSegError: no file, not a state dict, or the package that reads it is missing.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise LaneSegError(f'net.weights: expected a file with weights, found no file {path}')
    try:
        if path.suffix == '.safetensors':
            from safetensors.torch import load_file

            state: object = load_file(path)
        else:
            state = torch.load(path, map_location='cpu', weights_only=True)
    except ModuleNotFoundError as error:
        raise LaneSegError(
            f'{path}: expected the package safetensors, found none; pip install safetensors'
        ) from error
    except Exception as error:
        raise LaneSegError(f'{path}: expected a file with weights, found: {error}') from error
    if isinstance(state, dict) and isinstance(state.get('state_dict'), dict):
        state = state['state_dict']
    items = state if isinstance(state, dict) else {}
    tensors = {str(key): item for key, item in items.items() if isinstance(item, torch.Tensor)}
    if not tensors or len(tensors) < len(items):
        raise LaneSegError(f'{path}: expected a state dict, names with tensors, found none')
    return tensors


def load_weights(
    module: torch.nn.Module,
    state: Mapping[str, torch.Tensor],
    source: str | Path,
    *,
    spare: tuple[str, ...] = (),
) -> None:
    """Copy tensors into a module, all of them or none.

    Args:
        module: gets the weights.
        state: what `module.state_dict()` would give.
        source: where they come from, for messages.
        spare: beginnings of names that may be missing or of another shape; the weights that the
            module has there stay, and a warning in the log says so.

    Raises:
        LaneSegError: a name too few or too many, or another shape.
    """
    wanted = {name: item for name, item in module.state_dict().items() if COUNTER not in name}
    given = {name: item for name, item in state.items() if COUNTER not in name}
    unknown = sorted(set(given) - set(wanted))
    missing = [name for name in wanted if name not in given and not name.startswith(spare)]
    if unknown or missing:
        found = f'{unknown[0]!r}' if unknown else f'no {missing[0]!r}'
        raise LaneSegError(
            f'{source}: expected weights of this network, found {found} ({len(unknown)} names '
            f'too many, {len(missing)} too few); take the name, variant and settings of the '
            'network that the weights were made with'
        )
    fitting = {}
    for name, item in given.items():
        if item.shape == wanted[name].shape:
            fitting[name] = item
        elif not name.startswith(spare):
            raise LaneSegError(
                f'{source}: expected {name} of shape {tuple(wanted[name].shape)}, found '
                f'{tuple(item.shape)}; take the variant, width and channels of the network that '
                'the weights were made with'
            )
    left = [name for name in wanted if name not in fitting]
    if left:
        _log.warning('%s: %d tensors stay random: %s ...', source, len(left), left[0])
    module.load_state_dict(fitting, strict=False)
