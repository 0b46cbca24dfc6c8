"""`make bench`: redrock-server (compiled) and redis-server side by side, driven in turns, medians and ratios printed.

Two measures of speed: requests per second as redis-benchmark sees them, and the CPU time (user + system, microseconds
per request) of all processes of the server, read from /proc; a shared, noisy machine disturbs the latter least. Memory
is anonymous resident memory (RssAnon) of all processes of the server, children included: LevelDB's mapped files are the
page cache's, not ours. Linux only. Nothing is left running or on disk.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import platform
import random
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import attrs
import click

ROOT: Final = Path(__file__).resolve().parent.parent
COMPILED: Final = ROOT / "build" / "compiled"
CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")
MEGABYTE: Final = 1_000_000
KEYS_OF_SPEED: Final = 100_000
HOT_KEYS: Final = 10_000


# --- Servers


def process_tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                # The name, in parentheses, may hold anything; the fields behind it are state and parent.
                parents[int(entry)] = int(Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1])
    family = {root}
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in family}
        grown = not children <= family
        family |= children
    return sorted(family)


def cpu_seconds(root: int) -> float:
    """CPU time that the process tree has used so far, ended children included."""
    ticks = 0
    for pid in process_tree(root):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks / CLOCK_TICKS


def anonymous_bytes(root: int) -> int:
    """Anonymous resident memory of the process tree."""
    total = 0
    for pid in process_tree(root):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    total += int(line.split()[1]) * 1024
    return total


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


class Server:
    """A server under measurement, in a folder of its own, on a free port."""

    def __init__(self, kind: str, packages: Path, folder: Path, options: list[str]) -> None:
        self.kind = kind
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(dir=folder, prefix=f"{kind}-"))
        environment = dict(os.environ)
        if kind == "redrock":
            environment["PYTHONPATH"] = str(packages)
            program = [sys.executable, "-P", "-m", "redrock.cli.server"]
        else:
            program = [find_program("redis-server")]
        words = ["--port", str(self.port), "--save", "", "--dir", str(self._folder), "--loglevel", "warning", *options]
        self._log = self._folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*program, *words],
                cwd=self._folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._wait_ready()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise click.ClickException(f"{self.kind} does not start:\n{self._log.read_text(errors='replace')}")
            with contextlib.suppress(OSError):
                if self.command(b"PING") == b"+PONG\r\n":
                    return
            time.sleep(0.05)

    def connect(self, timeout: float = 120) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def command(self, *argv: bytes, timeout: float = 120) -> bytes:
        """One command with a short answer, as bytes of RESP."""
        with self.connect(timeout) as connection:
            connection.sendall(encode(*argv))
            return connection.recv(1 << 20)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def find_program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise click.ClickException(f"{name} is needed on PATH")
    return path


def encode(*argv: bytes) -> bytes:
    return b"*%d\r\n" % len(argv) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in argv])


# --- Speed, by redis-benchmark


@attrs.frozen
class Load:
    """One thing to measure: how redis-benchmark is called, and the least ratio ours/Redis that is wanted."""

    name: str
    words: tuple[str, ...]
    pipeline: int
    wanted: float


_COMMANDS: Final = (
    ("GET", ("-t", "get")),
    ("SET", ("-t", "set")),
    ("INCR", ("-t", "incr")),
    ("HSET", ("-t", "hset")),
    ("HGET", ("HGET", "myhash", "field")),
)
LOADS: Final = tuple(
    Load(f"{name} -P {pipeline}", words, pipeline, wanted)
    for pipeline, wanted in ((1, 0.70), (16, 0.45))
    for name, words in _COMMANDS
)
FSYNC_LOADS: Final = (Load("SET appendfsync always", ("-t", "set"), 1, 1.0),)


@attrs.frozen
class Sample:
    """One run: requests per second, CPU microseconds per request, p99 in milliseconds."""

    rate: float
    cpu_us: float
    p99_ms: float


def run_benchmark(server: Server, load: Load, requests: int, clients: int = 50) -> Sample:
    options = ["-p", str(server.port), "-c", str(clients), "-n", str(requests), "-P", str(load.pipeline), "--csv"]
    options += ["-r", str(KEYS_OF_SPEED)]
    before = cpu_seconds(server.pid)
    done = subprocess.run(
        [find_program("redis-benchmark"), *options, *load.words],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    used = cpu_seconds(server.pid) - before
    rows = list(csv.DictReader(io.StringIO(done.stdout[done.stdout.index('"test"') :])))
    row = rows[0]
    return Sample(float(row["rps"]), used * 1e6 / requests, float(row["p99_latency_ms"]))


def fill_for_speed(server: Server) -> None:
    """Give GET something to find, and HGET its field."""
    with server.connect() as connection:
        for first in range(0, KEYS_OF_SPEED, 1000):
            batch = [encode(b"SET", b"key:%012d" % key, b"xxx") for key in range(first, first + 1000)]
            exchange_ok(connection, batch)
        connection.sendall(encode(b"HSET", b"myhash", b"field", b"xxx"))
        connection.recv(100)


def exchange_ok(connection: socket.socket, batch: list[bytes]) -> None:
    connection.sendall(b"".join(batch))
    wanted = b"+OK\r\n" * len(batch)
    answer = receive_exactly(connection, len(wanted))
    if answer != wanted:
        raise click.ClickException(f"unexpected answer {answer[:200]!r}")


def receive_exactly(connection: socket.socket, length: int) -> bytes:
    pieces: list[bytes] = []
    while length:
        piece = connection.recv(min(length, 1 << 20))
        if not piece:
            raise click.ClickException("the server closed the connection")
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


@attrs.frozen
class Comparison:
    """The medians of one load."""

    name: str
    ours: Sample
    redis: Sample
    wanted: float

    @property
    def rate_ratio(self) -> float:
        return self.ours.rate / self.redis.rate

    @property
    def cpu_ratio(self) -> float:
        return self.ours.cpu_us / self.redis.cpu_us if self.redis.cpu_us else float("nan")


def median_of(samples: list[Sample]) -> Sample:
    return Sample(
        statistics.median([sample.rate for sample in samples]),
        statistics.median([sample.cpu_us for sample in samples]),
        statistics.median([sample.p99_ms for sample in samples]),
    )


def compare(ours: Server, redis: Server, load: Load, rounds: int, requests: int) -> Comparison:
    """Both servers in turns, the first one changing from round to round."""
    samples: dict[str, list[Sample]] = {"redrock": [], "redis": []}
    for server in (ours, redis):
        run_benchmark(server, load, requests // 5)
    for number in range(rounds):
        for server in (ours, redis) if number % 2 == 0 else (redis, ours):
            samples[server.kind].append(run_benchmark(server, load, requests))
    return Comparison(load.name, median_of(samples["redrock"]), median_of(samples["redis"]), load.wanted)


# --- A million values


class Million:
    """Keys k1..k<count>, each with 2 to 2000 letters that follow from its number: nothing needs to be remembered."""

    def __init__(self, count: int) -> None:
        self.count = count
        chance = random.Random(count)
        self._letters = bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=1 << 20))

    def value(self, number: int) -> bytes:
        # Two steps of a multiplicative generator: neighbours differ in length and place.
        mixed = number * 2654435761 & 0xFFFFFFFF
        length = 2 + mixed % 1999
        start = (mixed * 40503 >> 7) % ((1 << 20) - 2000)
        return self._letters[start : start + length]

    def batches(self) -> Iterator[range]:
        for first in range(1, self.count + 1, 1000):
            yield range(first, min(first + 1000, self.count + 1))

    def load_into(self, server: Server) -> float:
        """SET all, pipelined; the seconds it took."""
        started = time.monotonic()
        with server.connect(600) as connection:
            for batch in self.batches():
                exchange_ok(connection, [encode(b"SET", b"k%d" % key, self.value(key)) for key in batch])
        return time.monotonic() - started

    def verify(self, server: Server, seconds_max: float) -> tuple[int, int, float]:
        """GET all in order: how many were read, how many of them were wrong, the seconds."""
        started = time.monotonic()
        read = wrong = 0
        with server.connect(600) as connection:
            for batch in self.batches():
                values = [self.value(key) for key in batch]
                wanted = b"".join([b"$%d\r\n%b\r\n" % (len(value), value) for value in values])
                connection.sendall(b"".join([encode(b"GET", b"k%d" % key) for key in batch]))
                if receive_exactly(connection, len(wanted)) != wanted:
                    wrong += self._count_wrong(server, batch)
                    # What is left of the answers, if they were longer, is of no use: go on with a new connection.
                    break
                read += len(batch)
                if time.monotonic() - started > seconds_max:
                    break
        return read, wrong, time.monotonic() - started

    def _count_wrong(self, server: Server, batch: range) -> int:
        wrong = 0
        for key in batch:
            value = self.value(key)
            wanted = b"$%d\r\n%b\r\n" % (len(value), value)
            with server.connect() as connection:
                connection.sendall(encode(b"GET", b"k%d" % key))
                answer = connection.recv(1 << 16)
            wrong += answer != wanted
        return wrong


class RandomReaders:
    """Many connections, each with one GET of a random key under way; answers are checked."""

    def __init__(self, server: Server, data: Million, clients: int) -> None:
        self._server = server
        self._data = data
        self._clients = clients
        self.requests = 0
        self.wrong = 0
        self.seconds = 0.0
        self.latencies_ms: list[float] = []

    def run(self, seconds: float, stop: threading.Event | None = None) -> None:
        chance = random.Random(7)
        selector = selectors.DefaultSelector()
        count = self._data.count
        waiting: dict[int, tuple[socket.socket, bytes, float]] = {}
        partial: dict[int, bytes] = {}
        started = time.monotonic()

        def ask(connection: socket.socket) -> None:
            key = chance.randrange(1, count + 1)
            value = self._data.value(key)
            waiting[connection.fileno()] = (connection, b"$%d\r\n%b\r\n" % (len(value), value), time.monotonic())
            word = b"k%d" % key
            connection.sendall(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(word), word))

        connections = [self._server.connect() for _ in range(self._clients)]
        try:
            for connection in connections:
                selector.register(connection, selectors.EVENT_READ)
                ask(connection)
            now = started
            while now - started < seconds and not (stop and stop.is_set()):
                for selected, _ in selector.select(1):
                    number = selected.fd
                    connection, wanted, asked_at = waiting[number]
                    answer = partial.pop(number, b"") + connection.recv(1 << 16)
                    now = time.monotonic()
                    if len(answer) < len(wanted) and not answer.startswith((b"-", b"$-1")):
                        partial[number] = answer
                        continue
                    self.requests += 1
                    self.wrong += answer != wanted
                    self.latencies_ms.append((now - asked_at) * 1000)
                    ask(connection)
        finally:
            self.seconds = time.monotonic() - started
            selector.close()
            for connection in connections:
                connection.close()

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class MemorySampler:
    """The greatest anonymous resident memory of a server while a block runs."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.bytes_max = 0

    def __enter__(self) -> MemorySampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.bytes_max = max(self.bytes_max, anonymous_bytes(self._server.pid))
            if self._stop.wait(0.1):
                return


