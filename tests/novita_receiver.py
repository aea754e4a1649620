"""Somewhere for the emulated Novita to post its webhooks to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import Any, Self


class Receiver:
    """A webhook's receiver: answers with the given statuses in turn, then 200, and keeps what comes as it is."""

    def __init__(self, statuses: list[int]) -> None:
        posts: Queue[tuple[dict[str, str], bytes]] = Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posts.put((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(statuses.pop(0) if statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self.posts = posts
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/token"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def event(self) -> Any:
        """The next post's JSON."""
        return json.loads(self.posts.get(timeout=5)[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
