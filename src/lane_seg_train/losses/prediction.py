"""Logits beside the sets of admissible classes, and what several terms need of both."""

from __future__ import annotations

from functools import cached_property

import torch

__all__ = ['SetPrediction', 'weighted_mean']

# Logarithms of probabilities. FLOOR stands for that of 0: a batch of them has a finite sum.
# OUTSIDE is below all others. NEGLIGIBLE is one that vanishes in a sum of 1 or more, and whose
# exponential is yet so large that gradients made of it are ordinary floats: with the tiniest ones
# arithmetic takes ten times as long.
FLOOR = -1e30
OUTSIDE = -1e38
NEGLIGIBLE = -60.0


class SetPrediction:
    """What a network says about a batch, and what its pixels may be.

    A pixel is *counted* if its label says anything: it allows some classes, but not all. It is
    *positive* for class c if c is its only admissible class, *negative* if c is not admissible,
    and neither where its label leaves c open or allows nothing.

    Args:
        logits: (N, C, H, W) float; half precision is computed in float32.
        allowed: (N, C, H, W) bool, the admissible classes.
        defined: (N, C) bool, False where the data set of an image never marks class c alone.
    """

    def __init__(self, logits: torch.Tensor, allowed: torch.Tensor, defined: torch.Tensor) -> None:
        wide = torch.promote_types(logits.dtype, torch.float32)
        self.logits = logits.to(wide)
        self.allowed = allowed
        self.defined = defined

    @cached_property
    def log_probability(self) -> torch.Tensor:
        """(N, C, H, W) logarithm of the softmax."""
        return torch.log_softmax(self.logits, dim=1)

    @cached_property
    def probability(self) -> torch.Tensor:
        """(N, C, H, W) softmax, 0..1."""
        return self.log_probability.exp()

    @cached_property
    def set_log_probability(self) -> torch.Tensor:
        """(N, H, W) logarithm of the probability of the admissible set, at most 0."""
        result: torch.Tensor = _SetLogProbability.apply(self.log_probability, self.allowed)
        return result

    @cached_property
    def size(self) -> torch.Tensor:
        """(N, H, W) uint8, number of admissible classes; there are at most 254 classes."""
        # Bytes add up many times faster than Booleans do.
        return self.allowed.view(torch.uint8).sum(dim=1, dtype=torch.uint8)

    @cached_property
    def counted(self) -> torch.Tensor:
        """(N, H, W) bool: the label says something."""
        return (self.size > 0) & (self.size < self.allowed.shape[1])

    @cached_property
    def positive(self) -> torch.Tensor:
        """(N, C, H, W) bool: surely this class."""
        return self.allowed & (self.size == 1)[:, None]

    @cached_property
    def compared(self) -> torch.Tensor:
        """(N, C, H, W) bool: positive or negative."""
        return (~self.allowed & (self.size > 0)[:, None]) | self.positive


class _SetLogProbability(torch.autograd.Function):
    """Logarithm of the summed probability of a set, also where that is too small for a float.

    `torch.logsumexp` of masked values takes several times as long, and its gradient is NaN where
    the whole set has probability 0.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        log_probability: torch.Tensor,
        allowed: torch.Tensor,
    ) -> torch.Tensor:
        inside = log_probability.clamp(min=FLOOR).masked_fill_(~allowed, OUTSIDE)
        peak = inside.amax(dim=1, keepdim=True)
        inside.sub_(peak).clamp_(min=NEGLIGIBLE).exp_()
        total = inside.sum(dim=1, keepdim=True)
        ctx.save_for_backward(inside.div_(total))
        # Rounding must not make a set more likely than 1.
        return peak.add_(total.log_()).clamp_(max=0).squeeze(1)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        (share,) = ctx.saved_tensors  # type: ignore[attr-defined]  # of each class in the set
        return gradient[:, None] * share, None


def weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean of values, each counted `weights` times; 0 where nothing is counted.

    Args:
        values: float, any shape.
        weights: float or bool of the same shape, at least 0.

    Returns:
        Scalar.
    """
    total = weights.sum().to(values.dtype)
    return (values * weights).sum() / total.clamp_min(torch.finfo(values.dtype).tiny)
