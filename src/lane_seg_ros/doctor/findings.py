"""One thing that the doctor has to say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ['SEVERITIES', 'Finding', 'Severity', 'in_order']

# error: the lane node gets no usable images; warning: it may not, or another program will not;
# note: worth knowing; ok: was looked at and is well.
Severity = Literal['error', 'warning', 'note', 'ok']
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True)
class Finding:
    """What was found, why it is so, and what to do about it.

    Attributes:
        severity: how bad it is.
        code: short stable key, for scripts.
        where: the topic or the thing that it is about.
        what: one sentence.
        evidence: the numbers and names on which it rests.
        cause: why it is so.
        fix: the command to type or the file to change, and on which side.
    """

    severity: Severity
    code: str
    where: str
    what: str
    evidence: str = ''
    cause: str = ''
    fix: str = ''


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings with the worst first; those of one severity keep their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
