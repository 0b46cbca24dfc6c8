"""May a follower go on? A table of histories and requests."""

import pytest

from replication.protocol.handshake import PsyncRequest
from replication.protocol.psync import History, answer_psync, continue_line, full_resync_line

ONE = b"1" * 40
TWO = b"2" * 40
OTHER = b"3" * 40
# 50 bytes of TWO, then 100 of ONE; the backlog holds bytes 41 to 150.
PROMOTED = History(ONE, TWO, 51, 150, 41, 110)
FRESH = History(ONE, b"0" * 40, -1, 150, 41, 110)
WITHOUT_BACKLOG = History(ONE, b"0" * 40, -1, 0, None, 0)

CASES = [
    (PROMOTED, ONE, 41, True),
    (PROMOTED, ONE, 40, False),
    (PROMOTED, ONE, 151, True),
    (PROMOTED, ONE, 152, False),
    (PROMOTED, TWO, 51, True),
    (PROMOTED, TWO, 52, False),
    (PROMOTED, TWO, 41, True),
    (PROMOTED, TWO, 40, False),
    (PROMOTED, OTHER, 50, False),
    (PROMOTED, b"?", -1, False),
    (FRESH, TWO, 50, False),
    (FRESH, ONE.upper(), 60, True),
    (WITHOUT_BACKLOG, ONE, 1, False),
]


@pytest.mark.parametrize(("history", "replid", "offset", "partial"), CASES)
def test_the_decision(history, replid, offset, partial):
    answer = answer_psync(PsyncRequest(replid, offset), history, "f:1")
    assert answer.partial is partial
    assert bool(answer.notes) is not partial


@pytest.mark.parametrize(
    ("history", "replid", "offset", "notes"),
    [
        (FRESH, b"?", -1, ("Full resync requested by replica f:1",)),
        (
            FRESH,
            OTHER,
            5,
            (
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for "
                f"'{OTHER.decode()}', my replication IDs are '{ONE.decode()}' and '{'0' * 40}')",
            ),
        ),
        (
            PROMOTED,
            TWO,
            52,
            (
                "Partial resynchronization not accepted: Requested offset for second ID was 52, but I can reply up "
                "to 51",
            ),
        ),
        (
            FRESH,
            ONE,
            3,
            ("Unable to partial resync with replica f:1 for lack of backlog (Replica request was: 3).",),
        ),
        (
            FRESH,
            ONE,
            999,
            (
                "Unable to partial resync with replica f:1 for lack of backlog (Replica request was: 999).",
                "Warning: replica f:1 tried to PSYNC with an offset that is greater than the master replication "
                "offset.",
            ),
        ),
    ],
)
def test_what_the_log_says(history, replid, offset, notes):
    assert answer_psync(PsyncRequest(replid, offset), history, "f:1").notes == notes


def test_lines():
    assert continue_line(ONE, True) == b"+CONTINUE " + ONE + b"\r\n"
    assert continue_line(ONE, False) == b"+CONTINUE\r\n"
    assert full_resync_line(ONE, 12) == b"+FULLRESYNC " + ONE + b" 12\r\n"
