"""Readiness of many descriptors, itself a descriptor that Trio can wait for.

On Linux this is epoll, used directly: `selectors` builds a SelectorKey per event, which costs as much as parsing a
request. Elsewhere `selectors.DefaultSelector` serves, as long as it has a descriptor (kqueue).
"""

import select
import selectors
from typing import Final

from mypy_extensions import mypyc_attr

READABLE: Final = 1  # select.EPOLLIN
WRITABLE: Final = 4  # select.EPOLLOUT
BROKEN: Final = 8 | 16  # select.EPOLLERR | select.EPOLLHUP


@mypyc_attr(allow_interpreted_subclasses=True)
class Poller:
    """Level-triggered readiness. Events are (descriptor, mask of READABLE, WRITABLE, BROKEN).

    A mask of 0 asks for nothing; some pollers report BROKEN all the same.
    """

    def fileno(self) -> int:
        raise NotImplementedError

    def register(self, fd: int, mask: int) -> None:
        raise NotImplementedError

    def modify(self, fd: int, mask: int) -> None:
        raise NotImplementedError

    def unregister(self, fd: int) -> None:
        raise NotImplementedError

    def poll(self) -> list[tuple[int, int]]:
        """What is ready now; never waits."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class EpollPoller(Poller):
    def __init__(self) -> None:
        self._epoll: Final = select.epoll()

    def fileno(self) -> int:
        return self._epoll.fileno()

    def register(self, fd: int, mask: int) -> None:
        self._epoll.register(fd, mask)

    def modify(self, fd: int, mask: int) -> None:
        self._epoll.modify(fd, mask)

    def unregister(self, fd: int) -> None:
        self._epoll.unregister(fd)

    def poll(self) -> list[tuple[int, int]]:
        return self._epoll.poll(0, 512)

    def close(self) -> None:
        self._epoll.close()


class SelectorPoller(Poller):
    """The portable form. The values of READABLE and WRITABLE are translated to the selector's.

    A selector cannot watch a descriptor for nothing at all: such descriptors are in ``_unwatched``.
    """

    def __init__(self) -> None:
        self._selector: Final = selectors.DefaultSelector()
        self._unwatched: Final[set[int]] = set()

    def fileno(self) -> int:
        number = getattr(self._selector, "fileno", None)
        if number is None:
            raise OSError("this platform's selector cannot be waited for")
        return int(number())

    @staticmethod
    def _events(mask: int) -> int:
        return (selectors.EVENT_READ if mask & READABLE else 0) | (selectors.EVENT_WRITE if mask & WRITABLE else 0)

    def register(self, fd: int, mask: int) -> None:
        self._selector.register(fd, self._events(mask))

    def modify(self, fd: int, mask: int) -> None:
        if fd in self._unwatched:
            if mask:
                self._unwatched.remove(fd)
                self._selector.register(fd, self._events(mask))
        elif mask:
            self._selector.modify(fd, self._events(mask))
        else:
            self._selector.unregister(fd)
            self._unwatched.add(fd)

    def unregister(self, fd: int) -> None:
        if fd in self._unwatched:
            self._unwatched.remove(fd)
        else:
            self._selector.unregister(fd)

    def poll(self) -> list[tuple[int, int]]:
        return [
            (
                key.fd,
                (READABLE if events & selectors.EVENT_READ else 0)
                | (WRITABLE if events & selectors.EVENT_WRITE else 0),
            )
            for key, events in self._selector.select(0)
        ]

    def close(self) -> None:
        self._selector.close()


def make_poller() -> Poller:
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()
