"""Whole clusters in one process. Each seed is another story of clients and faults, and ends in equal datasets.

REDROCK_SIM_SEEDS=1000 plays that many; a failure names its seed, and how to play it again.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, packages_path

SEEDS = int(os.environ.get("REDROCK_SIM_SEEDS", "10"))
GROUP = 5


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since the order of hash tables is fixed when a process starts."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "tests.simulation.run", *arguments],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join((packages_path(), str(ROOT)))},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_every_run_ends_in_equal_datasets(first: int) -> None:
    played = run(str(first), str(min(GROUP, SEEDS - first)))
    assert played.returncode == 0, played.stdout


def test_the_same_seed_tells_the_same_story() -> None:
    """Else a failure could not be played again."""
    stories = [run("3", "1", "--story").stdout for _ in range(2)]
    assert stories[0].count("\n") > 20
    assert stories[0] == stories[1]


def test_a_difference_is_found() -> None:
    """The checker works: one value is spoiled behind the replication's back."""
    played = run("3", "1", "--spoil")
    assert played.returncode == 1
    assert "differ at" in played.stdout
    assert "FAILED: PYTHONHASHSEED=0 python -m tests.simulation.run 3" in played.stdout
