import mmap
import sys
from pathlib import Path

import pytest

from redrock.monitoring.resident import resident_bytes, total_resident_bytes


def test_memory_in_use_is_seen() -> None:
    before = resident_bytes()
    assert 1 << 20 < before <= total_resident_bytes()
    held = bytearray(b"x" * (32 << 20))
    assert resident_bytes() > before + (20 << 20)
    assert len(held) == 32 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells anonymous memory apart")
def test_mapped_files_are_not_anonymous(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (32 << 20))
    before, total_before = resident_bytes(), total_resident_bytes()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[at] for at in range(0, len(mapped), 4096)) == ord("x") * 8192
        assert total_resident_bytes() > total_before + (20 << 20)
        assert resident_bytes() < before + (8 << 20)
