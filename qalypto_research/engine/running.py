"""Run an engine call so that Ctrl-C ends it at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

POLL_S: Final = 0.1
"""How often the caller looks up while a call runs; a signal is taken sooner, a finished call at once."""

CANCEL_WAIT_S: Final = 0.8
"""How long a cancelled call may take to come back before the caller goes on without it."""

_TRY_S: Final = (0.1, 5.0)
"""From one attempt to cancel to the next: at first, and at last."""


class _Call(threading.Thread, Generic[T]):
    """One call on its own thread, its outcome kept."""

    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__(name="qalypto-query", daemon=True)
        self._work = work
        self.given_up = False
        # Not the thread's own join: an interrupt in it takes the thread for ended (bpo-45274).
        self.over = threading.Event()
        self.result: T
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            if not self.given_up:
                self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
            self.error = error
        finally:
            # First, as the caller goes on before this thread has ended: what `work` holds is then the caller's alone.
            del self._work
            self.over.set()


def run_cancellable(work: Callable[[], T], *, cancel: Callable[[], None], waiting: Callable[[], None] = lambda: None) -> T:
    """Run `work` on a thread of its own and return what it returns.

    The engine holds its thread until a query is over. The calling thread therefore only waits, and an interrupt
    (Ctrl-C, the stop button of a notebook) reaches it: it then calls `cancel` and raises.

    Parameters
    ----------
    work : callable
        The blocking call.
    cancel : callable
        Ends the call from outside, such as by ``KILL QUERY`` from another client; on a thread of its own, which goes on with it until
        the call is over, also when the caller has gone on.
    waiting : callable, optional
        Called about ten times a second while the call runs.

    Raises
    ------
    BaseException
        Whatever `work` raised, or what interrupted the wait.
    """
    call = _Call(work)
    try:
        call.start()
        while not call.over.wait(POLL_S):
            waiting()
    except BaseException:
        call.given_up = True
        if call.ident is not None:  # else it has not begun, and will do nothing where it still does
            threading.Thread(target=_end, args=(call.over, cancel), name="qalypto-cancel", daemon=True).start()
            call.over.wait(CANCEL_WAIT_S)
        raise
    if call.error is not None:
        raise call.error
    return call.result


def _end(over: threading.Event, cancel: Callable[[], None]) -> None:
    """Cancel again and again: a query that is still on its way, however slow that is, cannot be found yet."""
    wait_s, most_s = _TRY_S
    while not over.is_set():
        cancel()
        over.wait(wait_s)
        wait_s = min(1.5 * wait_s, most_s)
