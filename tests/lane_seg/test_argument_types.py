"""Numbers of the command line are read within their limits, the rest is refused in words."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg.argument_types import number_between


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_number_is_read_exactly_if_it_is_within_the_limits(value: float) -> None:
    read = number_between(-1.5, 20)
    if -1.5 <= value <= 20:
        assert read(repr(value)) == value
    else:
        with pytest.raises(argparse.ArgumentTypeError):
            read(repr(value))


@pytest.mark.parametrize(
    ('unit', 'text', 'message'),
    [
        ('', 'abc', "expected a number from 1 to 170, found 'abc'"),
        ('seconds', '0.5', "expected 1 to 170 seconds, found '0.5'"),
    ],
)
def test_an_error_tells_the_limits_and_what_was_found(unit: str, text: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as error:
        number_between(1, 170, unit)(text)
    assert str(error.value) == message
