#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The idle daemon at 1,000 devices of a made tree: its memory against a bare program that links the
same libraries and opens the same libvirt connection, and how soon it answers.

bench-daemon.py BUILD_FOLDER [LIBVIRT_URI]
"""

import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

DEVICES = 1000
MACHINES = 8
STARTS = 15
DEADLINE_S = 30
POLL_S = 0.0005
# Idle: no CPU time is used over this many looks.
IDLE_LOOKS = 5
IDLE_POLL_S = 0.05

MAX_PRIVATE_MIB = 6.0
MAX_RESIDENT_RATIO = 1.25
MAX_READY_MS = 50.0


def wait_until(condition, what, poll_s=POLL_S):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"bench-daemon: {what} takes longer than {DEADLINE_S} s")
        time.sleep(poll_s)


def answers(path):
    """Whether a D-Bus server on the socket greets a client."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
            client.sendall(b"\0AUTH EXTERNAL %s\r\n" % str(os.getuid()).encode().hex().encode())
            return client.recv(64).startswith(b"OK ")
        except OSError:
            return False


class Made:
    """What the runs share: a made tree, a folder for state and socket, the programs."""

    def __init__(self, build, uri, folder):
        self.build, self.uri, self.folder = pathlib.Path(build).resolve(), uri, folder
        self.bench = self.build / "tests/bench"
        self.maker = subprocess.Popen(
            [self.bench / "make-tree", str(DEVICES)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.root = self.maker.stdout.readline().strip()
        self.socket = folder / "control.sock"

    def close(self):
        self.maker.communicate()

    def start_daemon(self):
        """Returns the daemon, once it answers, and how long that took in ms."""
        begin = time.monotonic()
        daemon = subprocess.Popen(
            [self.build / "core/libvirt-provider",
             "--resource-manager-sources=cpu,memory,pci",
             f"--source-dir={self.build / 'plugins'}",
             f"--host-root={self.root}",
             f"--resource-manager-pci-devices-file={self.root}/pci_devices.yaml",
             f"--supported-machine-classes={self.root}/machine-classes.yaml",
             f"--libvirt-uri={self.uri}",
             f"--libvirt-provider-dir={self.folder / 'state'}",
             f"--control-socket={self.socket}",
             "--log-level=warning"])
        wait_until(lambda: daemon.poll() is not None or answers(self.socket), "the start")
        if daemon.poll() is not None:
            sys.exit(f"bench-daemon: the daemon ended with status {daemon.returncode}")
        return daemon, (time.monotonic() - begin) * 1000

    def start_bare(self):
        begin = time.monotonic()
        bare = subprocess.Popen([self.bench / "bare", self.uri], stdout=subprocess.PIPE, text=True)
        if bare.stdout.readline() != "ready\n":
            sys.exit("bench-daemon: the bare program has not come up")
        return bare, (time.monotonic() - begin) * 1000

    def discover(self):
        """How long one discovery takes in a fresh process, in ms."""
        run = subprocess.run(
            [self.bench / "bench-discovery", "--once", "source", self.root],
            check=True, capture_output=True, text=True)
        return float(run.stdout.split()[0])

    def list_devices(self):
        run = subprocess.run(
            [self.build / "core/lpctl", "--socket", self.socket, "device", "list", "-o", "name"],
            check=True, capture_output=True, text=True)
        if len(run.stdout.splitlines()) != DEVICES:
            sys.exit(f"bench-daemon: {len(run.stdout.splitlines())} devices are listed")

    def run_machines(self):
        """Creates some machines without devices, all at once, and deletes them so."""
        for verb in (["create", "--class", "plain", "--no-start"], ["delete"]):
            runs = [subprocess.Popen([self.build / "core/lpctl", "--socket", self.socket,
                                      "machine", verb[0], f"vm{i}", *verb[1:]])
                    for i in range(MACHINES)]
            if any([run.wait() for run in runs]):
                sys.exit(f"bench-daemon: machine {verb[0]} has failed")


def stop(process):
    process.terminate()
    process.wait()


def read_cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def wait_idle(pid):
    looks = [None]

    def is_idle():
        ticks = read_cpu_ticks(pid)
        looks[:] = looks + [ticks] if ticks == looks[-1] else [ticks]
        return len(looks) > IDLE_LOOKS

    wait_until(is_idle, "to come to rest", IDLE_POLL_S)


def read_memory(pid):
    """RssAnon and VmRSS in MiB."""
    wait_idle(pid)
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return int(values["RssAnon"].split()[0]) / 1024, int(values["VmRSS"].split()[0]) / 1024


def print_target(text, measured, limit):
    print(f"  target: {text}: {measured:.2f}, {'met' if measured <= limit else 'MISSED'}")


def bench_memory(made):
    bare, _ = made.start_bare()
    bare_memory = read_memory(bare.pid)
    stop(bare)
    daemon, _ = made.start_daemon()
    started = read_memory(daemon.pid)
    made.list_devices()
    listed = read_memory(daemon.pid)
    for _ in range(20):
        made.list_devices()
    often = read_memory(daemon.pid)
    for _ in range(6):
        made.run_machines()
    worked = read_memory(daemon.pid)
    stop(daemon)
    print(f"daemon: memory in MiB, {DEVICES} devices, {made.uri}")
    print(f"{'':44} {'RssAnon':>10} {'Rss':>10} {'Rss ratio':>10}")
    for name, memory in (("bare program", bare_memory), ("daemon after its start", started),
                         ("after one lpctl device list", listed), ("after twenty more", often),
                         (f"after 6 times {MACHINES} machines at once", worked)):
        print(f"{name:44} {memory[0]:10.2f} {memory[1]:10.2f} {memory[1] / bare_memory[1]:10.2f}")
    print_target("RssAnon after its start, MiB, at most 6", started[0], MAX_PRIVATE_MIB)
    print_target("RssAnon after a list, MiB, at most 6", listed[0], MAX_PRIVATE_MIB)
    print_target("RssAnon after machines, MiB, at most 6", worked[0], MAX_PRIVATE_MIB)
    print_target("times the Rss of the bare program, at most 1.25", started[1] / bare_memory[1],
                 MAX_RESIDENT_RATIO)
    print_target("the same after a list, at most 1.25", listed[1] / bare_memory[1],
                 MAX_RESIDENT_RATIO)


def bench_start(made):
    bare, ready, discovery = [], [], []
    for _ in range(STARTS):
        process, spent_ms = made.start_bare()
        stop(process)
        bare.append(spent_ms)
        process, spent_ms = made.start_daemon()
        stop(process)
        ready.append(spent_ms)
        discovery.append(made.discover())
    print(f"\ndaemon: from exec to the first answer in ms, {DEVICES} devices")
    print(f"{'':44} {'best':>10} {'median':>10}")
    for name, times in (("bare program, connected to libvirt", bare), ("daemon ready", ready),
                        ("one discovery in a fresh process", discovery)):
        print(f"{name:44} {min(times):10.1f} {statistics.median(times):10.1f}")
    best, median = (middle(ready) - middle(discovery) for middle in (min, statistics.median))
    print(f"{'daemon ready less discovery':44} {best:10.1f} {median:10.1f}")
    print_target("ready less discovery, ms, at most 50", median, MAX_READY_MS)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: bench-daemon.py BUILD_FOLDER [LIBVIRT_URI]")
    uri = sys.argv[2] if len(sys.argv) == 3 else "test:///default"
    with tempfile.TemporaryDirectory(prefix="bench-daemon-", dir=sys.argv[1]) as folder:
        made = Made(sys.argv[1], uri, pathlib.Path(folder))
        try:
            bench_memory(made)
            bench_start(made)
        finally:
            made.close()


if __name__ == "__main__":
    main()
