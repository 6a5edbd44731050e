"""Terms that are means over pixels.

Each takes the prediction, a factor for each class ((C,) float, or None for 1) and the
configuration, and returns a scalar: 0, with a gradient of 0, if all pixels are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from lane_seg_train.losses.prediction import SetPrediction, weighted_mean

if TYPE_CHECKING:
    from lane_seg_train.config import LossConfig

__all__ = ['binary_cross_entropy', 'cross_entropy', 'focal', 'self_balanced_focal']


def cross_entropy(
    prediction: SetPrediction, class_weights: torch.Tensor | None, _config: LossConfig
) -> torch.Tensor:
    """Cross entropy of partial labels: -log of the probability of the admissible set.

    With one admissible class it is plain cross entropy. Source: the "naive" partial-label loss,
    Jin and Ghahramani 2002, "Learning with Multiple Labels".

    Returns:
        Scalar mean over the counted pixels.
    """
    weights = _pixel_weights(prediction, class_weights)
    return -weighted_mean(prediction.set_log_probability, weights)


def binary_cross_entropy(
    prediction: SetPrediction, class_weights: torch.Tensor | None, _config: LossConfig
) -> torch.Tensor:
    """One class against the rest, each with a sigmoid of its own logit.

    Pixels whose label leaves a class open say nothing about it, nor do images whose data set does
    not define it: such data would only ever push its logit down.

    Returns:
        Scalar mean over compared pixels and classes.
    """
    factors = prediction.defined.to(prediction.logits.dtype)
    if class_weights is not None:
        factors = factors * class_weights
    weights = prediction.compared * factors[:, :, None, None]
    # Weights that add up to 1 keep the sum in range, whatever the logits are.
    weights /= weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
    return functional.binary_cross_entropy_with_logits(
        prediction.logits, prediction.positive.to(weights.dtype), weights, reduction='sum'
    )


def focal(
    prediction: SetPrediction, class_weights: torch.Tensor | None, config: LossConfig
) -> torch.Tensor:
    """Cross entropy that fades where the network is right: (1 - P)^gamma times it.

    P is the probability of the admissible set. Source: Lin et al. 2017 (arXiv:1708.02002); the
    paper's alpha is `class_weights` here.

    Returns:
        Scalar mean over the counted pixels.
    """
    weights = _pixel_weights(prediction, class_weights)
    return weighted_mean(_focal_of_pixels(prediction, config.focal_gamma), weights)


def self_balanced_focal(
    prediction: SetPrediction, class_weights: torch.Tensor | None, config: LossConfig
) -> torch.Tensor:
    """Focal loss in which each class weighs more the more of an image it covers: balance^share.

    Focal loss alone lets the large, easy classes of a street fade; this holds them up, by 1 for
    the rarest to `balance` for one that fills the image. A balance below 1 does the opposite.
    Source of the idea: github.com/luyanger1799/Amazing-Semantic-Segmentation, utils/losses.py
    (alpha 3 there). A pixel with several admissible classes adds an equal part to the share of
    each, and has the share of all of them together.

    Returns:
        Scalar mean over the counted pixels.
    """
    loss = _focal_of_pixels(prediction, config.focal_gamma)
    allowed = prediction.allowed.to(loss.dtype)
    part = prediction.counted / prediction.size.clamp_min(1)
    pixels = prediction.counted.sum(dim=(1, 2)).clamp_min(1)
    share = torch.einsum('nchw,nhw->nc', allowed, part.to(loss.dtype)) / pixels[:, None]
    balance = config.balance ** torch.einsum('nchw,nc->nhw', allowed, share)
    return weighted_mean(loss * balance, _pixel_weights(prediction, class_weights))


def _focal_of_pixels(prediction: SetPrediction, gamma: float) -> torch.Tensor:
    log_probability = prediction.set_log_probability
    # Never exactly 0: the derivative of a root is infinite there.
    missing = (-torch.expm1(log_probability)).clamp_min(
        torch.finfo(log_probability.dtype).eps ** 2
    )
    return -log_probability * missing**gamma


def _pixel_weights(prediction: SetPrediction, class_weights: torch.Tensor | None) -> torch.Tensor:
    """(N, H, W): 0 where ignored, else the mean weight of the admissible classes."""
    if class_weights is None:
        return prediction.counted
    total = torch.einsum('nchw,c->nhw', prediction.allowed.to(class_weights.dtype), class_weights)
    return total * prediction.counted / prediction.size.clamp_min(1)
