"""What all networks have in common: input, size rule, and weights to start from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from lane_seg.errors import LaneSegError
from lane_seg_train.nets.weights import load_weights, read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

__all__ = ['Net', 'size_factor']

# What torch says when batch normalization in training mode gets one value per channel.
ONE_VALUE = 'more than 1 value per channel'


class Net(nn.Module, ABC):
    """A network for semantic segmentation.

    Nothing is kept on `self` between two calls or during one, so that calls may overlap and a
    trace sees all that happens.

    Args:
        in_channels: 3, or 1 if the network shall see the grey mean of the three channels only.
        size_multiple: height and width of the input must be multiples of it.

    Attributes:
        keys: what the network heeds of NetConfig besides name, in_channels, dropout and weights.
        head_name: beginning of the names of the weights that depend on the number of classes.

    Shape:
        input (N, 3, H, W) float, (x - 128) / 64 of BGR 0..255; output (N, classes, H, W) float
        logits. H and W are multiples of `size_multiple`.
    """

    keys: ClassVar[tuple[str, ...]] = ()
    head_name: ClassVar[str] = 'head.'

    def __init__(self, in_channels: int, size_multiple: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.size_multiple = size_multiple

    @abstractmethod
    def logits_from_features(self, features: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) float to (N, classes, H, W) logits."""

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        """Compute logits; see Shape above.

        Raises:
            LaneSegError: training with one image too small to normalize over.
        """
        if self.in_channels == 1:
            tensor = tensor.mean(dim=1, keepdim=True)
        try:
            return self.logits_from_features(tensor)
        except ValueError as error:
            if ONE_VALUE not in str(error):
                raise
            raise LaneSegError(
                'batch normalization: expected more than one value of each channel in a batch, '
                f'found a batch of {len(tensor)} image of {tensor.shape[2]}x{tensor.shape[3]}; '
                'take a batch_size of 2 or more, or larger images'
            ) from error

    def check_size(self, height: int, width: int) -> None:
        """Raise LaneSegError, naming the nearest valid size, if the input cannot be divided."""
        multiple = self.size_multiple
        if height % multiple or width % multiple or not height or not width:
            near = [max(multiple, round(size / multiple) * multiple) for size in (height, width)]
            raise LaneSegError(
                f'expected height and width to be multiples of {multiple}, found '
                f'{height}x{width}; the nearest valid size is {near[0]}x{near[1]}'
            )

    def encoder_weights(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
        """Recognize weights of the encoder alone, for those networks that have one.

        Args:
            state: a state dict, with names of ours or of others.

        Returns:
            A state dict of `self.encoder`, or None if `state` is something else.
        """
        return None

    def start_from(self, weights: str) -> None:
        """Take over the weights of a file; those of the head only if the classes are as many.

        Args:
            weights: a checkpoint.pt of ours or a state dict, of the same network or (see the
                class) of its encoder.

        Raises:
            LaneSegError: no such file, or weights of another network.
        """
        state = read_weights(weights)
        encoder = self.encoder_weights(state)
        if encoder is None:
            load_weights(self, state, weights, spare=(self.head_name,))
        else:
            load_weights(self.get_submodule('encoder'), encoder, weights)


def size_factor(name: str, variant: str) -> float:
    """Read the `variant` of a network that comes in widths: '' is 1.0.

    Raises:
        LaneSegError: not a number above 0 and up to 4.
    """
    try:
        factor = float(variant or 1.0)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= 4:
        raise LaneSegError(
            f"net.variant: expected the width of {name} as a factor, such as '0.5' or '1.0', "
            f'found {variant!r}'
        )
    return factor
