"""One slot between two threads: the newest wins, the replaced are counted, close wakes."""

from __future__ import annotations

import threading
import time

from lane_seg.mailbox import Mailbox


def test_the_newest_item_wins_and_the_replaced_are_counted() -> None:
    mailbox = Mailbox[str]()
    assert not mailbox.put('first')
    assert mailbox.put('second')
    assert mailbox.put('third')
    assert mailbox.get(0) == 'third'
    assert mailbox.dropped == 2


def test_an_item_is_fetched_only_once() -> None:
    mailbox = Mailbox[str]()
    mailbox.put('item')
    assert mailbox.get(0) == 'item'
    assert mailbox.get(0) is None
    assert not mailbox.put('next')
    assert mailbox.dropped == 0


def test_an_item_that_is_false_is_an_item() -> None:
    mailbox = Mailbox[int]()
    mailbox.put(0)
    assert mailbox.get(0) == 0


def test_waiting_ends_when_the_time_is_up() -> None:
    assert Mailbox[str]().get(0.01) is None


def test_a_waiting_consumer_gets_an_item_that_comes_later() -> None:
    mailbox = Mailbox[str]()
    found: list[str | None] = []
    consumer = threading.Thread(target=lambda: found.append(mailbox.get(60)), daemon=True)
    consumer.start()
    time.sleep(0.02)
    mailbox.put('late')
    consumer.join(30)
    assert found == ['late']


def test_closing_wakes_a_consumer_that_waits_for_ever() -> None:
    mailbox = Mailbox[str]()
    found: list[str | None] = []
    consumer = threading.Thread(target=lambda: found.append(mailbox.get()), daemon=True)
    consumer.start()
    time.sleep(0.02)
    assert not mailbox.closed
    mailbox.close()
    consumer.join(30)
    assert found == [None]
    assert mailbox.closed


def test_a_closed_mailbox_gives_and_takes_nothing() -> None:
    mailbox = Mailbox[str]()
    mailbox.put('old')
    mailbox.close()
    mailbox.close()
    assert not mailbox.put('new')
    assert mailbox.get(0) is None
    assert mailbox.get() is None
    assert mailbox.dropped == 0


def test_between_threads_items_arrive_in_order_and_none_is_lost_uncounted() -> None:
    mailbox = Mailbox[int]()
    sent = 5000
    got: list[int] = []

    def consume() -> None:
        while (item := mailbox.get(30)) is not None:
            got.append(item)
            if item == sent - 1:
                return

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    for item in range(sent):
        mailbox.put(item)
    consumer.join(60)
    assert not consumer.is_alive()
    assert got == sorted(set(got))
    assert got[-1] == sent - 1
    assert len(got) + mailbox.dropped == sent
