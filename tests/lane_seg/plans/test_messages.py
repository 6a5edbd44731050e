"""What the library says is kept, but not for ever."""

from __future__ import annotations

import pytest

from lane_seg.plans import messages
from lane_seg.plans.messages import messages_of
from tests.lane_seg_engine.fake_tensorrt import FakeTensorrt, library_of


def test_a_library_that_warns_of_each_frame_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(messages, '_MESSAGES_OF', {})
    api = FakeTensorrt('10.3.0')
    log = messages_of(library_of(api))
    for number in range(5000):
        log.logger.log(api.ILogger.Severity.WARNING, f'frame {number}')
    assert len(log.messages) == 1000
    log.clear()
    log.logger.log(api.ILogger.Severity.ERROR, 'out of memory')
    assert log.errors() == 'out of memory'
