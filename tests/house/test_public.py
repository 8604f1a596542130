"""What the package promises about its public names: they stay what they are, and they are documented."""

from __future__ import annotations

import doctest
import importlib
import inspect
import operator
import pkgutil
import re
import types
import warnings
from pathlib import Path

import pytest

import qalypto_research as qr

PUBLIC = getattr(qr, "__all__", ())
INNER = [f"{module}.{name}" for module in ("charts", "prep") for name in getattr(qr, module).__all__]
FUNCTIONS = sorted(name for name in [*PUBLIC, *INNER] if inspect.isroutine(operator.attrgetter(name)(qr)))
CLASSES = sorted(name for name in PUBLIC if inspect.isclass(getattr(qr, name)))
METHODS = sorted(
    f"{owner}.{name}"
    for owner in CLASSES
    for name, member in vars(getattr(qr, owner)).items()
    if inspect.isfunction(member) and not name.startswith("_")
)


def find(name):
    """Return a public object by its dotted name."""
    found = qr
    for part in name.split("."):
        found = getattr(found, part)
    return found


def modules():
    """Return the full names of all modules of the package."""
    return [module.name for module in pkgutil.walk_packages(qr.__path__, "qalypto_research.")]


def test_there_are_public_functions():
    assert FUNCTIONS, "qalypto_research.__all__ names no function"
    assert set(PUBLIC) <= set(dir(qr))


def test_no_module_bears_the_name_of_a_public_function():
    """Nor of one of its own: a module of `qr.prep` named like a function of `qr.prep` would take its place once imported."""
    ours = {name.removeprefix("qalypto_research.") for name in modules()}
    last_parts = {name.rpartition(".")[2] for name in modules()}
    assert [name for name in FUNCTIONS if name in ours or ("." not in name and name in last_parts)] == []


def test_importing_every_module_leaves_the_public_names_alone():
    before = {name: find(name) for name in [*PUBLIC, *INNER]}
    for name in modules():
        if not name.endswith(".__main__"):
            importlib.import_module(name)
    after = {name: find(name) for name in [*PUBLIC, *INNER]}
    assert [name for name in before if before[name] != after[name]] == []
    assert [name for name in FUNCTIONS if isinstance(after[name], types.ModuleType) or not callable(after[name])] == []


def test_a_type_checker_sees_each_call_of_prep():
    read = (Path(__file__).parents[1] / "typing" / "api.py").read_text(encoding="utf-8")
    assert [name for name in qr.prep.__all__ if f"qr.prep.{name}" not in read] == []


# --- Docstrings -----------------------------------------------------------------------------------------------------


def sections(doc):
    """Split a numpy docstring into its sections."""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", doc, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def parameters(name):
    """Return the arguments of a public function; of a method without the connection it belongs to."""
    return list(inspect.signature(find(name)).parameters)[name in METHODS :]


def returns_something(function):
    return inspect.signature(function).return_annotation not in (None, "None", inspect.Signature.empty)


@pytest.mark.parametrize("name", FUNCTIONS + METHODS)
def test_docstring_is_whole(name):
    function = find(name)
    doc = inspect.getdoc(function) or ""
    first = doc.partition("\n")[0]
    assert first.endswith("."), f"{name}: the docstring does not start with one sentence"
    found = sections(doc)
    asked = parameters(name)
    if asked:
        assert {"Parameters", "Raises"} - set(found) == set(), f"{name}: sections are missing"
        documented = re.findall(r"^(\*{0,2}\w[\w, *]*?)(?: :.*)?$", found["Parameters"], flags=re.MULTILINE)
        named = {part.strip().lstrip("*") for line in documented for part in line.split(",")}
        assert set(asked) - named == set(), f"{name}: undocumented arguments"
    if returns_something(function) and (asked or name not in METHODS):  # of a method without arguments the sentence is enough
        assert {"Returns", "Yields"} & set(found), f"{name}: says nothing of what it returns"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_shows_an_example(name):
    assert ">>> " in (inspect.getdoc(find(name)) or ""), f"{name}: no example"


@pytest.mark.parametrize("name", ["", *FUNCTIONS, *CLASSES])
def test_examples_run(name):
    """Run the examples of a public name, or of the package itself, each on a fresh connection to the sample."""
    tests = (
        doctest.DocTestFinder().find(find(name), f"qr.{name}", module=False, globs={"qr": qr})
        if name
        else [doctest.DocTestParser().get_doctest(qr.__doc__, {"qr": qr}, "qr", None, 0)]
    )
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", qr.errors.SampleDataWarning)
        for test in tests:
            if test.examples:
                with qr.connect("sample"):
                    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
