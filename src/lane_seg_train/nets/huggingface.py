"""The package transformers, an extra: imported only when one of its networks is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from types import ModuleType

    from torch import nn

__all__ = ['pretrained', 'require_transformers']


def require_transformers(name: str) -> ModuleType:
    """Import transformers.

    Args:
        name: of the network, for the message.

    Raises:
        LaneSegError: it is not installed; says how to install it.
    """
    try:
        import transformers
    except ImportError as error:
        raise LaneSegError(
            f'net {name!r}: expected the package transformers, found: {error}; '
            "pip install 'lane_seg_ros[transformers]'"
        ) from error
    return transformers


def pretrained(model_class: type, config: object, weights: str, *, encoder: str) -> nn.Module:
    """Read a model of transformers.

    Args:
        model_class: class of the model.
        config: its configuration; the weights of the encoder must fit it.
        weights: local folder with config.json and weights, or name of a model on the hub.
        encoder: beginning of the names of the weights that have to be there; all others may be
            missing or of another shape, and are random then.

    Raises:
        LaneSegError: nothing readable under that name, or an encoder of another size.
    """
    if Path(weights).expanduser().is_dir():
        weights = str(Path(weights).expanduser())
    try:
        model, info = model_class.from_pretrained(  # type: ignore[attr-defined]
            weights, config=config, ignore_mismatched_sizes=True, output_loading_info=True
        )
    except Exception as error:
        first = str(error).strip().splitlines()[:1]
        raise LaneSegError(
            'net.weights: expected a folder of transformers with config.json and weights that fit '
            f'net.variant, or the name of such a model on its hub, found {weights!r}: '
            f'{"".join(first)}'
        ) from error
    wrong = [*info['missing_keys'], *(item[0] for item in info['mismatched_keys'])]
    wrong = sorted(name for name in wrong if name.startswith(encoder))
    if wrong:
        raise LaneSegError(
            f'{weights}: expected weights of the encoder that net.variant says, found none that '
            f'fit {wrong[0]} ({len(wrong)} in all); take the variant of the weights'
        )
    # It comes in the precision of the file, and in eval mode, which Lightning would leave on.
    trainable: nn.Module = model.float().train()
    return trainable
