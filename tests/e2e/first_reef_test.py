"""One reef of three nodes and the promises that its users rely on."""
import asyncio
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from cluster import DNS, HTTP, ROOT, ZONE, Cluster, Origin, address, curl, pattern, wait_until

SITE = "www.example.org"
NAME = f"{SITE}.{ZONE}"


class FirstReefTest(unittest.TestCase):
    def setUp(self):
        self.origin = Origin()
        self.addCleanup(self.origin.close)

    def cluster(self, nodes=3, **config):
        cluster = Cluster(nodes, {SITE: self.origin.endpoint}, **config)
        cluster.__enter__()
        self.addCleanup(cluster.__exit__, None, None, None)
        return cluster

    def test_origin_sees_one_get_and_the_others_say_peer(self):
        self.origin.pages["/a"] = {"body": pattern(50_000)}
        self.cluster()

        answers = [curl(i, NAME, "/a") for i in (1, 2, 3)]

        for answer in answers:
            self.assertEqual((answer.status, answer.body), (200, pattern(50_000)), answer.error)
        self.assertEqual(len(self.origin.gets("/a")), 1)
        self.assertEqual(self.origin.gets("/a")[0]["Host"], SITE)
        self.assertEqual(len(answers[0].members), 1, answers[0].cache_status)
        self.assertIn("detail=origin", answers[0].members[0])
        for answer in answers[1:]:
            self.assertRegex(answer.members[-1], r"^reef; fwd=uri-miss; .*detail=peer-l\d", answer.cache_status)
        self.assertIn("hit", curl(2, NAME, "/a").members[-1])

    def test_nodes_that_are_near_find_one_another_and_share_as_neighbours(self):
        self.origin.pages["/a"] = {"body": b"near"}
        cluster = self.cluster()

        def together():
            clusters = [cluster.status(i)["clusters"] for i in (1, 2, 3)]
            return len({c[0]["id"] for c in clusters}) == len({c[1]["id"] for c in clusters}) == 1

        # The first look around is after ten seconds, the next ones later and later.
        wait_until(together, 120, "three nodes in one cluster at each level")
        curl(1, NAME, "/a")
        answer = curl(2, NAME, "/a")

        self.assertEqual(answer.body, b"near", answer.error)
        self.assertIn("detail=peer-l2", answer.members[-1], answer.cache_status)
        self.assertEqual(len(self.origin.gets("/a")), 1)

    def test_address_literal_with_port_reaches_that_server(self):
        self.origin.pages["/a"] = {"body": b"literal"}
        self.cluster(1)
        host, port = self.origin.endpoint.split(":")

        answer = curl(1, f"{host}.{port}.{ZONE}", "/a")

        self.assertEqual((answer.status, answer.body), (200, b"literal"))
        self.assertEqual(self.origin.gets("/a")[0]["Host"], self.origin.endpoint)

    def test_unbound_resolves_the_name_and_curl_fetches_it(self):
        self.origin.pages["/a"] = {"body": b"by name"}
        self.cluster()
        resolver = self.start_unbound()

        seen = set()
        for _ in range(10):
            text = subprocess.run(["dig", "+short", "-p", "5335", f"@{resolver}", NAME], capture_output=True,
                                  text=True, check=True).stdout
            seen.update(text.split())
        self.assertTrue(seen)
        self.assertLessEqual(seen, {address(1), address(2), address(3)})
        chosen = sorted(seen)[0]
        answer = curl(None, NAME, "/a", "--resolve", f"{NAME}:{HTTP}:{chosen}")
        self.assertEqual((answer.status, answer.body), (200, b"by name"), (chosen, answer.error, answer.cache_status))

    def start_unbound(self):
        folder = tempfile.mkdtemp(prefix="reef-unbound-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        listen = "127.1.0.201"
        stubs = "".join(f"  stub-addr: {address(i)}@{DNS}\n" for i in (1, 2, 3))
        with open(f"{folder}/unbound.conf", "w", encoding="ascii") as file:
            file.write(f"""server:
  interface: {listen}@5335
  access-control: 127.0.0.0/8 allow
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  qname-minimisation: yes
  use-caps-for-id: yes
  module-config: "iterator"
stub-zone:
  name: "{ZONE}"
{stubs}""")
        process = subprocess.Popen(["/usr/sbin/unbound", "-d", "-c", f"{folder}/unbound.conf"],
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        wait_until(lambda: subprocess.run(
            ["dig", "+short", "+time=1", "+tries=1", "-p", "5335", f"@{listen}", ZONE, "SOA"],
            capture_output=True, text=True, check=False).stdout.strip(), 20, "unbound does not answer")
        return listen

    def test_three_hundred_clients_cost_the_origin_one_get(self):
        size = 20_000_000
        body = pattern(size)
        self.origin.pages["/big"] = {"body": body, "rate": 2_000_000}
        cluster = self.cluster()
        curl(1, NAME, "/warm")
        before = {i: cluster.resident_bytes(i) for i in (1, 2, 3)}
        peak = dict(before)
        stop = threading.Event()

        def watch():
            while not stop.wait(0.2):
                for i in peak:
                    peak[i] = max(peak[i], cluster.resident_bytes(i))
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            results = asyncio.run(self.crowd(300, "/big"))
        finally:
            stop.set()
            watcher.join()

        want = hashlib.sha256(body).hexdigest()
        wrong = [r for r in results if r[0] != want]
        self.assertEqual(wrong, [], f"{len(wrong)} of {len(results)} bodies are wrong")
        self.assertEqual(len(self.origin.gets("/big")), 1)
        # Cut-through: everybody had bytes long before the origin had sent them all.
        self.assertLess(max(r[2] for r in results), size, "a client saw nothing before the origin had sent it all")
        print("first bytes after at most %.3f s" % max(r[1] for r in results))
        for i in (1, 2, 3):
            grown = peak[i] - before[i]
            print(f"node {i} grew by {grown / 2**20:.1f} MiB")
            self.assertLessEqual(grown, 64 * 2**20)

    async def crowd(self, count, path):
        async def client(n):
            begun = time.monotonic()
            reader, writer = await asyncio.open_connection(address(n % 3 + 1), HTTP)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            digest, first, sent_then = hashlib.sha256(), None, None
            while True:
                piece = await reader.read(65536)
                if not piece:
                    break
                if first is None:
                    first, sent_then = time.monotonic() - begun, self.origin.sent[path]
                digest.update(piece)
            writer.close()
            return digest.hexdigest(), first, sent_then
        return await asyncio.wait_for(asyncio.gather(*(client(n) for n in range(count))), 90)

    def test_killed_node_serves_from_disk_after_its_restart(self):
        bodies = {f"/{n}": pattern(30_000 + n, str(n).encode()) for n in range(20)}
        for path, body in bodies.items():
            self.origin.pages[path] = {"body": body}
        cluster = self.cluster()
        for path in bodies:
            self.assertEqual(curl(1, NAME, path).status, 200)
        wait_until(lambda: cluster.status(1)["cache"]["disk_objects"] >= len(bodies), 10, "not all on disk")

        cluster.kill(1)
        for path, body in bodies.items():
            self.assertEqual(curl(2, NAME, path).body, body, "the others carry on")
        cluster.start(1)
        cluster.wait_ready(1)
        asked = len(self.origin.requests)
        for path, body in bodies.items():
            answer = curl(1, NAME, path)
            self.assertEqual(answer.body, body)
            self.assertIn("hit", answer.members[-1], answer.cache_status)
        self.assertEqual(len(self.origin.requests), asked)

    def test_leader_killed_in_mid_transfer_is_replaced_where_it_stood(self):
        size = 4_000_000
        body = pattern(size)
        self.origin.pages["/slow"] = {"body": body, "rate": 1_000_000, "headers": {"ETag": '"v1"'}}
        cluster = self.cluster()
        answers = {}

        def fetch(i):
            answers[i] = curl(i, NAME, "/slow")
        threads = [threading.Thread(target=fetch, args=(1,))]
        threads[0].start()
        wait_until(lambda: self.origin.gets("/slow"), 10, "the origin was not asked")
        threads += [threading.Thread(target=fetch, args=(i,)) for i in (2, 3)]
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: self.origin.sent["/slow"] > size // 3, 20, "no bytes flow")

        cluster.kill(1)
        for thread in threads:
            thread.join()

        self.assertNotEqual(answers[1].code, 0, "the client of the killed node must see an error")
        for i in (2, 3):
            self.assertEqual((answers[i].code, answers[i].status), (0, 200), answers[i].error)
            self.assertTrue(answers[i].body == body, f"node {i} sent a wrong body")
        gets = self.origin.gets("/slow")
        self.assertLessEqual(len(gets), 2)
        self.assertRegex(gets[1].get("Range", ""), r"^bytes=\d+-$")

    def test_body_cut_short_by_its_origin_is_never_shown_as_whole(self):
        body = pattern(500_000)
        self.origin.pages["/cut"] = {"body": body, "cut": 200_000}
        self.cluster()

        for i in (1, 2, 3):
            answer = curl(i, NAME, "/cut")
            self.assertNotEqual(answer.code, 0, f"node {i}: curl saw a whole answer of {len(answer.body)} bytes")
            self.assertEqual(answer.body, body[:len(answer.body)])

    def test_stale_object_is_revalidated_not_fetched_again(self):
        self.origin.pages["/v"] = {"body": pattern(9_000), "headers": {"ETag": '"1"', "Cache-Control": "max-age=1"}}
        self.cluster(1)
        curl(1, NAME, "/v")
        wait_until(lambda: "hit" not in curl(1, NAME, "/v").members[-1], 20, "the copy never became stale")

        conditional = [h for h in self.origin.gets("/v") if h.get("If-None-Match") == '"1"']
        self.assertTrue(conditional)
        self.assertEqual(curl(1, NAME, "/v").body, pattern(9_000))

    def test_uncacheable_answers_are_never_shared(self):
        self.origin.pages["/p"] = {"body": b"mine", "headers": {"Cache-Control": "private"}}
        self.cluster()

        for i in (1, 2, 3, 1):
            answer = curl(i, NAME, "/p")
            self.assertEqual(answer.body, b"mine")
            self.assertIn("detail=origin", answer.members[-1])
            self.assertNotIn("stored", answer.members[-1])
        self.assertEqual(len(self.origin.gets("/p")), 4)

    def test_redirects_stay_inside_the_reef(self):
        self.origin.pages["/r"] = {"status": 302, "headers": {"Location": "https://other.example/x?y=1"}}
        self.cluster(1)

        answer = curl(1, NAME, "/r")

        self.assertEqual(answer.headers["location"], f"http://other.example.443.{ZONE}:{HTTP}/x?y=1")

    def test_terminated_node_finishes_what_it_sends_and_leaves(self):
        body = pattern(1_000_000)
        gate = threading.Event()
        self.origin.pages["/g"] = {"body": body, "gate": gate}
        cluster = self.cluster()
        answers = []
        thread = threading.Thread(target=lambda: answers.append(curl(1, NAME, "/g")))
        thread.start()
        wait_until(lambda: self.origin.sent["/g"] > 0, 10, "no bytes flow")

        cluster.processes[1].send_signal(signal.SIGTERM)
        wait_until(lambda: address(1) not in subprocess.run(
            ["dig", "+short", "+tries=1", "-p", str(DNS), f"@{address(2)}", NAME], capture_output=True, text=True,
            check=False).stdout, 30, "the DNS still names the node that leaves")
        gate.set()
        thread.join()

        self.assertTrue(answers[0].body == body)
        self.assertEqual(cluster.processes[1].wait(15), 0)

    def test_run_local_check_holds(self):
        with tempfile.TemporaryDirectory(prefix="reef-local-") as state:
            done = subprocess.run([os.path.join(ROOT, "deploy/run-local"), "--check", "--state", state],
                                  capture_output=True, text=True, timeout=240, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(re.findall(r"^127\.0\.0\.\d +200", done.stdout, re.M)), 3, done.stdout)

    def test_run_local_stops_all_on_a_signal_even_as_a_scripts_background_job(self):
        for sent in (signal.SIGINT, signal.SIGTERM):
            with tempfile.TemporaryDirectory(prefix="reef-local-") as state:
                command = [os.path.join(ROOT, "deploy/run-local"), "--state", state]
                # Shells start such jobs with SIGINT ignored.
                ignoring = ["python3", "-c", "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
                            "os.execv(sys.argv[1], sys.argv[1:])"]
                cluster = subprocess.Popen(ignoring + command, stdout=subprocess.PIPE, text=True)
                self.addCleanup(cluster.stdout.close)
                self.addCleanup(cluster.terminate)
                self.assertIn("reef is up\n", iter(cluster.stdout.readline, ""))
                cluster.send_signal(sent)
                self.assertEqual(cluster.wait(60), 0)
                left = subprocess.run(["pgrep", "-f", f"reef up --config {state}/"], capture_output=True, text=True,
                                      check=False).stdout
                self.assertEqual(left, "", sent)


if __name__ == "__main__":
    unittest.main()
