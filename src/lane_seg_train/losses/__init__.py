"""Losses on admissible sets: the label of a pixel is the set of classes it may be.

- `admissible`: from target images to these sets.
- `prediction`: logits beside the sets, and what several terms need of both.
- `pixels`: terms that are means over pixels: ce, bce, focal, self_balanced_focal.
- `regions`: terms that compare areas: dice, jaccard, lovasz.
- `build`: any sum of them, by name.
"""

from __future__ import annotations

from lane_seg_train.losses.admissible import allowed_from_targets, defined_from_sets
from lane_seg_train.losses.build import LOSSES, SetLoss, build_loss

__all__ = ['LOSSES', 'SetLoss', 'allowed_from_targets', 'build_loss', 'defined_from_sets']
