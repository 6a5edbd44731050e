"""The numbers of /diagnostics for Prometheus, on this machine only.

Text format 0.0.4 of the Prometheus documentation ("Exposition formats"): a line per number. Every
value of a status that is a number becomes one, with the name of the status as a label.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from diagnostic_msgs.msg import DiagnosticStatus

from lane_seg.errors import LaneSegError

__all__ = ['MetricsServer', 'metrics_text']

_HOST = '127.0.0.1'
_NOT_IN_A_NAME = re.compile('[^a-zA-Z0-9_]')


def metrics_text(statuses: Sequence[DiagnosticStatus]) -> str:
    """Write statuses in the text format.

    Args:
        statuses: of /diagnostics.

    Returns:
        Lines such as `lane_seg_fps{status="lane_seg_node: pipeline"} 29.97`; the lines of one
        name stand together, as the format wants it.
    """
    lines: dict[str, list[str]] = {}
    for status in statuses:
        label = status.name.replace('\\', r'\\').replace('"', r'\"').replace('\n', r'\n')
        numbers = [('level', float(status.level[0]))]
        for item in status.values:
            try:
                numbers.append((item.key, float(item.value)))
            except ValueError:
                continue
        for key, number in numbers:
            if math.isfinite(number):
                name = f'lane_seg_{_NOT_IN_A_NAME.sub("_", key)}'
                lines.setdefault(name, []).append(f'{name}{{status="{label}"}} {number:g}\n')
    return ''.join(line for group in lines.values() for line in group)


class MetricsServer:
    """Serves the last statuses at /metrics, in threads of its own.

    Args:
        port: on 127.0.0.1.

    Raises:
        LaneSegError: the port is taken.
    """

    def __init__(self, port: int) -> None:
        self._text = b''
        server = self

        class Handler(BaseHTTPRequestHandler):
            """Answers GET /metrics."""

            def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
                """Send the text, or 404."""
                found = self.path.partition('?')[0] == '/metrics'
                body = server._text if found else b'see /metrics\n'
                self.send_response(200 if found else 404)
                self.send_header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: a scrape each few seconds would fill the node's log."""

        try:
            self._server = ThreadingHTTPServer((_HOST, port), Handler)
        except OSError as error:
            raise LaneSegError(
                f'expected port {port} of {_HOST} to be free for metrics, found: '
                f'{error.strerror}; choose another metrics_port, or 0 for none'
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name='metrics', daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def update(self, statuses: Sequence[DiagnosticStatus]) -> None:
        """Serve these from now on."""
        self._text = metrics_text(statuses).encode()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
