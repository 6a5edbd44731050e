"""Contenders are timed in turn, in windows, and one that dies does not end the others."""

from __future__ import annotations

import math
import os
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lane_seg_train.compare.process import Worker, WorkerError
from lane_seg_train.compare.rounds import LEAD_IN, Latency, time_in_turn, windows
from tests.lane_seg_train.tiny_training import HEIGHT, WIDTH

if TYPE_CHECKING:
    from tests.lane_seg_train.compare.conftest import Models


class Noting(Worker):
    """A real worker; what it is asked is noted."""

    notes: list[tuple[str, object, object]]

    def ask(
        self, what: str, content: bytes = b'', **values: object
    ) -> tuple[dict[str, Any], bytes]:
        if what == 'time':
            self.notes.append((self.label, values['before'], values['frames']))
        return super().ask(what, content, **values)


def opened(models: Models, label: str, notes: list[tuple[str, object, object]]) -> Noting:
    worker = Noting(label)
    worker.notes = notes
    tensors = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
    worker.ask('tensors', tensors.tobytes(), shape=tensors.shape)
    worker.ask('open', engine='onnxruntime', model=str(models.floating), threads=1)
    return worker


def test_every_contender_has_its_turn_in_every_round(models: Models) -> None:
    notes: list[tuple[str, object, object]] = []
    steps = []
    with opened(models, 'a', notes) as a, opened(models, 'b', notes) as b:
        found = time_in_turn(
            {'a': a, 'b': b},
            frames=20,
            warmup=3,
            failed=lambda label, error: steps.append((label, error)),
            done=lambda: steps.append(None),
        )
    assert notes == [
        ('a', 3, 10), ('b', 3, 10), ('b', LEAD_IN, 10), ('a', LEAD_IN, 10),
    ]  # fmt: skip
    assert steps == [None] * 4
    for latency in found.values():
        assert latency.frames == 20
        assert 0 < latency.p50_ms <= latency.p95_ms <= latency.p99_ms <= latency.max_ms


def test_a_contender_that_dies_drops_out_and_the_other_goes_on(models: Models) -> None:
    notes: list[tuple[str, object, object]] = []
    lost: list[tuple[str, WorkerError]] = []
    with opened(models, 'a', notes) as a, opened(models, 'b', notes) as b:
        os.kill(a.pid, signal.SIGKILL)
        found = time_in_turn(
            {'a': a, 'b': b},
            frames=10,
            warmup=0,
            failed=lambda label, error: lost.append((label, error)),
            done=lambda: None,
        )
    assert list(found) == ['b']
    assert [label for label, _ in lost] == ['a']
    assert 'SIGKILL' in str(lost[0][1])


@given(st.integers(1, 5000))
def test_windows_hold_all_frames_and_are_of_about_one_length(frames: int) -> None:
    lengths = windows(frames)
    assert sum(lengths) == frames
    assert max(lengths) - min(lengths) <= 1
    assert max(lengths) <= 15


def test_latency_is_that_of_the_definition() -> None:
    latency = Latency.of([float(number) for number in range(1, 102)])
    assert (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms) == (51, 96, 100, 101)
    assert latency.frames_per_s == 1e3 / 51
    assert math.isnan(Latency.of([]).p95_ms)