def settled_memory(server: Server) -> tuple[float, float]:
    """Anonymous megabytes when they have not fallen for some seconds (the server gives memory back in slices), and the
    seconds until then.
    """
    started = lowest_at = time.monotonic()
    lowest = anonymous_bytes(server.pid)
    while time.monotonic() - lowest_at < 6 and time.monotonic() - started < 90:
        time.sleep(0.25)
        now = anonymous_bytes(server.pid)
        if now < lowest - MEGABYTE:
            lowest, lowest_at = now, time.monotonic()
    return anonymous_bytes(server.pid) / MEGABYTE, lowest_at - started


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


# --- Reports


class Report:
    """Prints as it goes, and keeps the figures for --json."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, float | str | bool]] = {}
        self.met = True

    def facts(self, packages: Path) -> None:
        model = next(
            (line.partition(":")[2].strip() for line in read_lines("/proc/cpuinfo") if line.startswith("model name")),
            platform.processor(),
        )
        memory = next((line.split()[1] for line in read_lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
        facts = {
            "date": time.strftime("%Y-%m-%d %H:%M %Z"),
            "cpu": model,
            "cores": str(os.cpu_count()),
            "memory": f"{int(memory) / 1e6:.1f} GB",
            "system": f"{platform.system()} {platform.release()}",
            "load": f"{os.getloadavg()[0]:.1f} at the start",
            "redis-server": output_of([find_program("redis-server"), "--version"]),
            "redrock-server": output_of([sys.executable, "-P", "-m", "redrock.cli.server", "--version"], packages),
        }
        for name, text in facts.items():
            print(f"{name:15s} {text}")
        self.figures["machine"] = dict(facts)

    def header(self, title: str) -> None:
        print(f"\n{title}")
        print(f"{'':26s} {'requests/s':>19s}  {'ratio':>6s} {'wanted':>7s}   {'CPU us/request':>15s}  {'ratio':>6s}")
        print(f"{'':26s} {'ours':>9s} {'Redis':>9s}  {'':6s} {'':7s}   {'ours':>7s} {'Redis':>7s}")

    def comparison(self, line: Comparison) -> None:
        good = line.rate_ratio >= line.wanted
        self.met &= good
        print(
            f"{line.name:26s} {line.ours.rate:9.0f} {line.redis.rate:9.0f}  {line.rate_ratio:6.2f} "
            f"{'>=' + format(line.wanted, '.2f'):>7s}{' ' if good else '!'}  "
            f"{line.ours.cpu_us:7.2f} {line.redis.cpu_us:7.2f}  {line.cpu_ratio:6.2f}",
            flush=True,
        )
        self.figures[line.name] = {
            "ours_per_second": line.ours.rate,
            "redis_per_second": line.redis.rate,
            "ratio": line.rate_ratio,
            "wanted": line.wanted,
            "ours_cpu_us": line.ours.cpu_us,
            "redis_cpu_us": line.redis.cpu_us,
            "cpu_ratio": line.cpu_ratio,
        }

    def figure(self, name: str, value: float, unit: str, wanted: str = "", good: bool = True) -> None:
        self.met &= good
        beside = f"   wanted {wanted}{'' if good else '  MISSED'}" if wanted else ""
        print(f"{name:58s} {value:12.2f} {unit}{beside}", flush=True)
        self.figures[name] = {"value": value, "unit": unit, "wanted": wanted, "met": good}


def read_lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def output_of(words: list[str], packages: Path | None = None) -> str:
    environment = dict(os.environ)
    if packages:
        environment["PYTHONPATH"] = str(packages)
    return subprocess.run(words, capture_output=True, text=True, env=environment, check=True).stdout.strip()


# --- Scenarios


@attrs.frozen
class Setup:
    """What all scenarios share."""

    packages: Path
    folder: Path
    rounds: int
    quick: bool
    report: Report

    def start(self, kind: str, *options: str) -> Server:
        return Server(kind, self.packages, self.folder, list(options))

    @contextlib.contextmanager
    def pair(self, *options: str) -> Iterator[tuple[Server, Server]]:
        ours = self.start("redrock", *options)
        try:
            redis = self.start("redis", *options)
            try:
                yield ours, redis
            finally:
                redis.close()
        finally:
            ours.close()


def speed(setup: Setup) -> None:
    """Rates and CPU time of plain commands."""
    setup.report.header(f"50 clients, medians of {setup.rounds} rounds")
    with setup.pair() as (ours, redis):
        for server in (ours, redis):
            fill_for_speed(server)
        for load in LOADS:
            requests = (60_000 if load.pipeline == 1 else 240_000) // (3 if setup.quick else 1)
            setup.report.comparison(compare(ours, redis, load, setup.rounds, requests))


def fsync(setup: Setup) -> None:
    """SET where every acknowledged write is on the disk."""
    setup.report.header("AOF with appendfsync always, 50 clients")
    with setup.pair("--appendonly", "yes", "--appendfsync", "always") as (ours, redis):
        for load in FSYNC_LOADS:
            requests = 10_000 if setup.quick else 40_000
            setup.report.comparison(compare(ours, redis, load, setup.rounds, requests))


def memory(setup: Setup) -> None:
    """A million values: all of them spilled, read back, and read at random."""
    report = setup.report
    data = Million(100_000 if setup.quick else 1_000_000)
    scale = data.count / 1_000_000
    print(f"\n{data.count} keys with values of 2 to 2000 letters, then ROCKALL")
    server = setup.start("redrock", "--maxrockmem", "8gb")
    try:
        report.figure("load", data.load_into(server), "s")
        report.figure("anonymous memory, all hot", anonymous_bytes(server.pid) / MEGABYTE, "MB")
        started = time.monotonic()
        answer = server.command(b"ROCKALL", timeout=900)
        if answer.startswith(b"-"):
            raise click.ClickException(answer.decode())
        report.figure("ROCKALL", time.monotonic() - started, "s")
        after, seconds = settled_memory(server)
        report.figure("anonymous memory after ROCKALL, settled", after, "MB", "<= 160", after <= 160)
        report.figure("  which took", seconds, "s")
        read, wrong, seconds = data.verify(server, 600)
        report.figure("values read back, pipelined", read / seconds, "per second")
        report.figure("values wrong or missing", wrong + data.count - read, "", "0", wrong == 0 and read == data.count)
        server.command(b"ROCKALL", timeout=900)
        _hot_beside_cold(setup, server, data, scale)
    finally:
        server.close()


def _hot_beside_cold(setup: Setup, server: Server, data: Million, scale: float) -> None:
    report = setup.report
    with server.connect() as connection:
        for first in range(0, HOT_KEYS, 1000):
            exchange_ok(
                connection, [encode(b"SET", b"hot:%012d" % key, b"x" * 1000) for key in range(first, first + 1000)]
            )
    hot = Load("hot GET", ("-r", str(HOT_KEYS), "GET", "hot:__rand_int__"), 1, 0.0)
    requests = 60_000 if setup.quick else 200_000
    run_benchmark(server, hot, requests // 5)
    alone = median_of([run_benchmark(server, hot, requests) for _ in range(min(3, setup.rounds))])
    report.figure("hot GETs, 50 clients, alone", alone.rate, "per second")
    report.figure("  their p99", alone.p99_ms, "ms")

    seconds = max(2.0, 10 * scale)
    readers = RandomReaders(server, data, 50)
    before = cpu_seconds(server.pid)
    readers.run(seconds)
    used = cpu_seconds(server.pid) - before
    share = readers.rate / alone.rate
    report.figure("random GETs over all (cold) keys, 50 clients", readers.rate, "per second")
    report.figure("  of the rate of hot ones", share, "", ">= 0.20", share >= 0.20)
    report.figure("  their p99", percentile(readers.latencies_ms, 0.99), "ms")
    report.figure("  CPU time per request", used * 1e6 / max(1, readers.requests), "us")
    report.figure("  wrong answers", readers.wrong, "", "0", readers.wrong == 0)
    server.command(b"ROCKALL", timeout=900)

    stop = threading.Event()
    others = RandomReaders(server, data, 50)
    thread = threading.Thread(target=others.run, args=(120.0, stop))
    thread.start()
    try:
        time.sleep(0.5)
        beside = run_benchmark(server, hot, requests // 4)
    finally:
        stop.set()
        thread.join()
    ratio = beside.p99_ms / alone.p99_ms
    report.figure("hot GETs while 50 other clients read cold keys", beside.rate, "per second")
    report.figure("  cold GETs meanwhile", others.rate, "per second")
    report.figure("  p99 of the hot ones", beside.p99_ms, "ms")
    report.figure("  p99, times what it was alone", ratio, "", "<= 3", ratio <= 3)


def spill(setup: Setup) -> None:
    """The same data, loaded into less memory than it needs."""
    report = setup.report
    data = Million(200_000 if setup.quick else 1_000_000)
    print(f"\n{data.count} keys with values of 2 to 2000 letters, loaded into maxrockmem 150mb")
    server = setup.start("redrock", "--maxrockmem", "150mb")
    try:
        with MemorySampler(server) as sampler:
            report.figure("load", data.load_into(server), "s")
            time.sleep(2)
        highest = sampler.bytes_max / MEGABYTE
        report.figure("greatest anonymous memory", highest, "MB", "<= 400", highest <= 400)
        report.figure("anonymous memory afterwards", anonymous_bytes(server.pid) / MEGABYTE, "MB")
        with MemorySampler(server) as sampler:
            read, wrong, seconds = data.verify(server, 600)
        report.figure("values read back, pipelined", read / seconds, "per second")
        report.figure("values wrong or missing", wrong + data.count - read, "", "0", wrong == 0 and read == data.count)
        report.figure("greatest anonymous memory meanwhile", sampler.bytes_max / MEGABYTE, "MB")
    finally:
        server.close()


SCENARIOS: Final[dict[str, Callable[[Setup], None]]] = {
    "speed": speed,
    "fsync": fsync,
    "memory": memory,
    "spill": spill,
}


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Rounds of which the medians are taken.")
@click.option("--quick", is_flag=True, help="Less of everything: to see that it works, not to quote.")
@click.option("--only", multiple=True, type=click.Choice(sorted(SCENARIOS)), help="Some scenarios only.")
@click.option("--packages", type=click.Path(path_type=Path), default=COMPILED, show_default=True)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures there.")
def main(rounds: int, quick: bool, only: tuple[str, ...], packages: Path, json_file: Path | None) -> None:
    """Measure redrock-server beside redis-server. The exit code is 1 if a wanted figure was missed."""
    if not packages.is_dir():
        raise click.ClickException(f"{packages} does not exist: make compiled")
    report = Report()
    report.facts(packages)
    with tempfile.TemporaryDirectory(prefix="redrock-bench-") as folder:
        setup = Setup(packages.resolve(), Path(folder), min(rounds, 2) if quick else rounds, quick, report)
        for name, scenario in SCENARIOS.items():
            if not only or name in only:
                scenario(setup)
    if json_file:
        json_file.write_text(json.dumps(report.figures, indent=2) + "\n")
    print("\nAll wanted figures were reached." if report.met else "\nSome wanted figures were missed (marked).")
    sys.exit(0 if report.met or quick else 1)


if __name__ == "__main__":
    main()
