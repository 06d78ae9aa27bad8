"""What the end-to-end tests stand on: real reef processes, an origin that can misbehave, curl.

Every node of a test cluster has its own loopback address, 127.1.0.i, and the same ports, so that
a local cluster (deploy/run-local, 127.0.0.i) may run beside the tests.
"""
import collections
import hashlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REEF = os.environ.get("REEF", os.path.join(ROOT, "build/release/bin/reef"))
ZONE = "nyud.net"
HTTP, DNS, DSHT, ADMIN = 8090, 8053, 8400, 8401


def address(i):
    return f"127.1.0.{i}"


def wait_until(condition, seconds, what):
    """Polls until condition() is true; a bound so that a test ends, never an expectation of speed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"after {seconds} s: {what}")


class Origin:
    """An origin server on a port of its own. Pages are dicts set by path:

    body, status, headers; rate (bytes a second); cut (bytes after which the connection ends early).
    """

    def __init__(self, host="127.1.0.200"):
        self.pages = {}
        self.requests = []  # (method, path, headers)
        self.sent = collections.Counter()  # bytes of body by path
        self.lock = threading.Lock()
        origin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with origin.lock:
                    origin.requests.append((self.command, self.path, dict(self.headers)))
                page = origin.pages.get(self.path)
                if page is None:
                    self.send_error(404)
                    return
                origin.answer(self, page)

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        http.server.ThreadingHTTPServer.request_queue_size = 512
        self.server = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"{host}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler, page):
        body = page.get("body", b"")
        start = 0
        headers = {"Cache-Control": "max-age=3600", **page.get("headers", {})}
        wanted = handler.headers.get("Range", "")
        status = page.get("status", 200)
        etag = headers.get("ETag")
        if etag and handler.headers.get("If-None-Match") == etag:
            status, body = 304, b""
        elif wanted.startswith("bytes=") and wanted.endswith("-") and etag and \
                handler.headers.get("If-Range", etag) == etag:
            start = int(wanted[6:-1])
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status != 304:
            handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        rate, cut = page.get("rate"), page.get("cut")
        gate = page.get("gate")  # an Event: what is past the first 64 KiB waits for it
        step = 65536 if not rate else max(1, min(65536, rate // 20))
        begun = time.monotonic()
        for at in range(start, len(body), step):
            if gate is not None and at > start:
                gate.wait(60)
            if cut is not None and at >= cut:
                handler.close_connection = True
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            piece = body[at:at + step]
            try:
                handler.wfile.write(piece)
            except OSError:
                handler.close_connection = True
                return
            with self.lock:
                self.sent[handler.path] += len(piece)
            if rate:
                ahead = (at - start + len(piece)) / rate - (time.monotonic() - begun)
                if ahead > 0:
                    time.sleep(ahead)

    def gets(self, path):
        with self.lock:
            return [h for m, p, h in self.requests if p == path and m == "GET"]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Cluster:
    def __init__(self, nodes=3, origins=None, **config):
        self.folder = tempfile.mkdtemp(prefix="reef-e2e-")
        self.count = nodes
        self.origins = origins or {}
        self.extra = config
        self.processes = {}

    def __enter__(self):
        try:
            for i in range(1, self.count + 1):
                self.start(i)
            for i in range(1, self.count + 1):
                self.wait_ready(i)
            self.wait_whole()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *unused):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def config(self, i):
        others = [f"{address(j)}:{DSHT}" for j in range(1, min(self.count, 3) + 1) if j != i]
        return {
            "zone": ZONE,
            "listen": address(i),
            "ports": {"http": HTTP, "dns": DNS, "dsht": DSHT, "admin": ADMIN},
            "state_dir": f"{self.folder}/node-{i}",
            "join": others,
            "allow_private": True,
            "memory_bytes": "128MiB",
            "disk_bytes": "1GiB",
            "origins": self.origins,
            **self.extra,
        }

    def start(self, i):
        path = f"{self.folder}/node-{i}.yaml"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.config(i), file)  # JSON is YAML
        with open(f"{self.folder}/node-{i}.log", "ab") as log:
            self.processes[i] = subprocess.Popen([REEF, "up", "--config", path], stdout=log, stderr=log)

    def log(self, i):
        with open(f"{self.folder}/node-{i}.log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ready(self, i):
        def ready():
            if self.processes[i].poll() is not None:
                raise AssertionError(f"node {i} ended: {self.log(i)[-2000:]}")
            return self.admin(i, "/readyz", quiet=True) is not None
        wait_until(ready, 30, f"node {i} is not ready")

    def wait_whole(self):
        """Every node knows every other one."""
        for i in self.processes:
            wait_until(lambda i=i: len(self.status(i)["nodes"]) >= len(self.processes), 30,
                       f"node {i} does not know all nodes: {self.status(i).get('nodes')}")

    def kill(self, i):
        self.processes[i].kill()
        self.processes[i].wait()

    def admin(self, i, path, quiet=False):
        try:
            with urllib.request.urlopen(f"http://{address(i)}:{ADMIN}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            if quiet:
                return None
            raise

    def status(self, i):
        return json.loads(self.admin(i, "/status.json"))

    def resident_bytes(self, i):
        with open(f"/proc/{self.processes[i].pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Answer:
    """What curl got."""

    def __init__(self, status, headers, body, code, error):
        self.status, self.headers, self.body, self.code, self.error = status, headers, body, code, error
        self.cache_status = headers.get("cache-status", "")
        self.members = [m.strip() for m in self.cache_status.split(",") if m.strip()]


def curl(i, name, path, *options, address_of=address, url=None, timeout=60):
    """A real curl of http://NAME:8090PATH through node i; i None: by the resolver in `options`."""
    with tempfile.TemporaryDirectory(prefix="reef-curl-") as folder:
        where = [] if i is None else ["--resolve", f"{name}:{HTTP}:{address_of(i)}"]
        done = subprocess.run(
            ["curl", "-sS", "-m", str(timeout), "-D", f"{folder}/head", "-o", f"{folder}/body", *where, *options,
             url or f"http://{name}:{HTTP}{path}"], capture_output=True, text=True, check=False)
        head, body = "", b""
        if os.path.exists(f"{folder}/head"):
            with open(f"{folder}/head", encoding="latin-1") as file:
                head = file.read()
        if os.path.exists(f"{folder}/body"):
            with open(f"{folder}/body", "rb") as file:
                body = file.read()
    last = [b for b in head.replace("\r", "").split("\n\n") if b.strip()]
    lines = last[-1].split("\n") if last else []
    headers = {}
    for line in lines[1:]:
        key, _, value = line.partition(":")
        key = key.lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    status = int(lines[0].split()[1]) if lines else 0
    return Answer(status, headers, body, done.returncode, done.stderr)


def pattern(size, seed=b"reef"):
    """Bytes that differ everywhere, so that a piece in the wrong place shows."""
    blocks = (hashlib.sha256(seed + str(n).encode()).digest() for n in range(size // 32 + 1))
    return b"".join(blocks)[:size]
