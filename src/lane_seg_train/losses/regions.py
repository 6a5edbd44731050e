"""Terms that compare areas of classes over the whole batch.

Each takes the prediction, a factor for each class ((C,) float, or None for 1) and the
configuration, and returns a scalar: 0, with a gradient of 0, if all pixels are ignored.

The areas are those of the pixels of one batch in one process: gradient accumulation and several
processes average the losses of their batches, which is not the loss of the joint batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lane_seg_train.losses.prediction import SetPrediction, weighted_mean

if TYPE_CHECKING:
    from lane_seg_train.config import LossConfig

__all__ = ['dice', 'jaccard', 'lovasz']


def dice(
    prediction: SetPrediction, class_weights: torch.Tensor | None, config: LossConfig
) -> torch.Tensor:
    """Soft Dice: 1 - (2 overlap + smooth) / (predicted + labelled + smooth) for each class.

    `smooth`, in pixels, decides what a batch without the class costs: k wrong pixels cost
    k / (k + smooth), none cost nothing. Source: Milletari et al. 2016 (arXiv:1606.04797), with
    probabilities instead of their squares.

    Returns:
        Scalar mean over the classes that some image defines.
    """
    overlap, predicted, labelled = _areas(prediction)
    both = predicted + labelled
    loss = 1 - (2 * overlap + config.smooth) / (both + config.smooth)
    return _class_mean(loss, prediction.defined.any(dim=0), class_weights)


def jaccard(
    prediction: SetPrediction, class_weights: torch.Tensor | None, config: LossConfig
) -> torch.Tensor:
    """Soft IoU: 1 - (overlap + smooth) / (union + smooth) for each class.

    `smooth` acts as in `dice`. Source: Rahman and Wang 2016, "Optimizing Intersection-Over-Union
    in Deep Neural Networks for Image Segmentation".

    Returns:
        Scalar mean over the classes that some image defines.
    """
    overlap, predicted, labelled = _areas(prediction)
    union = predicted + labelled - overlap
    loss = 1 - (overlap + config.smooth) / (union + config.smooth)
    return _class_mean(loss, prediction.defined.any(dim=0), class_weights)


def lovasz(
    prediction: SetPrediction, class_weights: torch.Tensor | None, _config: LossConfig
) -> torch.Tensor:
    """Lovasz-softmax: the convex extension of 1 - IoU, which has a gradient at every pixel.

    Source: Berman et al. 2018 (arXiv:1705.08790), over the batch, on the compared pixels.

    Returns:
        Scalar mean over the classes that the batch holds.
    """
    present = (prediction.positive.any(dim=3).any(dim=2) & prediction.defined).any(dim=0)
    # The sum of nothing keeps the graph whole where no class is present.
    nothing = prediction.logits[:0].sum()
    losses = [
        _lovasz_of_class(prediction, index) if is_present else nothing
        for index, is_present in enumerate(present.tolist())
    ]
    return _class_mean(torch.stack(losses), present, class_weights)


def _areas(prediction: SetPrediction) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(C,) each: soft overlap, predicted area and labelled area, in pixels.

    An image counts only for the classes that its data set defines.
    """
    probability, positive = prediction.probability, prediction.positive
    overlap = (probability * positive).sum(dim=(2, 3))
    predicted = (probability * prediction.compared).sum(dim=(2, 3))
    # Row by row as bytes: ten times as fast as a sum of Booleans.
    labelled = positive.view(torch.uint8).sum(dim=3, dtype=torch.int32).sum(dim=2)
    overlap, predicted, labelled = (
        (area * prediction.defined).sum(dim=0) for area in (overlap, predicted, labelled)
    )
    return overlap, predicted, labelled


def _lovasz_of_class(prediction: SetPrediction, index: int) -> torch.Tensor:
    """Sum of errors, each times what it adds to 1 - IoU after all larger errors."""
    images = prediction.defined[:, index]
    probability = prediction.probability[images, index]
    positive = prediction.positive[images, index]
    compared = prediction.compared[images, index]
    error = torch.where(positive, 1 - probability, probability)
    with torch.no_grad():
        # What is not compared comes last, where nothing is left to be added.
        key = torch.where(compared, error, -1.0).flatten()
        # Floats from 0 on sort like the integers of the same bits; rising, these take a tenth of
        # the time.
        bits = key.view(torch.int64 if key.dtype == torch.float64 else torch.int32)
        order = torch.sort(bits).indices.flip(0)
        hit = positive.flatten()[order]
        hits = hit.cumsum(0, dtype=torch.int32)
        rank = torch.arange(1, hit.numel() + 1, dtype=torch.int32, device=hit.device)
        # A miss takes one pixel off the intersection; a false alarm adds one to the union.
        intersection = (hits[-1] - hits).to(key.dtype)
        union = (hits[-1] + rank - hits).to(key.dtype)
        step = torch.where(hit, 1 / union, intersection / (union * (union - 1)))
        weight = torch.empty_like(key).scatter_(0, order, step).view_as(error)
    return (error * weight).sum()


def _class_mean(
    losses: torch.Tensor, used: torch.Tensor, class_weights: torch.Tensor | None
) -> torch.Tensor:
    weights = used if class_weights is None else used * class_weights
    return weighted_mean(losses, weights)
