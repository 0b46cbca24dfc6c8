"""Replication as a whole: the one object that commands, INFO, the executor and the tasks speak to.

Synchronous throughout. What has to wait is left to the tasks: the supervisor is woken when a follower needs a sender, a
pipe a reader, or the role another link. Source: Redis 7.0.15, replication.c, syncCommand, replicationSetMaster,
replicationUnsetMaster, replicationCron; server.c, loadDataFromDisk.

Times are milliseconds since the epoch, offsets bytes of the stream.
"""

import logging
from typing import Final

from persistence.rdb.writer import ReplicationInfo
from redrock import errors
from redrock.clients.client import IS_LEADER_LINK, IS_REPLICA, Client
from redrock.clients.output import CLASS_REPLICA
from redrock.config.values import LIMIT_REPLICA, SettingValues
from redrock.errors import ReplyError
from redrock.interfaces import PassHook
from redrock.keyspace.keyspace import Keyspace
from redrock.monitoring.stats import Statistics
from redrock.resp.reply import Reply
from redrock.util.random import RandomSource
from replication.feed import Feed
from replication.follower.cached_leader import CachedLeader
from replication.identity import ReplicationIdentity
from replication.info import LeaderFacts, info_fields
from replication.leader.acks import Acknowledgements
from replication.leader.followers import Follower, Followers, FollowerState, Waker
from replication.leader.full_sync import FollowerCloser, FullSync, Running, Snapshots
from replication.protocol.handshake import PsyncRequest
from replication.protocol.psync import History, answer_psync, continue_line
from replication.protocol.replconf import FollowerOptions
from replication.protocol.stream import GETACK, PING
from replication.role import LeaderAddress, Role

logger: Final = logging.getLogger("redrock.replication")


# So often blocks of the backlog are freed at a tick: together some 100 MB, which takes some milliseconds.
_TRIMS_PER_TICK: Final = 100


class ReplicationHost:
    """What replication asks of the server. Implemented above."""

    def close_client(self, client: Client) -> None:
        """Close the connection as soon as the pass allows; `Replication.client_gone` follows."""
        raise NotImplementedError

    def refuse_client(self, client: Client, error: bytes) -> None:
        """Answer with an error and close when it is sent."""
        raise NotImplementedError

    def answer_blocked(self, client: Client, reply: Reply) -> None:
        """A client in WAIT has its answer."""
        raise NotImplementedError

    def role_changed(self, follower: bool) -> None:
        """Leader now, or follower. A new follower's blocked clients are sent away (UNBLOCKED)."""
        raise NotImplementedError

    def link_changed(self) -> None:
        """The link to the leader is up, or no longer: `replica-serve-stale-data` may matter."""
        raise NotImplementedError

    def loading_changed(self) -> None:
        """A load of the leader's dataset has begun or ended: clients are told LOADING, or no longer."""
        raise NotImplementedError

    def dataset_flushed(self) -> None:
        """All keys are gone: WATCH and client-side caching have to know."""
        raise NotImplementedError

    def begin_pass(self) -> None:
        """Something outside of the executor's passes is to be done: the time is read."""
        raise NotImplementedError

    def end_pass(self) -> None:
        """It is done: what it caused goes out."""
        raise NotImplementedError

    def wake_executor(self) -> None:
        """A pass is due: clients have to be closed or answered although none has sent anything."""
        raise NotImplementedError


