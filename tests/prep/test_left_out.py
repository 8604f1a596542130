"""Arguments without a default: whoever leaves one out is told what to give for it."""

from __future__ import annotations

import inspect

import pytest

import qalypto_research as qr

DATA = {"df", "left", "right", "bars", "klines", "trades", "books", "fn", "entries", "exits"}
"""What Python's own error names well enough: it is no value that could be proposed."""


def needed():
    """Yield each function of `qr.prep` with each argument that it needs beside its frames, and all that it needs."""
    for name in qr.prep.__all__:
        function = getattr(qr.prep, name)
        if inspect.isfunction(function):
            without = [
                p for p in inspect.signature(function).parameters.values() if p.default is p.empty and p.kind is not p.VAR_POSITIONAL
            ]
            yield from (pytest.param(function, p.name, without, id=f"{name}-{p.name}") for p in without if p.name not in DATA)


NEEDED = list(needed())


def test_there_are_some():
    ids = {param.id for param in NEEDED}
    assert {"asof-max_age", "bars-every", "walk_forward-train", "adopt-exchange", "to_hftbacktest-lot_size"} <= ids


@pytest.mark.parametrize(("function", "argument", "without"), NEEDED)
def test_what_is_left_out_is_named_with_what_to_give(function, argument, without):
    given = {p.name: None for p in without if p.name != argument}
    with pytest.raises(qr.errors.InputError, match=rf"{argument}: must be said: .*{argument}=") as caught:
        function(**given)
    assert caught.value.argument == argument


def test_what_is_given_by_place_is_given():
    with pytest.raises(qr.errors.InputError, match="df: is a NoneType"):
        qr.prep.cross_spread(None, "binance", "okx", max_age="5s")
    with pytest.raises(qr.errors.InputError, match="other: must be said"):
        qr.prep.cross_spread(None, "binance", max_age="5s")


def test_signatures_stay_as_they_are_written():
    asked = inspect.signature(qr.prep.asof).parameters
    assert list(asked) == ["left", "right", "max_age", "by", "suffix", "exact"]
    assert asked["max_age"].default is inspect.Parameter.empty
    assert asked["max_age"].kind is inspect.Parameter.KEYWORD_ONLY
    assert qr.prep.asof.__name__ == "asof"
    with pytest.raises(TypeError, match="left"):
        qr.prep.asof(right=None, max_age="1s")
