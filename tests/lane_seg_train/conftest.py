"""Training tests need torch; they use one thread each, for the machine may be busy."""

from __future__ import annotations

import pytest

torch = pytest.importorskip('torch')


@pytest.fixture(scope='session', autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
