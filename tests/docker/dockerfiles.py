"""Read Dockerfiles and .dockerignore, as far as ours go."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / 'docker'
DOCKERFILES = sorted(path.name for path in DOCKER.glob('*.Dockerfile'))


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name in capitals, and the rest with continued lines joined."""

    name: str
    text: str

    @property
    def flags(self) -> dict[str, str]:
        """The options before the arguments: {'from': 'package'}."""
        found = re.match(r'(?:--[\w-]+=\S+\s+)*', self.text)
        assert found
        return dict(re.findall(r'--([\w-]+)=(\S+)', found[0]))

    @property
    def words(self) -> list[str]:
        """What follows the options, split at white space."""
        return re.sub(r'^(?:--[\w-]+=\S+\s+)*', '', self.text).split()

    @property
    def exec_form(self) -> list[str] | None:
        """The command as a list, or None where a shell would get it."""
        found = re.search(r'\[.*\]$', self.text, re.DOTALL)
        return json.loads(found[0]) if found else None


@dataclass
class Stage:
    """One stage: its name, what it begins with, and what is done to that."""

    name: str
    image: str
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Dockerfile:
    """All stages, with the arguments that stand before the first one."""

    arguments: dict[str, str]
    stages: list[Stage]

    def images(self, arguments: Mapping[str, str] | None = None) -> set[str]:
        """The images of registries that it begins with, all stages taken together."""
        names = {stage.name for stage in self.stages}
        values = {**self.arguments, **(arguments or {})}
        return {expand(stage.image, values) for stage in self.stages} - names

    def lineage(self, name: str, arguments: Mapping[str, str] | None = None) -> list[Instruction]:
        """All instructions that a stage is made of, those of the stages below it first."""
        values = {**self.arguments, **(arguments or {})}
        stages = {stage.name: stage for stage in self.stages}
        found: list[Instruction] = []
        while name in stages:
            found = stages[name].instructions + found
            name = expand(stages[name].image, values)
        return found

    def targets(self) -> list[str]:
        """Stages that no other one uses: what somebody builds."""
        used = {expand(stage.image, self.arguments) for stage in self.stages}
        for stage in self.stages:
            for instruction in stage.instructions:
                used |= set(re.findall(r'\bfrom=([\w-]+)', instruction.text))
        return [
            stage.name
            for stage in self.stages
            if stage.name not in used and not re.fullmatch(r'jetpack-\d', stage.name)
        ]


def expand(text: str, values: Mapping[str, str]) -> str:
    """Put the values of variables in their places."""
    return re.sub(r'\$\{?(\w+)\}?', lambda found: values.get(found[1], found[0]), text)


def read_dockerfile(name: str) -> Dockerfile:
    """Read docker/NAME."""
    lines = (DOCKER / name).read_text(encoding='utf-8').splitlines()
    text = '\n'.join(line for line in lines if not line.lstrip().startswith('#'))
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in re.sub(r'\\\n\s*', '', text).splitlines():
        if not line.strip():
            continue
        word, _, rest = line.strip().partition(' ')
        instruction = Instruction(word.upper(), rest.strip())
        if instruction.name == 'FROM':
            image, _, stage = instruction.words
            stages.append(Stage(stage, image))
        elif stages:
            stages[-1].instructions.append(instruction)
        else:
            key, _, value = instruction.text.partition('=')
            arguments[key] = value
    return Dockerfile(arguments, stages)


def only(instructions: Iterable[Instruction], *names: str) -> list[Instruction]:
    """Those with one of the names."""
    return [instruction for instruction in instructions if instruction.name in names]


def pip_packages(instructions: Iterable[Instruction]) -> set[str]:
    """What `pip install` is told to install by name; tools of packaging are left out."""
    found: set[str] = set()
    for instruction in only(instructions, 'RUN'):
        for command in re.split(r'&&|;', instruction.text):
            _, install, rest = command.partition('pip install')
            words = re.sub(r'--constraint \S+', '', rest).split() if install else []
            found |= {word for word in words if re.fullmatch(r'[a-z][a-z0-9-]*', word)}
    return found - {'pip', 'setuptools', 'wheel'}


def is_sent(path: str) -> bool:
    """Whether the builder gets a file, by .dockerignore: the last pattern that fits decides."""
    sent = True
    for line in (ROOT / '.dockerignore').read_text(encoding='utf-8').splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith('#'):
            continue
        keep = pattern.startswith('!')
        # A pattern that fits a folder holds for all in it.
        parts = PurePosixPath(path).parts
        places = ['/'.join(parts[: n + 1]) for n in range(len(parts))]
        if any(re.fullmatch(_expression(pattern.lstrip('!')), place) for place in places):
            sent = keep
    return sent


def _expression(pattern: str) -> str:
    """The regular expression of a pattern: `**/` is any number of folders, `*` stays in one."""
    pieces = []
    for part in pattern.split('/'):
        if part == '**':
            pieces.append('(?:[^/]+/)*')
        else:
            inside = fnmatch.translate(part).removeprefix('(?s:').removesuffix(r')\Z')
            pieces.append(inside.replace('.*', '[^/]*') + '/')
    return ''.join(pieces).removesuffix('/')