class Replication(FollowerCloser):
    """See the module. ``keyspace.now_ms`` is the time of the pass."""

    def __init__(
        self,
        settings: SettingValues,
        keyspace: Keyspace,
        stats: Statistics,
        random: RandomSource,
        host: ReplicationHost,
        snapshots: Snapshots,
    ) -> None:
        self.settings: Final = settings
        self.keyspace: Final = keyspace
        self.stats: Final = stats
        self.host: Final = host
        self.snapshots: Final = snapshots
        self.identity: Final = ReplicationIdentity(random)
        self.feed: Final = Feed(self.identity)
        self.role: Final = Role()
        self.followers: Final = Followers(keyspace.now_ms)
        self.acks: Final = Acknowledgements(self.followers)
        self.full_sync: Final = FullSync(settings, self.followers, self.feed, snapshots, self)
        self.supervisor: Waker | None = None
        self.link_waker: Waker | None = None  # sends an ACK to the leader
        self.link_cutter: Waker | None = None  # ends the connection to the leader; the link then makes a new one
        # Calls `end_of_pass` while there are followers.
        self.pass_hook = PassHook()
        self._newcomers: list[Follower] = []
        self._options: dict[int, tuple[Client, FollowerOptions]] = {}
        self._ticks = 1  # Redis' first one is at its start, when nobody can have come yet

    # --- Role

    def start(self) -> None:
        """At the start of the server, when the dataset is loaded: follow `replicaof`, if it is set."""
        configured = self.settings.replicaof
        if configured is not None:
            host, port = configured
            self._set_role(LeaderAddress(host, port))

    def follow(self, host: str, port: int) -> None:
        """REPLICAOF host port. The caller has checked that this is not the present leader."""
        now_ms = self.keyspace.now_ms
        was_leader = not self.role.is_follower
        self.role.link_is_down(now_ms)
        if was_leader:
            logger.info(
                "Before turning into a replica, using my own master parameters to synthesize a cached master: I may be "
                "able to synchronize with the new master with just a partial transfer."
            )
            # Perhaps the new leader was our follower: then it knows our id, and its stream will begin with a SELECT.
            identity = self.identity
            self.role.cached = CachedLeader(identity.replid, identity.master_repl_offset, -1)
        self._set_role(LeaderAddress(host, port))

    def lead(self) -> None:
        """REPLICAOF NO ONE. The followers are sent away, to learn the new id; a partial resync brings them back."""
        if not self.role.is_follower:
            return
        self._set_role(None)
        identity = self.identity
        identity.shift()
        logger.warning(
            "Setting secondary replication ID to %s, valid up to offset: %d. New replication ID is %s",
            identity.replid2.decode(),
            identity.second_repl_offset,
            identity.replid.decode(),
        )
        self.drop_followers()
        # Counted from now on, or the backlog would go before the followers are back.
        self.followers.none_since_ms = self.keyspace.now_ms

    def _set_role(self, leader: LeaderAddress | None) -> None:
        was_follower = self.role.is_follower
        self.role.set_leader(leader)
        self.settings.replicaof = None if leader is None else (leader.host, leader.port)
        self.feed.set_leading(leader is None)
        if was_follower != (leader is not None):
            self.host.role_changed(leader is not None)
        if leader is not None:
            logger.info("Connecting to MASTER %s:%d", leader.host, leader.port)
        self.wake_supervisor()

    def drop_followers(self) -> None:
        """Close all connections of followers."""
        for follower in self.followers:
            self.close_follower(follower)

    def restore(self, replid: bytes, offset: int, dbid: int) -> None:
        """The RDB loaded at start tells where in which history it stands: go on from there, in either role.

        As a follower (`replicaof` is set), the leader is asked for what followed. As a leader, followers that stand
        no further than this are served: by a new id, since writes may have been lost behind the RDB.
        """
        identity = self.identity
        if self.settings.replicaof is not None:
            identity.replid = replid
            identity.master_repl_offset = offset
            self.role.cached = CachedLeader(replid, offset, dbid)
            return
        identity.replid2 = replid
        identity.second_repl_offset = offset + 1
        identity.master_repl_offset = offset
        self.feed.create_backlog(self.settings.repl_backlog_size)
        self.followers.none_since_ms = self.keyspace.now_ms

    def save_info(self) -> ReplicationInfo | None:
        """What an RDB taken now says of the stream; None if nobody could make use of it.

        Source: rdb.c, rdbPopulateSaveInfo. A leader that has not selected a database will do so before its next write,
        so any number is right.
        """
        identity, role = self.identity, self.role
        if not role.is_follower:
            if self.feed.backlog is None:
                return None
            return ReplicationInfo(max(0, self.feed.selected_dbid), identity.replid, identity.master_repl_offset)
        if role.link_up:
            return ReplicationInfo(role.selected_dbid, identity.replid, identity.master_repl_offset)
        if role.cached is not None:
            return ReplicationInfo(max(0, role.cached.dbid), identity.replid, identity.master_repl_offset)
        return None

    # --- Commands of followers

    def options_of(self, client: Client) -> FollowerOptions:
        """What this connection has said of itself by REPLCONF."""
        entry = self._options.get(client.client_id)
        if entry is None:
            entry = self._options[client.client_id] = (client, FollowerOptions())
        return entry[1]

    def sync(self, client: Client, request: PsyncRequest | None) -> None:
        """PSYNC, or SYNC (``request`` None). What is answered goes out by the follower's sender."""
        follower = Follower(client, self.options_of(client), request is None, self.keyspace.now_ms)
        if request is not None and self._go_on(follower, request):
            self.stats.sync_partial_ok += 1
            return
        if request is not None and not request.replid.startswith(b"?"):
            self.stats.sync_partial_err += 1
        self.stats.sync_full += 1
        self._attach(follower)
        if self.feed.backlog is None:
            # Nothing is known of what happened before: a new history.
            self.identity.new_history()
            self.feed.create_backlog(self.settings.repl_backlog_size)
            logger.info(
                "Replication backlog created, my new replication IDs are '%s' and '%s'",
                self.identity.replid.decode(),
                self.identity.replid2.decode(),
            )
        self.full_sync.enter(follower, self.keyspace.now_ms)

    def _go_on(self, follower: Follower, request: PsyncRequest) -> bool:
        """Answer +CONTINUE if that is possible."""
        identity, backlog = self.identity, self.feed.backlog
        history = History(
            identity.replid,
            identity.replid2,
            identity.second_repl_offset,
            identity.master_repl_offset,
            None if backlog is None else backlog.first_byte_offset,
            0 if backlog is None else backlog.histlen,
        )
        answer = answer_psync(request, history, follower.name)
        for note in answer.notes:
            logger.log(logging.WARNING if note.startswith("Warning") else logging.INFO, "%s", note)
        if not answer.partial:
            return False
        assert backlog is not None
        follower.state = FollowerState.ONLINE
        follower.start_stream(backlog.hold(request.offset))
        follower.send_line(continue_line(identity.replid, follower.options.capa_psync2))
        self._attach(follower)
        logger.info(
            "Partial resynchronization request from %s accepted. Sending %d bytes of backlog starting from offset %d.",
            follower.name,
            backlog.end_offset() - request.offset,
            request.offset,
        )
        return True

    def _attach(self, follower: Follower) -> None:
        client = follower.client
        client.set(IS_REPLICA)
        client.output_class = CLASS_REPLICA
        self.followers.add(follower)
        self.pass_hook.wanted = True
        self._newcomers.append(follower)
        self.wake_supervisor()

    def check_sync(self, client: Client) -> None:
        """Whether SYNC may be served at all; raises ReplyError."""
        if self.role.is_follower and not self.role.link_up:
            raise ReplyError(errors.SYNC_NO_MASTER_LINK)
        if not client.output.is_empty():
            raise ReplyError(errors.SYNC_PENDING_OUTPUT)
        options = self.options_of(client)
        if options.filtered and not options.capa_eof:
            raise ReplyError(errors.SYNC_FILTER_NEEDS_EOF)
        logger.info("Replica %s asks for synchronization", self.name_of(client))

    def name_of(self, client: Client) -> str:
        """What the log calls a connection that is, or wants to be, a follower."""
        return Follower(client, self.options_of(client), False, 0).name

    def acknowledged(self, client: Client, offset: int) -> None:
        """REPLCONF ACK from a follower."""
        follower = self.followers.of_client(client)
        if follower is None:
            return
        follower.acknowledge(offset, self.keyspace.now_ms)
        if follower.start_on_ack and follower.state is FollowerState.ONLINE:
            follower.start_on_ack = False
            self.pump(follower)
        if self.acks.anybody_waits:
            for waiting, count in self.acks.served():
                self.host.answer_blocked(waiting, count)

    def client_gone(self, client: Client) -> None:
        """A connection is being closed: called before its descriptor is. The leader's, if CLIENT KILL names it."""
        if client.has(IS_LEADER_LINK):
            if self.link_cutter is not None:
                self.link_cutter.wake()
            return
        self._options.pop(client.client_id, None)
        follower = self.followers.of_client(client)
        if follower is None:
            return
        self._let_go(follower)
        self.full_sync.follower_gone(follower)

    def close_follower(self, follower: Follower) -> None:
        if follower.gone:
            return
        self._let_go(follower)
        self.full_sync.follower_gone(follower)
        self.host.close_client(follower.client)
        self.host.wake_executor()

    def refuse_follower(self, follower: Follower, error: bytes) -> None:
        client = follower.client
        client.unset(IS_REPLICA)
        self._let_go(follower)
        self.host.refuse_client(client, error)
        self.host.wake_executor()

    def _let_go(self, follower: Follower) -> None:
        self.followers.remove(follower, self.keyspace.now_ms)
        self.pass_hook.wanted = len(self.followers) > 0
        follower.drop()
        if follower.place is not None and self.feed.backlog is not None:
            self.feed.backlog.release(follower.place)
        follower.place = None
        if follower in self._newcomers:
            self._newcomers.remove(follower)

    # --- Sending

    def pump(self, follower: Follower) -> bool:
        """Send to one follower what its socket takes. True: nothing is left for now, or the follower is gone."""
        if follower.gone:
            return True
        before = follower.sent_bytes
        was_blocked = follower.blocked
        now_ms = self.keyspace.now_ms
        try:
            finished = follower.pump(self.feed.backlog, now_ms)
            if finished and follower.rdb_is_sent():
                self.full_sync.rdb_sent(follower, now_ms)
                finished = follower.gone or follower.pump(self.feed.backlog, now_ms)
        except OSError as error:
            logger.debug("Writing to replica %s: %s", follower.name, error)
            self.close_follower(follower)
            return True
        self.stats.total_net_repl_output_bytes += follower.sent_bytes - before
        if follower.state is FollowerState.WAIT_BGSAVE_END:
            self.full_sync.chunks_sent()
        if not finished and not was_blocked:
            follower.wake()  # the sender waits for room in the socket
        return finished

    def end_of_pass(self) -> None:
        """The stream goes out to all that can take it."""
        if not len(self.followers):
            self.acks.getack_wanted = False
            self.feed.has_news = False
            return
        self._check_replies()
        if not self.feed.has_news and not self.acks.getack_wanted:
            return
        if self.acks.getack_wanted:
            self.acks.getack_wanted = False
            if self.feed.leading and len(self.followers):
                self.feed.append(GETACK)
        self.feed.has_news = False
        for follower in self.followers:
            if follower.place is None:
                continue
            if not follower.blocked and follower.is_streaming():
                self.pump(follower)
            self._check_limit(follower)

    def _check_replies(self) -> None:
        """Whatever a follower sends has no reply: one would be taken for a part of the stream."""
        for follower in self.followers:
            client = follower.client
            if not client.output.is_empty():
                command = client.last_command.decode("utf-8", "backslashreplace")
                reply = client.output.writer.getvalue()
                if reply.startswith(b"-"):
                    logger.warning(
                        "== CRITICAL == This master is sending an error to its replica: '%s' after processing the "
                        "command '%s'",
                        reply[1:].partition(b"\r")[0].decode("utf-8", "backslashreplace"),
                        command,
                    )
                logger.warning(
                    "Replica generated a reply to command '%s', disconnecting it: %s", command, follower.name
                )
                client.output.clear()
                self.close_follower(follower)

    def _check_limit(self, follower: Follower) -> None:
        """Drop a follower that is too far behind.

        A hard limit below the backlog's size makes no sense: the backlog is kept anyway, and the follower would come
        back for a partial resync only to be dropped again.
        """
        backlog = self.feed.backlog
        if backlog is None or follower.place is None:
            return
        limit = self.settings.client_output_buffer_limit[LIMIT_REPLICA]
        hard_bytes = max(limit.hard_bytes, self.settings.repl_backlog_size) if limit.hard_bytes else 0
        unsent = backlog.unsent_bytes(follower.place)
        if follower.is_over(unsent, hard_bytes, limit.soft_bytes, limit.soft_seconds, self.keyspace.now_ms):
            logger.warning(
                "Client id=%d addr=%s scheduled to be closed ASAP for overcoming of output buffer limits.",
                follower.client.client_id,
                follower.client.address.decode("utf-8", "backslashreplace"),
            )
            self.close_follower(follower)

    # --- Once a second

    def tick(self) -> None:
        """Pings, signs of life, timeouts, the backlog's end, snapshots that are due."""
        now_ms = self.keyspace.now_ms
        settings = self.settings
        if self._ticks % settings.repl_ping_replica_period == 0 and len(self.followers) and self.feed.leading:
            self.feed.append(PING)
        self._ticks += 1
        self._tend_backlog()
        to_sockets = self.snapshots.running() is Running.RDB_TO_FOLLOWERS
        for follower in self.followers:
            self._keep_alive(follower, to_sockets, now_ms)
            self._check_limit(follower)
        self._drop_idle_backlog(now_ms)
        self.full_sync.tick(now_ms)
        self._options = {client_id: entry for client_id, entry in self._options.items() if not entry[0].close_asap}

    def _tend_backlog(self) -> None:
        """Follow `repl-backlog-size`, and free what a follower has left behind, even if nothing is written."""
        backlog = self.feed.backlog
        if backlog is None:
            return
        backlog.resize(self.settings.repl_backlog_size)
        for _ in range(_TRIMS_PER_TICK):
            if backlog.trim() == 0:
                break

    def _keep_alive(self, follower: Follower, to_sockets: bool, now_ms: int) -> None:
        state = follower.state
        waits_for_disk = state is FollowerState.WAIT_BGSAVE_END and not to_sockets
        if state is FollowerState.WAIT_BGSAVE_START or waits_for_disk:
            follower.send_line(b"\n")
            self.pump(follower)
        timeout_ms = self.settings.repl_timeout * 1000
        if state is FollowerState.ONLINE:
            if not follower.legacy and now_ms - follower.ack_ms > timeout_ms:
                logger.warning("Disconnecting timedout replica (streaming sync): %s", follower.name)
                self.close_follower(follower)
        elif (
            state is FollowerState.WAIT_BGSAVE_END
            and to_sockets
            and follower.blocked
            and now_ms - follower.last_progress_ms > timeout_ms
        ):
            # One that is stuck would hold up the child, and with it all others.
            logger.warning("Disconnecting timedout replica (full sync): %s", follower.name)
            self.close_follower(follower)

    def _drop_idle_backlog(self, now_ms: int) -> None:
        """repl-backlog-ttl. A follower keeps its backlog, for the day when it is promoted."""
        ttl = self.settings.repl_backlog_ttl
        if self.feed.backlog is None or len(self.followers) or self.role.is_follower or not ttl:
            return
        if now_ms // 1000 - self.followers.none_since_ms // 1000 > ttl:
            # Writes are not counted without a backlog, so our offsets will no longer tell how far we are: were the old
            # id kept, a former follower could take us for being where we are not.
            self.identity.new_history()
            self.feed.drop_backlog()
            logger.info("Replication backlog freed after %d seconds without connected replicas.", ttl)

    # --- The link to the leader reports

    def dataset_will_be_replaced(self) -> None:
        """A full sync from the leader begins to load: our followers must sync anew, nobody can go on with us."""
        if self.role.cached is not None:
            logger.info("Discarding previously cached master state.")
            self.role.cached = None
        self.drop_followers()
        self.feed.drop_backlog()

    def full_sync_done(self, replid: bytes | None, offset: int, dbid: int) -> None:
        """The leader's dataset is loaded. ``replid`` None: a leader that knows no ids (SYNC)."""
        if replid is None:
            self.identity.new_history()
        else:
            self.identity.adopt(replid, offset)
        self.role.link_is_up(self.identity.replid, self.identity.master_repl_offset, dbid, self.keyspace.now_ms)
        if self.feed.backlog is None:
            self.feed.create_backlog(self.settings.repl_backlog_size)

    def partial_sync_begins(self, replid: bytes | None) -> None:
        """The leader goes on where we stopped. A new id: it was promoted, and our followers have to be told."""
        cached = self.role.cached
        assert cached is not None
        if replid is not None and replid != cached.replid:
            logger.warning("Master replication ID changed to %s", replid.decode("ascii", "replace"))
            self.identity.rename(replid, cached.replid)
            cached = CachedLeader(replid, cached.offset, cached.dbid)
            self.drop_followers()
        self.role.link_is_up(cached.replid, cached.offset, cached.dbid, self.keyspace.now_ms)
        if self.feed.backlog is None:
            self.feed.create_backlog(self.settings.repl_backlog_size)

    def leader_wants_ack(self) -> None:
        """REPLCONF GETACK has come down the stream."""
        if self.link_waker is not None:
            self.link_waker.wake()

    # --- For the supervisor

    def take_newcomers(self) -> list[Follower]:
        """Followers that have no sender yet."""
        newcomers, self._newcomers = self._newcomers, []
        return newcomers

    def wake_supervisor(self) -> None:
        """Something has come up for a task to do."""
        if self.supervisor is not None:
            self.supervisor.wake()

    # --- Facts

    def good_replica_count(self) -> int:
        return self.followers.good_count(self.settings.min_replicas_max_lag, self.keyspace.now_ms)

    def link_is_up(self) -> bool:
        return self.role.link_up

    def count_acks(self, offset: int) -> int:
        return self.acks.count(offset)

    def info_fields(self) -> list[tuple[str, str]]:
        """INFO's section Replication, in Redis' order."""
        facts = LeaderFacts(self.followers, self.identity, self.feed.backlog, self.good_replica_count())
        return info_fields(self.role, facts, self.settings, self.keyspace.now_ms)
