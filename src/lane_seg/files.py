"""Whole files or none: write beside the target, flush to disk, rename."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ['atomic_path', 'sha256_of', 'write_text']


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path that becomes `path` when the block ends well.

    The temporary file lies in the same folder (so that the rename is atomic) and keeps the
    suffix (so that OpenCV and others still see the file type). On an exception, Ctrl-C included,
    it is removed and whatever was at `path` before stays untouched.

    Args:
        path: the file to make; its folder is created if absent.

    Yields:
        The path to write to.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f'.{target.stem}.{secrets.token_hex(4)}{target.suffix}')
    try:
        yield temporary
        with temporary.open('rb') as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def sha256_of(path: str | Path) -> str:
    """Return the sha256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
