"""What the documentation points to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]
PAGES += [ROOT / 'benchmarks' / 'README.md', ROOT / 'models' / 'default' / 'README.md']


@pytest.mark.parametrize('page', PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    links = re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', page.read_text(encoding='utf-8'))
    inside = [link for link in links if not link.startswith('http')]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_every_test_that_the_table_of_earlier_systems_names_exists() -> None:
    text = (ROOT / 'docs' / 'earlier_systems.md').read_text(encoding='utf-8')
    named = set(re.findall(r'(?:train|lane_seg|lane_seg_ros|lane_seg_cli)/[\w/]+(?:\.py)?', text))
    places = {name: name.replace('train/', 'lane_seg_train/', 1) for name in named}
    folders = [ROOT / 'tests', ROOT / 'src']
    missing = [
        name
        for name, place in places.items()
        if not any((folder / place).exists() for folder in folders)
    ]
    assert len(named) > 20
    assert missing == []


def test_every_item_of_the_earlier_systems_is_in_the_table() -> None:
    text = (ROOT / 'docs' / 'earlier_systems.md').read_text(encoding='utf-8')
    rows = [line.split('|')[1] for line in text.splitlines() if line.startswith('| S')]
    found = set()
    for row in rows:
        system, *numbers = re.findall(r'S\d|\d\d', row)
        found |= {f'{system}-{number}' for number in numbers}
    counts = {'S0': 26, 'S1': 23, 'S2': 16, 'S3': 14, 'S4': 19}
    expected = {f'{name}-{n:02}' for name, count in counts.items() for n in range(1, count + 1)}
    assert expected - found == set()
