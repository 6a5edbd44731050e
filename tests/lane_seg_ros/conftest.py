"""What most tests of the node need: a small model, and the other side of its topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lane_seg_ros.node_process import Client


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.tiny_bundle import make_tiny_bundle

    return make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')


@pytest.fixture
def client() -> Iterator[Client]:
    from tests.lane_seg_ros.node_process import Client

    client = Client()
    yield client
    client.close()
