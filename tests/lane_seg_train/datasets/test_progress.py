"""A bar appears only where something takes long."""

from __future__ import annotations

import sys

import pytest

from lane_seg_train.datasets.progress import shown


@pytest.mark.parametrize('after_s', [0.0, 60.0])
def test_items_pass_through_as_they_are(after_s: float) -> None:
    assert list(shown(iter('abc'), 'reading', 3, after_s=after_s)) == ['a', 'b', 'c']


def test_the_bar_goes_to_standard_error_and_only_after_a_while(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('FORCE_COLOR', '1')
    assert len(list(shown(range(3), 'reading a', 3, after_s=60))) == 3
    assert capsys.readouterr() == ('', '')
    assert len(list(shown(range(3), 'reading a', 3, after_s=-1))) == 3
    out, err = capsys.readouterr()
    assert out == ''
    assert 'reading a' in err


def test_an_error_ends_the_bar() -> None:
    def broken() -> object:
        yield 1
        raise ValueError

    items = shown(broken(), 'reading', 2, after_s=-1)
    assert next(items) == 1
    with pytest.raises(ValueError):
        next(items)
    assert sys.stderr is not None
