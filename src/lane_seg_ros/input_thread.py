"""A thread that takes what comes in, past rclpy's executor.

An executor looks at every timer, service, event and subscription of its node before and after each
message: for this node about twenty, in Python, with the interpreter's lock held. That takes longer
than the image's way through shared memory. This thread waits for the camera's topics and their
events (of quality of service), and for nothing else; parameters, lifecycle and timers are the
executor's.

It stands on what rclpy's own executors stand on (`WaitSet`, `take_message`; the same in Humble and
Jazzy), which is not public: where it is not as expected, the executor does it.
"""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rclpy.callback_groups import CallbackGroup
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.subscription import Subscription

from lane_seg_ros.pipeline_stats import Throttle

if TYPE_CHECKING:
    from rclpy.event_handler import EventHandler  # Humble has it under another name

__all__ = ['InputThread', 'open_input_thread']

# The thread looks up this often, in case a wake-up went by while the process goes down.
_IDLE_NS = 200_000_000
_JOIN_TIMEOUT_S = 1.5
_LOG_PERIOD_S = 5.0
# A gap of more than this is no loss but another publisher.
_MOST_LOST = 10_000


class _PastTheExecutor(CallbackGroup):
    """Keeps subscriptions from the executor, and their events too.

    To Fast DDS a reader's events and its data are one condition to wait for: an executor that
    waited for the events would wake up with each image and find nothing, again and again until
    this thread has taken it.
    """

    def can_execute(self, entity: object) -> bool:
        """Say no."""
        return False


@dataclass
class _Watched:
    """A subscription of whose losses somebody wants to hear.

    Attributes:
        on_lost: is told.
        last: number of the last message.
    """

    on_lost: Callable[[int], None]
    last: int | None = None


