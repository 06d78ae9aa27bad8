#!/usr/bin/env python3
"""The rules of docs/architecture.md that can be checked by reading the sources.

usage: tidy.py RULE    prints each breach as FILE:LINE: what is wrong; exits 1 if there is one
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')

# What a folder may include of ours, by longest prefix.
MAY_INCLUDE = {
    "base/runtime": ["base"],
    "base": ["base!"],  # "!": the folder itself, not its sub-folders
    "dsht/core": ["base!", "dsht/core", "dsht/client.h"],  # whose plain types it shares
    "dsht/rpc": ["base", "dsht", "proto/dsht"],
    "dsht": ["base!", "dsht/core/id.h"],
    "dnsredir/core": ["base!", "dnsredir/core", "dsht/client.h"],
    "dnsredir/server": ["base", "dnsredir", "dsht/client.h"],
    "httpproxy/core": ["base!", "httpproxy/core", "dsht/client.h"],
    "httpproxy/store": ["base", "httpproxy/core", "httpproxy/store", "proto/cache_record"],
    "httpproxy/server": ["base", "httpproxy", "dsht/client.h"],
    "deploy": ["base", "dsht", "dnsredir", "httpproxy", "deploy", "proto"],
    "tests": ["base", "dsht", "dnsredir", "httpproxy", "deploy", "proto", "tests"],
}

# Where a library's headers may be seen (tests may see all).
HOMES = {
    "event2/": ["base/runtime", "dnsredir/server", "httpproxy/server", "deploy/admin"],
    "grpcpp/": ["dsht/rpc", "deploy"],
    "rocksdb/": ["httpproxy/store"],
    "ares.h": ["httpproxy/server"],
    "openssl/": ["base", "httpproxy/server"],
    "prometheus/": ["base/runtime"],
    "spdlog/": ["base/runtime"],
    "yaml-cpp/": ["base/runtime", "deploy"],
    "CLI/": ["deploy"],
    "google/protobuf/": ["base/runtime", "dsht/rpc", "httpproxy/store", "deploy"],
}
# No clock, thread, lock or unordered container in a core.
CORE_FORBIDDEN = ["thread", "mutex", "atomic", "condition_variable", "future", "random",
                  "unordered_map", "unordered_set", "absl/container/flat_hash_map.h",
                  "absl/container/flat_hash_set.h", "absl/container/node_hash_map.h",
                  "absl/synchronization/mutex.h", "absl/time/clock.h", "base/runtime/clock.h"]


def sources(*endings):
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True, check=True).stdout.split("\n")
    for path in sorted(set(listed)):
        if path.endswith(endings or (".h", ".cc")) and os.path.exists(os.path.join(ROOT, path)):
            yield path


def includes(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1) == '"', match.group(2)


def home_of(path):
    return max((k for k in MAY_INCLUDE if path.startswith(k + "/")), key=len, default=None)


def allowed(target, rules):
    for rule in rules:
        if rule.endswith("!"):
            if os.path.dirname(target) == rule[:-1]:
                return True
        elif target == rule or target.startswith(rule + "/") or target.startswith(rule + "."):
            return True
    return False


def layering():
    for path in sources():
        home = home_of(path)
        if home is None:
            yield path, 1, "a source outside the known folders (tests/tidy/tidy.py, MAY_INCLUDE)"
            continue
        for number, ours, target in includes(path):
            if ours and not target.startswith("absl/") and not allowed(target, MAY_INCLUDE[home]):
                yield path, number, f'{home} may not include "{target}"'


def library_homes():
    for path in sources():
        if path.startswith("tests/"):
            continue
        in_core = "/core/" in path
        for number, _, target in includes(path):
            for prefix, homes in HOMES.items():
                if target.startswith(prefix) and (in_core or not any(path.startswith(h + "/") for h in homes)):
                    yield path, number, f"<{target}> belongs to {', '.join(homes)}"
            if in_core and target in CORE_FORBIDDEN:
                yield path, number, f"a core may not include <{target}>: time, randomness and messages are handed in"
            if target.endswith(".pb.h") and path.startswith(("base/", "dnsredir/", "httpproxy/core", "httpproxy/server", "dsht/core")):
                yield path, number, "generated messages are seen in dsht/rpc, httpproxy/store and deploy only"


def licence_lines():
    for path in sources():
        with open(os.path.join(ROOT, path), encoding="utf-8") as lines:
            if lines.readline().rstrip() != "// SPDX-License-Identifier: Apache-2.0":
                yield path, 1, "the first line is not the licence"
        if path.endswith(".h"):
            with open(os.path.join(ROOT, path), encoding="utf-8") as lines:
                if "#pragma once\n" not in lines.readlines():
                    yield path, 1, "no #pragma once"


def formatted_names():
    for path in sources():
        name = os.path.basename(path)
        if not re.fullmatch(r"[a-z0-9_]+\.(h|cc)", name):
            yield path, 1, "file names are lower case with underscores"
        if re.search(r"(^|_)(util|utils|helper|helpers|manager|misc|common|impl)(_|\.)", name):
            yield path, 1, "the name does not say what is in it"


def one_loop_of_includes():
    """No two of our files include each other, directly or round a loop."""
    graph = {p: [t for _, ours, t in includes(p) if ours] for p in sources()}
    state = {}

    def visit(node, trail):
        state[node] = 1
        for target in graph.get(node, []):
            if state.get(target) == 1:
                yield node, 1, "includes itself through " + " -> ".join(trail + [node, target])
            elif target not in state:
                yield from visit(target, trail + [node])
        state[node] = 2

    for path in graph:
        if path not in state:
            yield from visit(path, [])


def main():
    rules = {f.__name__: f for f in (layering, library_homes, licence_lines, formatted_names, one_loop_of_includes)}
    if len(sys.argv) != 2 or sys.argv[1] not in rules:
        sys.exit("usage: tidy.py " + "|".join(rules))
    if not list(sources()):
        sys.exit("tidy: no sources found")
    breaches = list(rules[sys.argv[1]]())
    for path, number, what in breaches:
        print(f"{path}:{number}: {what}")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
