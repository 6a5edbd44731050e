"""A run computes in what its machine does well."""

from __future__ import annotations

import logging

import pytest
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.trainer.precision import chosen_precision


@pytest.fixture(params=['AVX2', 'AVX512'])
def capability(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: request.param)
    return request.param


def test_a_cpu_trains_in_bf16_only_where_it_has_it(capability: str) -> None:
    expected = 'bf16-mixed' if capability == 'AVX512' else '32-true'
    assert chosen_precision('auto', 'cpu') == expected


def test_bf16_on_a_cpu_without_it_is_used_with_a_warning(
    capability: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert chosen_precision('bf16-mixed', 'cpu') == 'bf16-mixed'
    assert ('is emulated on this CPU (AVX2)' in caplog.text) == (capability == 'AVX2')


def test_32_bits_are_used_wherever_they_are_asked_for(capability: str) -> None:
    assert chosen_precision('32-true', 'cpu') == '32-true'


@pytest.mark.parametrize(
    ('wanted', 'text'), [('8-bit', "found '8-bit'"), ('16-mixed', 'which needs a GPU')]
)
def test_what_cannot_be_computed_is_refused(wanted: str, text: str) -> None:
    with pytest.raises(LaneSegError, match=text):
        chosen_precision(wanted, 'cpu')