class InputThread:
    """Takes messages of subscriptions and calls their callbacks, in one thread, until `stop`.

    The callbacks must be quick; what they raise is logged and goes no further.

    Args:
        node: that the subscriptions belong to.

    Attributes:
        group: the callback group which the subscriptions must be created with.
    """

    def __init__(self, node: Node) -> None:
        self.group: CallbackGroup = _PastTheExecutor()
        self._node = node
        self._context = node.context
        self._logger = node.get_logger()
        self._throttle = Throttle(_LOG_PERIOD_S)
        # Replaced as a whole, so that the thread needs no lock to see that something changed.
        self._subscriptions: tuple[Subscription, ...] = ()
        self._watched: dict[Subscription, _Watched] = {}
        self._wake = GuardCondition(callback=None, callback_group=None, context=node.context)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name='input', daemon=True)
        self._thread.start()

    def add(
        self, *subscriptions: Subscription, on_lost: Callable[[int], None] | None = None
    ) -> None:
        """Take messages of these from now on.

        Args:
            subscriptions: made with the group.
            on_lost: is told, in this thread, how many messages their only publisher has sent
                since the last one that have not come; where the middleware numbers them (Jazzy
                and later, Fast DDS).
        """
        if on_lost is not None:
            self._watched |= {one: _Watched(on_lost) for one in subscriptions}
        self._replace((*self._subscriptions, *subscriptions))

    def remove(self, *subscriptions: Subscription) -> None:
        """Take no more; a callback that is under way still ends. They may be destroyed then."""
        self._replace(tuple(one for one in self._subscriptions if one not in subscriptions))
        for subscription in subscriptions:
            self._watched.pop(subscription, None)

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._trigger()
        self._thread.join(_JOIN_TIMEOUT_S)
        self._wake.destroy()

    def _replace(self, subscriptions: tuple[Subscription, ...]) -> None:
        self._subscriptions = subscriptions
        self._trigger()

    def _trigger(self) -> None:
        with contextlib.suppress(Exception):  # the context is gone: the thread ends by itself
            self._wake.trigger()

    def _loop(self) -> None:
        while self._goes_on():
            try:
                self._serve(self._subscriptions)
            except Exception as error:
                # The process is going down; or it is an error of the middleware, which may pass.
                if self._goes_on():
                    self._log(f'cannot take images: {error}', key=type(error).__name__)
                    time.sleep(_IDLE_NS / 1e9)

    def _goes_on(self) -> bool:
        return not self._stop.is_set() and bool(self._context.ok())

    def _serve(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Take messages until the subscriptions are others."""
        context = self._context.handle
        assert context is not None  # it was initialized when the node was made
        with ExitStack() as stack:
            # A handle in use outlives `destroy_subscription` until it is left.
            stack.enter_context(context)
            stack.enter_context(self._wake.handle)
            held, events = [], []
            for subscription in subscriptions:
                with contextlib.suppress(InvalidHandle):  # destroyed before we came to it
                    handlers: list[EventHandler] = subscription.event_handlers  # type: ignore[assignment]
                    for event in handlers:
                        stack.enter_context(event)
                        events.append(event)
                    stack.enter_context(subscription.handle)
                    held.append(subscription)
            wait_set = _wait_set(self._context, subscriptions=len(held), events=len(events))
            while self._goes_on() and self._subscriptions is subscriptions:
                _fill(wait_set, self._wake, held, events)
                wait_set.wait(_IDLE_NS)
                ready = wait_set.get_ready_entities('subscription')
                for subscription in held:
                    if subscription.handle.pointer in ready:
                        self._take(subscription)
                for event in events:
                    if event.is_ready(wait_set):
                        self._run(event)

    def _take(self, subscription: Subscription) -> None:
        taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if taken is None:  # another wake-up's
            return
        message, info = taken
        try:
            subscription.callback(message)
            self._look_for_losses(subscription, info.get('publication_sequence_number'))
        except Exception:
            self._log(traceback.format_exc(), key=subscription.topic_name)

    def _look_for_losses(self, subscription: Subscription, number: int | None) -> None:
        """Tell of messages that are missing between the last one and that of this number."""
        watched = self._watched.get(subscription)
        if watched is None or number is None:
            return
        missing = number - watched.last - 1 if watched.last is not None else 0
        watched.last = number
        # Each publisher has numbers of its own, and a new one starts anew.
        if 0 < missing < _MOST_LOST and self._node.count_publishers(subscription.topic_name) == 1:
            watched.on_lost(missing)

    def _run(self, event: EventHandler) -> None:
        """Call an event's callback, which is an ordinary function in a coroutine of rclpy."""
        try:
            event.execute(event.take_data()).send(None)
        except StopIteration:
            pass
        except Exception:
            self._log(traceback.format_exc(), key='event')

    def _log(self, text: str, *, key: str) -> None:
        if self._throttle.admit(key) is not None:
            self._logger.error(text)


def open_input_thread(node: Node) -> InputThread | None:
    """Start the thread; None, and the reason in the log, where this rclpy is not as expected."""
    try:
        wake = GuardCondition(callback=None, callback_group=None, context=node.context)
        with wake.handle:
            wait_set = _wait_set(node.context, subscriptions=0, events=0)
            _fill(wait_set, wake, [], [])
            wait_set.wait(0)
            wait_set.get_ready_entities('subscription')
        wake.destroy()
    except (AttributeError, TypeError) as error:
        node.get_logger().warning(
            f'images are taken by the executor, which takes longer: this rclpy differs ({error})'
        )
        return None
    return InputThread(node)


def _wait_set(
    context: Context, *, subscriptions: int, events: int
) -> rclpy_implementation.WaitSet:
    """A set with room for so many subscriptions and events and one guard condition."""
    return rclpy_implementation.WaitSet(subscriptions, 1, 0, 0, 0, events, context.handle)


def _fill(
    wait_set: rclpy_implementation.WaitSet,
    wake: GuardCondition,
    subscriptions: list[Subscription],
    events: list[EventHandler],
) -> None:
    """Say what is waited for; a wait leaves a set empty."""
    wait_set.clear_entities()
    wait_set.add_guard_condition(wake.handle)
    for subscription in subscriptions:
        wait_set.add_subscription(subscription.handle)
    for event in events:
        event.add_to_wait_set(wait_set)
