"""The thread that takes images past the executor, with real topics between two contexts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from std_msgs.msg import String

from lane_seg_ros.input_thread import InputThread, open_input_thread

PATIENCE_S = 20.0


@pytest.fixture
def node() -> Iterator[Node]:
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    node = Node('taker', context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


@pytest.fixture
def thread(node: Node) -> Iterator[InputThread]:
    thread = open_input_thread(node)
    assert thread is not None
    yield thread
    thread.stop()


def wait_for(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, 'waited in vain'
        time.sleep(0.01)


def talk(node: Node, topic: str) -> Publisher:
    publisher = node.create_publisher(String, topic, 5)
    wait_for(publisher.get_subscription_count)
    return publisher


def listen(
    node: Node, thread: InputThread, topic: str, callback: Callable[[String], None]
) -> Subscription:
    return node.create_subscription(String, topic, callback, 5, callback_group=thread.group)


def test_messages_arrive_in_order_while_no_executor_runs(node: Node, thread: InputThread) -> None:
    heard: list[tuple[str, str]] = []
    subscription = listen(
        node, thread, 'a', lambda msg: heard.append((msg.data, threading.current_thread().name))
    )
    thread.add(subscription)
    publisher = talk(node, 'a')
    for number in range(3):
        publisher.publish(String(data=str(number)))
        wait_for(lambda count=number: len(heard) > count)
    assert heard == [(str(number), 'input') for number in range(3)]


def test_several_topics_are_taken_and_one_that_is_added_later(
    node: Node, thread: InputThread
) -> None:
    heard: list[str] = []
    for topic in ('a', 'b'):
        thread.add(listen(node, thread, topic, lambda msg: heard.append(msg.data)))
        talk(node, topic).publish(String(data=topic))
    wait_for(lambda: sorted(heard) == ['a', 'b'])


def test_a_removed_subscription_hears_nothing_more_and_can_be_destroyed(
    node: Node, thread: InputThread
) -> None:
    heard: list[str] = []
    gone = listen(node, thread, 'gone', lambda msg: heard.append('gone'))
    stays = listen(node, thread, 'stays', lambda msg: heard.append('stays'))
    thread.add(gone, stays)
    to_gone, to_stays = talk(node, 'gone'), talk(node, 'stays')
    thread.remove(gone)
    node.destroy_subscription(gone)
    wait_for(lambda: to_gone.get_subscription_count() == 0)
    to_gone.publish(String())
    to_stays.publish(String())
    wait_for(lambda: heard)
    assert heard == ['stays']


def test_the_executor_sleeps_while_a_message_waits_for_the_thread(
    node: Node, thread: InputThread
) -> None:
    listen(node, thread, 'a', lambda msg: None)  # never added, so the message stays
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    talk(node, 'a').publish(String())
    executor.spin_once(timeout_sec=0.5)  # what discovery has left to do
    busy_s, end_s = time.thread_time(), time.monotonic() + 1.0
    while time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.25)
    assert time.thread_time() - busy_s < 0.3
    executor.shutdown()


def test_messages_that_never_came_are_counted(node: Node, thread: InputThread) -> None:
    heard: list[str] = []
    lost: list[int] = []
    at_work, go_on = threading.Event(), threading.Event()

    def slow(msg: String) -> None:
        at_work.set()
        assert go_on.wait(PATIENCE_S)
        heard.append(msg.data)

    subscription = node.create_subscription(String, 'a', slow, 1, callback_group=thread.group)
    thread.add(subscription, on_lost=lost.append)
    publisher = talk(node, 'a')
    publisher.publish(String(data='0'))
    assert at_work.wait(PATIENCE_S)
    for number in range(1, 10):  # of which one is kept while the first is at work
        publisher.publish(String(data=str(number)))
    time.sleep(0.5)
    go_on.set()
    wait_for(lambda: '9' in heard)
    wait_for(lambda: len(heard) + sum(lost) == 10)
    assert lost


def test_a_second_publisher_is_no_loss(node: Node, thread: InputThread) -> None:
    heard: list[str] = []
    lost: list[int] = []
    thread.add(listen(node, thread, 'a', lambda msg: heard.append(msg.data)), on_lost=lost.append)
    first = talk(node, 'a')
    for number in range(5):
        first.publish(String(data=str(number)))
        wait_for(lambda count=number: len(heard) > count)
    second = talk(node, 'a')
    wait_for(lambda: node.count_publishers('a') == 2)
    for publisher in (second, first, second):
        count = len(heard)
        publisher.publish(String())
        wait_for(lambda count=count: len(heard) > count)
    assert not lost


def test_an_error_in_a_callback_does_not_end_the_thread(
    node: Node, thread: InputThread, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: list[str] = []

    def callback(msg: String) -> None:
        if msg.data == 'bad':
            raise ValueError('no such lane')
        heard.append(msg.data)

    thread.add(listen(node, thread, 'a', callback))
    publisher = talk(node, 'a')
    publisher.publish(String(data='bad'))
    publisher.publish(String(data='good'))
    wait_for(lambda: heard == ['good'])
    assert 'no such lane' in capfd.readouterr().err


def test_an_incompatible_quality_of_service_is_still_reported(
    node: Node, thread: InputThread
) -> None:
    reported = threading.Event()
    subscription = node.create_subscription(
        String,
        'a',
        lambda msg: None,
        QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
        callback_group=thread.group,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=lambda _: reported.set()),
    )
    thread.add(subscription)
    node.create_publisher(
        String, 'a', QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    assert reported.wait(PATIENCE_S)


def test_a_subscription_destroyed_before_the_thread_came_to_it_is_passed_over(
    node: Node, thread: InputThread
) -> None:
    heard: list[str] = []
    lost = listen(node, thread, 'lost', lambda msg: None)
    node.destroy_subscription(lost)
    thread.add(lost, listen(node, thread, 'a', lambda msg: heard.append(msg.data)))
    talk(node, 'a').publish(String(data='heard'))
    wait_for(lambda: heard == ['heard'])


def test_the_thread_ends_with_its_context(node: Node) -> None:
    thread = open_input_thread(node)
    assert thread is not None
    node.context.shutdown()
    wait_for(lambda: not any(one.name == 'input' for one in threading.enumerate()))
    thread.stop()


def test_the_executor_takes_over_where_rclpy_differs(
    node: Node, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(rclpy_implementation, 'WaitSet')
    assert open_input_thread(node) is None
    assert 'images are taken by the executor' in capfd.readouterr().err
