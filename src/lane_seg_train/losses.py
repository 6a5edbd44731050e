"""Losses on admissible sets: the label of a pixel is the set of classes it may be."""

from __future__ import annotations

import torch
from torch.nn import functional

__all__ = ['allowed_from_bits', 'set_cross_entropy', 'set_dice']


def allowed_from_bits(bits: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Unpack bit masks.

    Args:
        bits: (N, H, W) uint8, bit c set where class c is possible.
        num_classes: C.

    Returns:
        (N, C, H, W) bool.
    """
    classes = torch.arange(num_classes, device=bits.device, dtype=torch.uint8)
    return (bits[:, None] >> classes[None, :, None, None]) & 1 == 1


def set_cross_entropy(logits: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """Cross entropy of partial labels: -log of the probability of the admissible set.

    With one admissible class it is plain cross entropy; with all of them it is 0 and the pixel
    is not counted in the mean. Source: the "naive" partial-label loss, Jin and Ghahramani 2002,
    "Learning with Multiple Labels".

    Args:
        logits: (N, C, H, W) float.
        allowed: (N, C, H, W) bool.

    Returns:
        Scalar; 0 if every pixel is ignored.
    """
    logits = logits.float()
    inside = torch.logsumexp(logits.masked_fill(~allowed, -torch.inf), dim=1)
    loss = torch.logsumexp(logits, dim=1) - inside
    counted = ~allowed.all(dim=1)
    return loss.mul(counted).sum() / counted.sum().clamp_min(1)


def set_dice(
    logits: torch.Tensor, allowed: torch.Tensor, defined: torch.Tensor, *, smooth: float = 100.0
) -> torch.Tensor:
    """Soft Dice loss over the batch, for the classes that the data sets define.

    A pixel is positive for class c if c is its only admissible class, negative if c is not
    admissible, and left out otherwise. Source: Milletari et al. 2016 (arXiv:1606.04797).

    Args:
        logits: (N, C, H, W) float.
        allowed: (N, C, H, W) bool.
        defined: (N, C) bool, False where the image's data set never marks class c alone.
        smooth: above 0, in pixels; added to both sides of the fraction, so that an image without
            the class costs little for a few wrong pixels and nothing for none.

    Returns:
        Scalar mean over the classes that some image defines; 0 if none does.
    """
    probability = functional.softmax(logits.float(), dim=1)
    counts = defined[:, :, None, None]
    single = allowed.sum(dim=1, keepdim=True) == 1
    positive = allowed & single & counts
    counted = (positive | ~allowed) & counts
    probability = probability * counted
    overlap = (probability * positive).sum(dim=(0, 2, 3))
    total = probability.sum(dim=(0, 2, 3)) + positive.sum(dim=(0, 2, 3))
    loss = 1 - (2 * overlap + smooth) / (total + smooth)
    used = defined.any(dim=0)
    return loss.mul(used).sum() / used.sum().clamp_min(1)
