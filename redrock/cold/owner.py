"""The keyspace as the tier sees it: whose values these are. Implemented in redrock.keyspace; called synchronously."""

from mypy_extensions import mypyc_attr

from redrock.datatypes.value import ColdMarker, Value


@mypyc_attr(allow_interpreted_subclasses=True)
class ColdOwner:
    """Told what has become of rows, which are named by (store id, key)."""

    def value_loaded(self, store_id: int, key: bytes, value: Value) -> None:
        """The value of a marker has been read: it takes the marker's place, and whoever waits for it may go on."""
        raise NotImplementedError

    def load_failed(self, store_id: int, key: bytes, text: bytes) -> None:
        """The value of a marker cannot be read; ``text`` is the error for whoever waits for it. The marker stays."""
        raise NotImplementedError

    def load_void(self, store_id: int, key: bytes) -> None:
        """There is no marker any more to load a value for: whoever waits for it should look again."""
        raise NotImplementedError

    def value_written(self, store_id: int, key: bytes, value: Value, marker: ColdMarker) -> bool:
        """The row has been written: if the value is still there, untouched, the marker takes its place.

        False: it is not, and the row is stale.
        """
        raise NotImplementedError

    def write_failed(self, value: Value) -> None:
        """The row has not been written: the value stays hot."""
        raise NotImplementedError

    def encoding_of(self, store_id: int, key: bytes) -> bytes:
        """What the marker of this key says its value's encoding is."""
        raise NotImplementedError
