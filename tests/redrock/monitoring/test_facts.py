"""What is true of a server for its whole life."""

import os

from redrock.monitoring.facts import ServerFacts
from redrock.util.random import RandomSource


def test_facts() -> None:
    facts = ServerFacts(RandomSource(1))
    assert len(facts.run_id) == 40
    assert facts.run_id != ServerFacts(RandomSource(2)).run_id
    assert os.path.isabs(facts.executable)
    assert facts.version
    assert not facts.skip_checksums
