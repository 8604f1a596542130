"""Arguments that have no default, since none would be right: whoever leaves one out is told what to give."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from qalypto_research.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")


def must_say(**examples: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a call that leaves out one of these arguments fail with what to give for it, as ``max_age="say '10m'"``.

    To type checkers and in ``help()`` the function stays as it is written: with arguments that have no default.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        by_name = inspect.signature(function).parameters
        places = {name: place for place, name in enumerate(by_name) if by_name[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD}

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for name, example in examples.items():
                if name not in kwargs and len(args) <= places.get(name, len(args)):
                    raise InputError(name, f"must be said: {example}")
            return function(*args, **kwargs)

        return call

    return decorate
