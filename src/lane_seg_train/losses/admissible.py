"""From target images to the set of classes that each pixel may be."""

from __future__ import annotations

import torch

__all__ = ['allowed_from_targets', 'defined_from_sets']


def allowed_from_targets(target: torch.Tensor, sets: torch.Tensor) -> torch.Tensor:
    """Look up what each pixel may be.

    Args:
        target: (N, H, W) uint8 target ids, as `lane_seg_train.label_sets` makes them.
        sets: (N, 256, C) bool, for each image the classes that each target id allows.

    Returns:
        (N, C, H, W) bool; nothing is set where an image holds an id that its data set lacks.
    """
    images, _, classes = sets.shape
    index = target.reshape(images, 1, -1).long().expand(-1, classes, -1)
    return sets.transpose(1, 2).gather(2, index).view(images, classes, *target.shape[1:])


def defined_from_sets(sets: torch.Tensor) -> torch.Tensor:
    """Tell which classes the data set of each image can mark alone.

    Args:
        sets: (N, 256, C) bool, as above; the row of an id that a data set lacks is all False.

    Returns:
        (N, C) bool.
    """
    return sets.diagonal(dim1=1, dim2=2)
