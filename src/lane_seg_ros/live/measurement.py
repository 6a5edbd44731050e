"""What was measured of a running node: frame by frame, and summed up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lane_seg.timing import TimingSummary, summarize
from lane_seg_ros.live.losses import Losses, NodeCounts
from lane_seg_ros.live.score import ious_of

__all__ = ['FrameRecord', 'Measurement', 'NodeLosses', 'ages_of', 'merged']


@dataclass(frozen=True)
class FrameRecord:
    """One picture of the camera.

    Attributes:
        sent_s: when it was published, seconds after the begin of the measuring.
        latency_ms: from there until its mask had arrived; None where none came.
        table: (4, 4) of `LabelScore.table`; None where mask or label is missing.
    """

    sent_s: float
    latency_ms: float | None = None
    table: NDArray[np.int64] | None = None

    @property
    def ious(self) -> dict[str, float]:
        """IoU of this frame alone, {class: 0..1 or NaN}; empty without a table."""
        return {} if self.table is None else ious_of(self.table)


@dataclass(frozen=True)
class NodeLosses:
    """Frames that the node did not answer between two of its reports.

    Attributes:
        time_s: of the later report, seconds after the begin of the measuring.
        replaced: a newer frame was there before they were processed.
        refused: they were broken, or the engine failed.
    """

    time_s: float
    replaced: int
    refused: int


@dataclass(frozen=True)
class Measurement:
    """All that was measured in one stretch of time.

    Attributes:
        seconds: its length.
        frames: pictures of the camera that were published in it, in their order.
        losses: where those without a mask were lost.
        ages_s: (n, 2) float64; for each mask that arrived, how old its picture was then, and how
            old when the next mask took its place, seconds.
        node_losses: over time, as far as the node reports.
        node: the node's last report; None where it reports nothing.
        camera_hw: (height, width) of the pictures; (0, 0) where nobody looked.
        mask_hw: of the masks.
        label_hw: of the labels; (0, 0) without any.
        coding: of the labels.
        simulated_s: by how much the stamps advanced.
        repeated_stamps: pictures that had the stamp of one before; they are not counted again.
        pictures_not_drawn: overlays and pairs of mask and label that nobody had time for.
    """

    seconds: float
    frames: tuple[FrameRecord, ...]
    losses: Losses
    ages_s: NDArray[np.float64]
    node_losses: tuple[NodeLosses, ...] = ()
    node: NodeCounts | None = None
    camera_hw: tuple[int, int] = (0, 0)
    mask_hw: tuple[int, int] = (0, 0)
    label_hw: tuple[int, int] = (0, 0)
    coding: str = ''
    simulated_s: float = 0.0
    repeated_stamps: int = 0
    pictures_not_drawn: int = 0

    @property
    def camera_rate_hz(self) -> float:
        """Pictures per second of wall time."""
        return self.losses.camera / self.seconds

    @property
    def mask_rate_hz(self) -> float:
        """Masks per second of wall time."""
        return self.losses.masks / self.seconds

    @property
    def real_time_factor(self) -> float:
        """Seconds of the stamps per second of wall time; 1 for a real camera."""
        sent = [frame.sent_s for frame in self.frames]
        passed_s = sent[-1] - sent[0] if len(sent) > 1 else 0.0
        return self.simulated_s / passed_s if passed_s > 0 else math.nan

    @property
    def latency_ms(self) -> TimingSummary:
        """Of all frames that got a mask."""
        return summarize([f.latency_ms for f in self.frames if f.latency_ms is not None])

    @property
    def age_ms(self) -> TimingSummary:
        """How old the newest mask's picture was, at any moment."""
        return ages_of(self.ages_s)

    @property
    def table(self) -> NDArray[np.int64]:
        """(4, 4) int64, summed over all frames with mask and label."""
        tables = [frame.table for frame in self.frames if frame.table is not None]
        return np.sum(tables, axis=0, dtype=np.int64) if tables else np.zeros((4, 4), np.int64)

    @property
    def scored(self) -> int:
        """Frames with mask and label."""
        return sum(frame.table is not None for frame in self.frames)

    @property
    def ious(self) -> dict[str, float]:
        """IoU over all frames, {class: 0..1 or NaN}; empty without labels."""
        return ious_of(self.table) if self.scored else {}


def ages_of(ages_s: NDArray[np.float64]) -> TimingSummary:
    """Sum up how old the newest mask's picture is, for one who looks at any moment.

    Between two masks the age grows by a second per second, so each pair stands for all ages
    between its two; the percentiles are those of time and not of frames.

    Args:
        ages_s: (n, 2) float64 age when a mask arrives and when the next one does, seconds.
    """
    grown = ages_s[ages_s[:, 1] > ages_s[:, 0]] if len(ages_s) else ages_s
    if not len(grown):
        return summarize([])
    # The time spent below an age, at each age at which anything begins or ends, rises linearly
    # in between: its inverse gives percentiles without any sampling.
    corners = np.unique(grown)
    ends = np.searchsorted(corners, grown)
    rate = np.zeros(len(corners) + 1)
    np.add.at(rate, ends[:, 0], 1.0)
    np.add.at(rate, ends[:, 1], -1.0)
    below = np.concatenate(
        ([0.0], np.cumsum(np.cumsum(rate)[: len(corners) - 1] * np.diff(corners)))
    )
    median, p99 = np.interp((0.5 * below[-1], 0.99 * below[-1]), below, corners) * 1e3
    return TimingSummary(len(grown), float(median), float(p99), float(corners[-1]) * 1e3)


def merged(measurements: Sequence[Measurement]) -> Measurement:
    """Put stretches of time one behind the other; the later ones' sizes and reports stay."""
    frames: list[FrameRecord] = []
    node_losses: list[NodeLosses] = []
    begin_s = 0.0
    for part in measurements:
        frames += [replace(frame, sent_s=begin_s + frame.sent_s) for frame in part.frames]
        node_losses += [replace(one, time_s=begin_s + one.time_s) for one in part.node_losses]
        begin_s += part.seconds
    return replace(
        measurements[-1],
        seconds=begin_s,
        frames=tuple(frames),
        node_losses=tuple(node_losses),
        losses=sum((part.losses for part in measurements[1:]), measurements[0].losses),
        ages_s=np.concatenate([part.ages_s for part in measurements]),
        simulated_s=sum(part.simulated_s for part in measurements),
        repeated_stamps=sum(part.repeated_stamps for part in measurements),
        pictures_not_drawn=sum(part.pictures_not_drawn for part in measurements),
    )
