"""What TensorRT says, collected: it prints through a logger and gives no reasons otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorrt

    from lane_seg.plans.libraries import Library

__all__ = ['Messages', 'messages_of']

_SHOWN = 6
# A running engine may warn of each frame: what nobody reads must not grow for ever.
_KEPT = 1000


class Messages:
    """The library's messages. It keeps the first logger it gets, so there is one for each."""

    def __init__(self, library: Library) -> None:
        api = library.api
        messages: list[tuple[bool, str]] = []

        class Logger(api.ILogger):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                api.ILogger.__init__(self)

            def log(self, severity: tensorrt.ILogger.Severity, text: str) -> None:
                rank = int(severity)
                if rank <= int(api.ILogger.Severity.WARNING) and len(messages) < _KEPT:
                    messages.append((rank < int(api.ILogger.Severity.WARNING), text))

        self.messages = messages
        self.logger = Logger()

    def clear(self) -> None:
        """Forget what was said before."""
        self.messages.clear()

    def errors(self) -> str:
        """Return the first errors as one line, '' if there are none."""
        return '; '.join([text for bad, text in self.messages if bad][:_SHOWN])

    def warnings(self) -> tuple[str, ...]:
        """Return the warnings, each once."""
        return tuple(dict.fromkeys(text for bad, text in self.messages if not bad))


_MESSAGES_OF: dict[str, Messages] = {}


def messages_of(library: Library) -> Messages:
    """Return the one logger of a library in this process."""
    if library.flavour not in _MESSAGES_OF:
        _MESSAGES_OF[library.flavour] = Messages(library)
    return _MESSAGES_OF[library.flavour]
