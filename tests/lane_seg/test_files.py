"""Files appear whole or not at all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from lane_seg.files import atomic_path, sha256_of, write_text

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / 'new' / 'frame.png'
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == '.png'
        temporary.write_bytes(b'whole')
        assert not target.exists()
    assert target.read_bytes() == b'whole'
    assert names(target.parent) == ['frame.png']


@pytest.mark.parametrize('error', [OSError('disk full'), KeyboardInterrupt()])
def test_an_older_file_survives_a_block_that_fails(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / 'model.onnx'
    target.write_bytes(b'older')
    with pytest.raises(type(error)), atomic_path(target) as temporary:
        temporary.write_bytes(b'half')
        raise error
    assert target.read_bytes() == b'older'
    assert names(tmp_path) == ['model.onnx']


def test_a_block_that_writes_nothing_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / 'a.txt'):
        pass
    assert names(tmp_path) == []


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    write_text(tmp_path / 'a.txt', 'Straße')
    assert (tmp_path / 'a.txt').read_bytes() == 'Straße'.encode()


@pytest.mark.parametrize('size', [0, 1, 1 << 20, (1 << 20) + 1])
def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    content = bytes(size)
    (tmp_path / 'a').write_bytes(content)
    assert sha256_of(tmp_path / 'a') == hashlib.sha256(content).hexdigest()
