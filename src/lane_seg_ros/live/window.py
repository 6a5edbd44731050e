"""A stretch of time that is measured: what is published and arrives in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lane_seg_ros.live.losses import NodeCounts, losses_of
from lane_seg_ros.live.measurement import FrameRecord, Measurement, NodeLosses

__all__ = ['CountsReport', 'Window']

# A report that comes at once after the end was written before it.
_REPORT_DELAY_NS = 200_000_000


@dataclass(frozen=True)
class CountsReport:
    """What the node counted, and how many masks had arrived here by then.

    Attributes:
        time_ns: when it arrived, system clock.
        counts: of the node.
        masks: that this listener had received.
    """

    time_ns: int
    counts: NodeCounts
    masks: int


class Window:
    """What belongs to a stretch of time; a frame does so by the moment of its publishing.

    Args:
        start_ns: system clock, nanoseconds.
        before: the node's last report; None without any.
    """

    def __init__(self, start_ns: int, before: CountsReport | None) -> None:
        self.pictures_not_drawn = 0
        self.table = np.zeros((4, 4), np.int64)
        self._start_ns = start_ns
        self._end_ns: int | None = None
        self._before = before
        self._sent_ns: dict[int, int] = {}
        self._received_ns: dict[int, int] = {}
        self._overlays: set[int] = set()
        self._tables: dict[int, NDArray[np.int64]] = {}
        self._reports = [] if before is None else [before]
        self._repeated = 0
        self._camera_hw = self._mask_hw = self._label_hw = (0, 0)

    @property
    def camera(self) -> int:
        """Frames so far."""
        return len(self._sent_ns)

    @property
    def masks(self) -> int:
        """Masks so far, those of frames of before included."""
        return len(self._received_ns)

    @property
    def scored(self) -> int:
        """Comparisons so far."""
        return len(self._tables)

    @property
    def last_frame_ns(self) -> int:
        """When the last frame was published; the start before any."""
        return next(reversed(self._sent_ns.values()), self._start_ns)

    def close(self, end_ns: int) -> None:
        """Take no frame that is published from this moment on."""
        self._end_ns = end_ns

    def is_settled(self, now_ns: int) -> bool:
        """Whether reports of this moment know of all frames of the window."""
        return self._end_ns is not None and now_ns > self._end_ns + _REPORT_DELAY_NS

    def add_frame(self, stamp_ns: int, sent_ns: int, size_hw: tuple[int, int]) -> None:
        """A picture of the camera was published."""
        if sent_ns < self._start_ns or (self._end_ns is not None and sent_ns >= self._end_ns):
            return
        self._repeated += stamp_ns in self._sent_ns
        self._sent_ns.setdefault(stamp_ns, sent_ns)
        self._camera_hw = size_hw

    def add_mask(self, stamp_ns: int, received_ns: int, size_hw: tuple[int, int]) -> float | None:
        """A mask has arrived; return its latency in milliseconds, as far as it is known yet."""
        self._received_ns.setdefault(stamp_ns, received_ns)
        self._mask_hw = size_hw
        sent_ns = self._sent_ns.get(stamp_ns)
        return None if sent_ns is None else (received_ns - sent_ns) * 1e-6

    def add_overlay(self, stamp_ns: int) -> bool:
        """An overlay has arrived; whether its frame belongs to the window."""
        self._overlays.add(stamp_ns)
        return stamp_ns in self._sent_ns

    def add_table(
        self, stamp_ns: int, table: NDArray[np.int64], label_hw: tuple[int, ...]
    ) -> None:
        """Mask and label of a frame were compared."""
        self._tables[stamp_ns] = table
        self._label_hw = (label_hw[0], label_hw[1])
        self.table = self.table + table  # a new array: another thread may be reading the old one

    def add_report(self, report: CountsReport) -> None:
        """The node has told its counts."""
        self._reports.append(report)

    def measurement(self, after: CountsReport | None, *, coding: str) -> Measurement:
        """Sum up; the window is closed.

        Args:
            after: the node's last report.
            coding: of the labels.
        """
        assert self._end_ns is not None, 'close() comes first'
        frames = [self._frame(stamp_ns, sent_ns) for stamp_ns, sent_ns in self._sent_ns.items()]
        stamps = list(self._sent_ns)
        before = self._before
        return Measurement(
            seconds=(self._end_ns - self._start_ns) * 1e-9,
            frames=tuple(frames),
            losses=losses_of(
                camera=len(frames),
                masks=sum(frame.latency_ms is not None for frame in frames),
                overlays=len(self._overlays & self._sent_ns.keys()),
                before=None if before is None else before.counts,
                after=None if after is None else after.counts,
                masks_received_between=after.masks - before.masks if after and before else 0,
            ),
            ages_s=self._ages_s(),
            node_losses=self._node_losses(),
            node=None if after is None else after.counts,
            camera_hw=self._camera_hw,
            mask_hw=self._mask_hw,
            label_hw=self._label_hw,
            coding=coding,
            simulated_s=(stamps[-1] - stamps[0]) * 1e-9 if stamps else 0.0,
            repeated_stamps=self._repeated,
            pictures_not_drawn=self.pictures_not_drawn,
        )

    def _frame(self, stamp_ns: int, sent_ns: int) -> FrameRecord:
        received_ns = self._received_ns.get(stamp_ns)
        return FrameRecord(
            sent_s=(sent_ns - self._start_ns) * 1e-9,
            latency_ms=None if received_ns is None else (received_ns - sent_ns) * 1e-6,
            table=self._tables.get(stamp_ns),
        )

    def _ages_s(self) -> NDArray[np.float64]:
        """(n, 2): age of each mask's picture when it arrives and when the next mask does."""
        arrivals = sorted(
            (received_ns, self._sent_ns[stamp_ns])
            for stamp_ns, received_ns in self._received_ns.items()
            if stamp_ns in self._sent_ns
        )
        pairs = [
            ((received_ns - sent_ns) * 1e-9, (next_ns - sent_ns) * 1e-9)
            for (received_ns, sent_ns), (next_ns, _) in zip(arrivals, arrivals[1:], strict=False)
        ]
        return np.array(pairs, np.float64).reshape(-1, 2)

    def _node_losses(self) -> tuple[NodeLosses, ...]:
        """Differences of neighbouring reports."""
        return tuple(
            NodeLosses(
                time_s=(later.time_ns - self._start_ns) * 1e-9,
                replaced=max(0, later.counts.dropped - earlier.counts.dropped),
                refused=max(0, later.counts.refused - earlier.counts.refused),
            )
            for earlier, later in zip(self._reports, self._reports[1:], strict=False)
        )
