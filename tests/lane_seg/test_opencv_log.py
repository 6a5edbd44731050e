"""OpenCV is silent when it is told to be, in every version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_broken_picture_leaves_no_line_of_opencv(tmp_path: Path) -> None:
    broken = tmp_path / 'missing.png'
    program = (
        'import cv2; from lane_seg.opencv_log import silence_opencv; silence_opencv(); '
        f'assert cv2.imread({str(broken)!r}) is None'
    )
    said = subprocess.run(
        [sys.executable, '-c', program],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
    )
    assert (said.returncode, said.stderr) == (0, '')
