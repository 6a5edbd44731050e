"""Messages between the comparison and its workers arrive whole or not at all."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg_train.compare.messages import receive, send

values = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.integers()))
messages = st.dictionaries(st.text().filter(lambda key: key != 'bytes'), values)


@given(st.lists(st.tuples(messages, st.binary())))
def test_messages_come_back_in_their_order(sent: list[tuple[dict[str, object], bytes]]) -> None:
    stream = io.BytesIO()
    for message, content in sent:
        send(stream, message, content)
    stream.seek(0)
    assert [receive(stream) for _ in sent] == sent
    with pytest.raises(EOFError):
        receive(stream)


@given(st.binary(min_size=1), st.data())
def test_a_message_that_was_cut_short_is_none(content: bytes, data: st.DataObject) -> None:
    stream = io.BytesIO()
    send(stream, {'a': 1}, content)
    whole = stream.getvalue()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(EOFError):
        receive(io.BytesIO(cut))
