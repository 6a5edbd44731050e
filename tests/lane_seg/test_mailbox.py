"""Slots between threads: the newest win, turns are fair, holds are kept, close wakes."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from lane_seg.mailbox import Mailboxes


def test_the_newest_item_wins_and_the_replaced_are_counted() -> None:
    mailbox = Mailboxes[str]()
    assert not mailbox.put('first')
    assert mailbox.put('second')
    assert mailbox.put('third')
    assert mailbox.get(0) == (0, 'third')
    assert (mailbox.drops().newer, mailbox.drops().held) == (2, 0)


def test_an_item_is_fetched_only_once() -> None:
    mailbox = Mailboxes[str]()
    mailbox.put('item')
    assert mailbox.get(0) == (0, 'item')
    assert mailbox.get(0) is None
    assert not mailbox.put('next')
    assert mailbox.drops().total == 0


def test_an_item_that_is_false_is_an_item() -> None:
    mailbox = Mailboxes[int]()
    mailbox.put(0)
    assert mailbox.get(0) == (0, 0)


def test_waiting_ends_when_the_time_is_up() -> None:
    assert Mailboxes[str]().get(0.01) is None


def test_a_waiting_consumer_gets_an_item_that_comes_later() -> None:
    mailbox = Mailboxes[str]()
    found: list[tuple[int, str] | None] = []
    consumer = threading.Thread(target=lambda: found.append(mailbox.get(60)), daemon=True)
    consumer.start()
    time.sleep(0.02)
    mailbox.put('late')
    consumer.join(30)
    assert found == [(0, 'late')]


def test_closing_wakes_a_consumer_that_waits_for_ever() -> None:
    mailbox = Mailboxes[str]()
    found: list[tuple[int, str] | None] = []
    consumer = threading.Thread(target=lambda: found.append(mailbox.get()), daemon=True)
    consumer.start()
    time.sleep(0.02)
    assert not mailbox.closed
    mailbox.close()
    consumer.join(30)
    assert found == [None]
    assert mailbox.closed


def test_a_closed_mailbox_gives_and_takes_nothing() -> None:
    mailbox = Mailboxes[str]()
    mailbox.put('old')
    mailbox.close()
    mailbox.close()
    assert not mailbox.put('new')
    assert mailbox.get(0) is None
    assert mailbox.get() is None
    assert mailbox.drops().total == 0


def test_a_camera_that_is_always_ready_does_not_starve_the_others() -> None:
    mailboxes = Mailboxes[str](3)
    served = []
    for turn in range(9):
        for slot in (0, 1, 2):
            mailboxes.put(f'{slot}', slot)
        if turn == 0:
            mailboxes.put('again', 0)
        found = mailboxes.get(0)
        assert found is not None
        served.append(found[0])
    assert served == [0, 1, 2] * 3


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_whoever_waits_is_served_before_somebody_is_served_twice(puts: list[int]) -> None:
    mailboxes = Mailboxes[int](4)
    for slot in puts:
        mailboxes.put(slot, slot)
    served = []
    while (found := mailboxes.get(0)) is not None:
        served.append(found[0])
    assert sorted(served) == sorted(set(puts))
    assert len(served) + sum(mailboxes.drops(slot).total for slot in range(4)) == len(puts)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=60))
def test_a_deeper_slot_gives_the_newest_in_their_order(depth: int, puts: list[bool]) -> None:
    mailbox = Mailboxes[int](depth=depth)
    waiting: list[int] = []
    for number, is_put in enumerate(puts):
        if is_put:
            assert mailbox.put(number) == (len(waiting) == depth)
            waiting = [*waiting, number][-depth:]
        else:
            expected = (0, waiting.pop(0)) if waiting else None
            assert mailbox.get(0) == expected


def test_a_deeper_slot_on_hold_keeps_the_newest_alone() -> None:
    mailbox = Mailboxes[int](depth=3)
    mailbox.put(0)
    mailbox.put(1)
    mailbox.hold(time.monotonic() + 0.05)
    assert mailbox.put(2)
    assert mailbox.get(30) == (0, 2)
    assert (mailbox.drops().newer, mailbox.drops().held) == (0, 2)


def test_a_slot_on_hold_keeps_the_newest_until_its_time() -> None:
    mailbox = Mailboxes[str]()
    until_s = time.monotonic() + 0.05
    mailbox.hold(until_s)
    mailbox.put('early')
    mailbox.put('newest')
    assert mailbox.get(0) is None
    assert mailbox.get(30) == (0, 'newest')
    assert time.monotonic() >= until_s
    assert (mailbox.drops().newer, mailbox.drops().held) == (0, 1)


def test_a_hold_on_one_slot_does_not_keep_another_waiting() -> None:
    mailboxes = Mailboxes[str](2)
    mailboxes.hold(time.monotonic() + 60, 0)
    mailboxes.put('held', 0)
    mailboxes.put('free', 1)
    assert mailboxes.get(30) == (1, 'free')
    assert mailboxes.get(0.01) is None


def test_between_threads_items_arrive_in_order_and_none_is_lost_uncounted() -> None:
    mailbox = Mailboxes[int]()
    sent = 5000
    got: list[int] = []

    def consume() -> None:
        while (found := mailbox.get(30)) is not None:
            got.append(found[1])
            if found[1] == sent - 1:
                return

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    for item in range(sent):
        mailbox.put(item)
    consumer.join(60)
    assert not consumer.is_alive()
    assert got == sorted(set(got))
    assert got[-1] == sent - 1
    assert len(got) + mailbox.drops().total == sent
