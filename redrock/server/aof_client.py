"""The append-only log as a client: its commands run like anybody's, but nothing refuses them and nobody is answered.

Source: Redis 7.0.15, aof.c, createAOFClient and loadSingleAppendOnlyFile.
"""

from typing import Final

from redrock import errors
from redrock.clients.client import IN_MULTI, IS_LEADER_LINK, Client
from redrock.commands.table import CommandTable
from redrock.errors import ReplyError
from redrock.interfaces import CommandExecutor
from redrock.keyspace.keyspace import Keyspace
from redrock.server.execution import Execution


class AofClient(CommandExecutor):
    """``apply`` raises ReplyError for a command that does not exist; what a command answers is dropped."""

    def __init__(self, keyspace: Keyspace, table: CommandTable, execution: Execution) -> None:
        self._keyspace: Final = keyspace
        self._table: Final = table
        self._execution: Final = execution
        self._client: Final = Client(0, None, keyspace.databases[0], keyspace.now_ms)
        self._client.gate = IS_LEADER_LINK

    def apply(self, argv: list[bytes]) -> None:
        command = self._table.find(argv)
        if command is None or command.handler is None:
            raise ReplyError(errors.unknown_command(argv))
        client = self._client
        if client.gate & IN_MULTI and command.name not in (b"exec", b"multi"):
            self._execution.ctx.transactions.queue(client, command.flags, argv)
            return
        if not command.accepts(len(argv)):
            raise ReplyError(errors.wrong_arity(command.name))
        self._keyspace.applying = True
        try:
            self._execution.call(client, command, argv)
        finally:
            self._keyspace.applying = False
