"""Those who listen to the stream: each client's connection, and all of them together."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from qalypto_research.local.feed.conversation import RATE_LIMITED, Answer, Conversation, to_error
from qalypto_research.local.feed.faults import CONTROL, StreamFault
from qalypto_research.local.feed.line import Line
from qalypto_research.local.feed.messages import Message

TOO_SLOW: Final = (1008, "too slow")
PONG_TIMEOUT: Final = (1008, "pong timeout")

_CLOSE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may cost.

    Attributes
    ----------
    buffer_bytes : int
        What may wait for a client at true pace, beside what the sockets hold; one that falls further behind is disconnected.
    stall_s : float
        How long a client that takes nothing is waited for where it sets the pace, and at the end.
    """

    buffer_bytes: int = 8 << 20
    stall_s: float = 30.0


class Listener:
    """One client's connection.

    Parameters
    ----------
    connection : ServerConnection
        The socket.
    conversation : Conversation
        What is said.
    line : Line
        What gets through.
    limits : Limits
        What it may cost.
    """

    def __init__(self, connection: ServerConnection, conversation: Conversation, line: Line, limits: Limits) -> None:
        self.conversation = conversation
        self.line = line
        self.sent_bytes = 0
        self.when_ended: Callable[[], None] = lambda: None
        self._connection = connection
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._caught_up = asyncio.Event()
        self._caught_up.set()
        self._ending = False
        self._finishing = False

    @property
    def open(self) -> bool:
        """Whether it can be sent anything."""
        return not self._ending and self._connection.protocol.state is State.OPEN

    @property
    def subscribed(self) -> bool:
        """Whether it listens to anything."""
        return self.open and bool(self.conversation.channels)

    def hear(self, text: str | bytes, now_us: int) -> None:
        """Answer a message of the client's."""
        now_s = self._loop.time()
        content = text.encode() if isinstance(text, str) else text
        if self.line.faults.draw(CONTROL, delivered=self.conversation.delivered, content=content) is not None:
            answer = Answer("error", to_error(RATE_LIMITED))
        else:
            answer = self.conversation.receive(text, now_s, now_us)
        if not (self.line.silent(now_s) or (self.line.heartless(now_s) and answer.kind == "pong_ack")):
            self.say(answer.text)

    def beat(self, now_us: int) -> None:
        """Send the ping that is due, or take the client for gone."""
        now_s = self._loop.time()
        if self.line.silent(now_s) or self.line.heartless(now_s):
            self.conversation.hold_heartbeat(now_s)
        elif self.conversation.gone(now_s):
            self.end(*PONG_TIMEOUT)
        elif (ping := self.conversation.ping(now_s, now_us)) is not None:
            self.say(ping)

    def say(self, text: str) -> None:
        """Send a message that is no data."""
        if self.open:
            self._send([text.encode()])

    def deliver(self, messages: Sequence[Message], payloads: Sequence[bytes]) -> int:
        """Send of `messages`, given as they are sent now, those that the client wants; return how many."""
        if not self.subscribed:
            return 0
        wants = self.conversation.wants
        wanted = list(compress(payloads, [wants(m.route) for m in messages]))
        if not self.line.clear:
            self._deliver_faulty(wanted)
        elif wanted:
            self.conversation.delivered += len(wanted)
            self._send(wanted)
        return len(wanted)

    def backlog(self) -> int:
        """Return how many bytes wait for the client, beside what the sockets hold."""
        return self._waiting_bytes + self._connection.transport.get_write_buffer_size()

    def check_pace(self) -> None:
        """Disconnect the client where it has fallen too far behind."""
        if self.open and self.backlog() > self._limits.buffer_bytes:
            self.end(*TOO_SLOW)

    async def taken(self) -> None:
        """Wait until the client has taken what was sent; one that takes nothing for too long is disconnected."""
        if self._caught_up.is_set() and not self._connection.paused:
            return
        try:
            if not await self._while_it_reads(self._all_written()):
                self.end(*TOO_SLOW)
        except OSError:  # it has gone meanwhile
            return

    def end(self, code: int, reason: str) -> None:
        """Close the connection, whether the client reads what was sent or not."""
        if not self._ending:
            self._ending = True
            self._start(self._close(code, reason))
            self.when_ended()

    def finish(self, code: int, reason: str) -> None:
        """Close the connection once the client has read all that was sent, as long as it goes on reading."""
        if self._ending or self._finishing:
            return
        self._finishing = True
        self._start(self._finish(code, reason))

    def let_go(self) -> None:
        """End what it still does."""
        self._ending = True
        for task in self._tasks:
            task.cancel()

    def _deliver_faulty(self, wanted: list[bytes]) -> None:
        for payload in wanted:
            sent = self.line.pass_on(payload, self.conversation.delivered, self._loop.time())
            self.conversation.delivered += 1
            if sent:
                self._send(sent)
            if self.line.ending is not None:
                self._break_off(self.line.ending)
                return

    def _break_off(self, fault: StreamFault) -> None:
        """End the connection as a fault has it."""
        if fault.kind == "close":
            self.end(fault.status, fault.words or "on purpose")
            return
        self._ending = True
        self._connection.transport.close()
        self.when_ended()

    def _send(self, payloads: list[bytes]) -> None:
        if self.line.rate is None and self._caught_up.is_set():
            self._write(payloads)
            return
        self._waiting.extend(payloads)
        self._waiting_bytes += sum(map(len, payloads))
        if self._caught_up.is_set():
            self._caught_up.clear()
            self._start(self._trickle())

    async def _trickle(self) -> None:
        """Send what waits, as slowly as the line is."""
        try:
            while self._waiting and self._connection.protocol.state is State.OPEN:
                payload = self._waiting.popleft()
                self._waiting_bytes -= len(payload)
                self._write([payload])
                if self.line.rate is not None:
                    await asyncio.sleep(len(payload) / self.line.rate)
        finally:
            self._caught_up.set()

    async def _all_written(self) -> None:
        await self._caught_up.wait()
        await self._connection.drain()

    async def _while_it_reads(self, work: Coroutine[Any, Any, None]) -> bool:
        """Wait for `work` as long as the client goes on reading; return whether it was done."""
        task = self._loop.create_task(work)
        try:
            while True:
                before = self.backlog()
                if (await asyncio.wait({task}, timeout=self._limits.stall_s))[0]:
                    task.result()
                    return True
                if self.backlog() >= before:
                    return False
        finally:
            task.cancel()

    def _write(self, payloads: list[bytes]) -> None:
        """Send messages as text, all in one write: the library's own ``send`` takes a write and a lock for each."""
        protocol = self._connection.protocol
        for payload in payloads:
            protocol.send_text(payload)
        written = b"".join(protocol.data_to_send())
        self.sent_bytes += len(written)
        self._connection.transport.write(written)

    async def _close(self, code: int, reason: str) -> None:
        """Say that it is over; a client that does not read would never let us finish saying it."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._connection.close(code, reason)
        except TimeoutError:
            self._connection.transport.abort()

    async def _finish(self, code: int, reason: str) -> None:
        silent_s = self.line.silent_until_s - self._loop.time()
        if silent_s > 0:
            # A silence on purpose outlives the replay; one for good ends with the client alone.
            await (asyncio.sleep(silent_s) if silent_s < math.inf else self._connection.wait_closed())
        for payload in self.line.release():
            self._send([payload])
        self._ending = True
        try:
            done = await self._while_it_reads(self._all_written()) and await self._while_it_reads(self._connection.close(code, reason))
        except OSError:
            done = False
        if not done:
            self._connection.transport.abort()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Audience:
    """All who listen.

    Attributes
    ----------
    subscribed : asyncio.Event
        Set while anyone is subscribed to anything.
    messages : int
        Sent so far, to all together.
    """

    def __init__(self) -> None:
        self.subscribed = asyncio.Event()
        self.messages = 0
        self._listeners: dict[Listener, None] = {}
        self._bytes_of_gone = 0
        self._over: tuple[int, str] | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def sent_bytes(self) -> int:
        """Bytes sent so far, to all together."""
        return self._bytes_of_gone + sum(one.sent_bytes for one in self._listeners)

    def join(self, listener: Listener) -> None:
        """Count one more in."""
        self._listeners[listener] = None
        listener.when_ended = self.look

    def leave(self, listener: Listener) -> None:
        """Count one out."""
        del self._listeners[listener]
        self._bytes_of_gone += listener.sent_bytes
        listener.let_go()
        self.look()

    def look(self) -> None:
        """See who is subscribed; to be called after each message of a client's."""
        if any(one.subscribed for one in self._listeners):
            self.subscribed.set()
        else:
            self.subscribed.clear()
        if self._over is not None:
            self.finish(*self._over)

    def deliver(self, messages: Sequence[Message], payloads: Sequence[bytes]) -> None:
        """Send `messages` to whoever wants them."""
        for one in list(self._listeners):
            self.messages += one.deliver(messages, payloads)

    def check_pace(self) -> None:
        """Disconnect who has fallen too far behind."""
        for one in list(self._listeners):
            one.check_pace()

    async def taken(self) -> None:
        """Wait until all have taken what was sent."""
        for one in [one for one in self._listeners if one.subscribed]:
            await one.taken()

    def finish(self, code: int, reason: str) -> None:
        """Close the connections of all who are subscribed once they have read it all, and of whoever subscribes from now on."""
        self._over = (code, reason)
        for one in list(self._listeners):
            if one.subscribed:
                one.finish(code, reason)
