"""A collector that takes spans and forgets them, as OTLP over HTTP; and one that takes none."""

import http.server
import socket
import threading


class Collector:
    """One at work; it ends with the program."""

    def __init__(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taking)
        self.endpoint = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Deaf:
    """One that hangs: connections are made, and nothing is ever read."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listening.getsockname()[1]}"


class Taking(http.server.BaseHTTPRequestHandler):
    """Takes a batch."""

    def do_POST(self):
        """Reads it away."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""
