"""Keep test runs apart from each other and from the machine's own ROS graph."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shared machine stalls at times: a deadline per example would fail tests for that alone.
hypothesis.settings.register_profile('ci', deadline=None, print_blob=True)
hypothesis.settings.load_profile('ci')


# A job that a shell runs in the background ignores SIGINT, and whatever it starts inherits that:
# the processes under test would be deaf to the Ctrl-C that tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope='session', autouse=True)
def private_ros_graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give this run, and the processes it starts, a ROS domain of its own on this host only."""
    from lane_seg_ros.shared_memory import remove_dead_segments

    with pytest.MonkeyPatch.context() as patch:
        # 1 to 100: 0 is everybody's default, and above 101 the ports of a domain may collide
        # with those that Linux hands out to clients.
        patch.setenv('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        if os.environ.get('ROS_DISTRO') == 'humble':  # later ones warn about this variable
            patch.setenv('ROS_LOCALHOST_ONLY', '1')
        patch.setenv('ROS_LOG_DIR', str(tmp_path_factory.mktemp('ros_log')))
        yield
    remove_dead_segments()
