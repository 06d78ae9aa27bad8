"""A real site in a real browser: the Python documentation behind a stock nginx, read through a reef."""
import base64
import os
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from cluster import HTTP, ZONE, Cluster, address, wait_until

DOCUMENTS = "/usr/share/doc/python3.11/html"
ORIGIN = ("127.1.0.202", 8089)
SITE = "docs.example.org"
NAME = f"{SITE}.{ZONE}"
PAGE = "/library/asyncio.html"

# The bytes of every resource that the page loaded, from the browser's own cache.
READ_ASSETS = """
const done = arguments[arguments.length - 1];
const urls = [location.href, ...performance.getEntriesByType('resource').map(e => e.name)];
(async () => {
  const assets = {};
  for (const url of new Set(urls)) {
    const answer = await fetch(url, {cache: 'force-cache'});
    const bytes = new Uint8Array(await answer.arrayBuffer());
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    assets[url] = [answer.status, btoa(text)];
  }
  return assets;
})().then(done, error => done(String(error)));
"""


class BrowserTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="reef-browser-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start_nginx(self):
        with open(f"{self.folder}/nginx.conf", "w", encoding="ascii") as file:
            file.write(f"""daemon off;
master_process off;
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log;
events {{}}
http {{
  include /etc/nginx/mime.types;
  log_format line '$request_method $uri $status';
  access_log {self.folder}/access.log line;
  client_body_temp_path {self.folder}/t; proxy_temp_path {self.folder}/t; fastcgi_temp_path {self.folder}/t;
  uwsgi_temp_path {self.folder}/t; scgi_temp_path {self.folder}/t;
  server {{
    listen {ORIGIN[0]}:{ORIGIN[1]};
    root {DOCUMENTS};
    disable_symlinks off;
    expires 1h;
  }}
}}
""")
        process = subprocess.Popen(["/usr/sbin/nginx", "-c", f"{self.folder}/nginx.conf"],
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        wait_until(lambda: os.path.exists(f"{self.folder}/access.log"), 10, "nginx did not start")

    def origin_requests(self):
        with open(f"{self.folder}/access.log", encoding="ascii") as file:
            return file.read().splitlines()

    def load(self, node):
        """Loads the page through one node; returns {path: bytes} of all that the browser got."""
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--disable-dev-shm-usage", "--no-proxy-server",
                     f"--user-data-dir={self.folder}/chromium-{node}",
                     f"--host-resolver-rules=MAP {NAME} {address(node)}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        try:
            browser.set_page_load_timeout(60)
            browser.set_script_timeout(60)
            browser.get(f"http://{NAME}:{HTTP}{PAGE}")
            assets = browser.execute_async_script(READ_ASSETS)
        finally:
            browser.quit()
        self.assertIsInstance(assets, dict, assets)
        result = {}
        for url, (status, text) in assets.items():
            parts = urllib.parse.urlsplit(url)
            self.assertEqual((parts.hostname, status), (NAME, 200), url)
            result[parts.path] = base64.b64decode(text)
        return result

    def test_every_asset_arrives_and_the_second_node_spares_the_origin(self):
        self.start_nginx()
        cluster = Cluster(3, {SITE: f"{ORIGIN[0]}:{ORIGIN[1]}"})
        cluster.__enter__()
        self.addCleanup(cluster.__exit__, None, None, None)

        first = self.load(1)
        asked = self.origin_requests()
        second = self.load(2)

        self.assertGreater(len(first), 8, sorted(first))
        self.assertEqual(set(second), set(first))
        for path, got in {**first, **{p + " (second node)": b for p, b in second.items()}}.items():
            with open(DOCUMENTS + path.removesuffix(" (second node)"), "rb") as file:
                self.assertEqual(got, file.read(), path)
        # Whatever the first load fetched, the second node had from the first. A favicon and the like,
        # which a browser may ask for at any time, is not an asset of the page.
        again = [line for line in self.origin_requests()[len(asked):] if line.split()[1] in first]
        self.assertEqual(again, [])


if __name__ == "__main__":
    unittest.main()
