"""Resolve all extras for the Python that runs this file; write constraints-X.Y.txt beside it.

    make lock PYTHON=python3.12

pip itself is the resolver (`--dry-run --report`), in a throw-away virtual environment. PyTorch
is not resolved but stated: which build of it a machine takes, and with it several gigabytes of
CUDA packages, is that machine's own matter, so a stand-in wheel with PyTorch's pure-Python needs
takes its place.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = 'runtime,ros,train,transformers,carla,tensorrt-rtx,test,dev'
TORCH_VERSION = '2.13.0'
TORCH_NEEDS = (
    'filelock',
    'fsspec>=0.8.5',
    'jinja2',
    'networkx>=2.5.1',
    'setuptools>=77.0.3',
    'sympy>=1.13.3',
    'typing-extensions>=4.10.0',
)
# Cannot be resolved without a GPU machine: `tensorrt` is a stub that fetches its libraries when
# it is installed, `pycuda` is compiled against the CUDA toolkit.
STATED = {'pycuda': '2026.1', 'tensorrt': '11.4.0.106', 'torch': TORCH_VERSION}


def stand_in_for_torch(folder: Path) -> Path:
    """Write an empty wheel that has PyTorch's name, version and pure-Python needs."""
    stem = f'torch-{TORCH_VERSION}'
    info = f'{stem}.dist-info'
    needs = ''.join(f'Requires-Dist: {need}\n' for need in TORCH_NEEDS)
    wheel = folder / f'{stem}-py3-none-any.whl'
    with zipfile.ZipFile(wheel, 'w') as archive:
        archive.writestr(
            f'{info}/METADATA',
            f'Metadata-Version: 2.1\nName: torch\nVersion: {TORCH_VERSION}\n{needs}',
        )
        archive.writestr(
            f'{info}/WHEEL',
            'Wheel-Version: 1.0\nGenerator: lock\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
        )
        archive.writestr(f'{info}/RECORD', '')
    return wheel


def resolved_versions() -> dict[str, str]:
    """Ask pip which versions it would install: {normalised name: version}."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        venv.create(folder / 'venv', with_pip=True)
        pip = [str(folder / 'venv/bin/python'), '-m', 'pip', '--quiet']
        subprocess.run([*pip, 'install', '--upgrade', 'pip'], check=True)
        report = folder / 'report.json'
        subprocess.run(
            [
                *pip,
                'install',
                '--dry-run',
                '--ignore-installed',
                f'--report={report}',
                'pip',
                str(stand_in_for_torch(folder)),
                f'{ROOT}[{EXTRAS}]',
            ],
            check=True,
        )
        installs = json.loads(report.read_text(encoding='utf-8'))['install']
    pairs = ((item['metadata']['name'], item['metadata']['version']) for item in installs)
    versions = {
        name.lower().replace('_', '-').replace('.', '-'): version for name, version in pairs
    }
    del versions['lane-seg-ros']
    return versions | STATED


def main() -> None:
    """Write the file for this Python, whole or not at all."""
    python = f'{sys.version_info.major}.{sys.version_info.minor}'
    pins = resolved_versions()
    header = (
        f'# Written by requirements/lock.py (make lock) for Python {python}: do not edit.\n'
        f"# Use: pip install -c requirements/constraints-{python}.txt -e '.[runtime,ros]'\n"
        f'# Stated, not resolved: {", ".join(STATED)} (lock.py says why).\n'
    )
    lines = ''.join(f'{name}=={pins[name]}\n' for name in sorted(pins))
    target = ROOT / f'requirements/constraints-{python}.txt'
    temporary = target.with_suffix('.tmp')
    with temporary.open('w', encoding='utf-8') as file:
        file.write(header + lines)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    print(f'{target.relative_to(ROOT)}: {len(pins)} pins')


if __name__ == '__main__':
    main()
