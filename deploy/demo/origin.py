#!/usr/bin/env python3
"""The demonstration origin of deploy/run-local: a plain web server that counts what it is asked.

Serves the folder beside it. /requests tells, as plain text, how many GET requests each path got,
so that anyone can see how rarely the origin is bothered.

usage: origin.py ADDRESS PORT
"""
import collections
import functools
import http.server
import os
import sys
import threading

counts = collections.Counter()
lock = threading.Lock()


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/requests":
            with lock:
                text = "".join(f"{n} {path}\n" for path, n in sorted(counts.items()))
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Length", str(len(body)))
            super().end_headers()
            self.wfile.write(body)
            return
        with lock:
            counts[self.path] += 1
        super().do_GET()

    def end_headers(self):
        self.send_header("Cache-Control", "public, max-age=3600")
        super().end_headers()

    def log_message(self, *args):
        pass


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    site = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
    handler = functools.partial(Handler, directory=site)
    http.server.ThreadingHTTPServer.request_queue_size = 128
    http.server.ThreadingHTTPServer((address, port), handler).serve_forever()


if __name__ == "__main__":
    main()
