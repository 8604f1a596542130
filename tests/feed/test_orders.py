"""Orders that a stand-in takes from its standard input."""

from __future__ import annotations

import pytest
from archives import trade, write

from qalypto_research.clock import Reading
from qalypto_research.errors import ConfigurationError
from qalypto_research.local.orders import parse_reading, to_clock_order, to_faults_order
from qalypto_research.local.process import StandInProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    root = tmp_path_factory.mktemp("archive")
    write(root, "trade", [trade("12:00")])
    started = StandInProcess([str(root), "--port", "0", "--stream-port", "0", "--http", "--no-history"])
    yield started
    started.stop()


@pytest.mark.parametrize("reading", [Reading(1_772_456_430_000_000), Reading(1, 2, 0.1), Reading(5, 7, 1e6)])
def test_a_reading_comes_through(reading):
    assert parse_reading(to_clock_order(reading).partition(" ")[2]) == reading


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("dance", "order: 'dance' is none"),
        ("", "order: '' is none"),
        ("clock", "ValueError"),
        ("clock one two three", "ValueError"),
        ("faults bogus", "kind: 'bogus' is not known"),
        ("faults drop:after=x", "faults: 'drop:after=x' cannot be read"),
    ],
)
def test_each_order_has_its_own_answer_whatever_is_wrong_with_it(process, order, said):
    assert process.order(order).startswith(said)
    assert process.order("faults drop:after=5") == ""
    assert process.order("clock 1772456430000000 - 1.0") == ""


def test_a_script_of_several_lines_is_one_order(process):
    assert process.order(to_faults_order("seed=7;\n lose:times=1;\nbogus")).startswith("kind: 'bogus'")
    assert process.order(to_faults_order("seed=7;\n lose:times=1")) == ""


def test_one_that_has_stopped_takes_no_more(tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    process = StandInProcess([str(tmp_path), "--port", "0", "--stream-port", "0", "--http", "--no-history"])
    process.stop()
    process.stop()
    with pytest.raises(ConfigurationError, match="has stopped"):
        process.order("faults drop")
