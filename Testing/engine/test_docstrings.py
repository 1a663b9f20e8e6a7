"""What is public says what it does, what it raises, and how its arrays are shaped.

Read from the source. Public is what has no leading underscore and is not within a function, of the whole engine;
``__init__`` and its like belong to their class. A method whose docstring begins "See :class:`...`" or
"See :meth:`...`" is an override: what it names speaks for it, and must exist.

An array's shape is said by a tuple of axes in parentheses, "(frames, voxels)" or "(..., 3)", or by one of a few
phrases such as "every voxel" or "of its shape" (:data:`PHRASES`), in the docstring of the function or of its class.
That the tuple is the true one no test can see.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import layout
import pytest
from layout import module_files

from petkinetics import errors

Function = ast.FunctionDef | ast.AsyncFunctionDef

ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}
CAUGHT = re.compile(rf"\b(Exception|{'|'.join(sorted(ERRORS))})\b")
ARRAY = re.compile(r"\b(NDArray|ndarray|Float16|Float32|Float64|Mask|Labels|Tensor|Array|IntArray|Volume)\b")
OVERRIDE = re.compile(r"See :(?:class|meth):`~?([\w.]+)`")
#: what the axes of this package count; an axis of a fixed size stands beside one of them, as in "(2, frames)"
AXIS = re.compile(
    r"slices|rows|columns|frames|late|voxels|pixels|planes|points|nodes|curves|regions|images|maps|rays|views|times"
    r"|rates|batch|channels|conditions|parameters|steps|n|z|\.\.\.",
    re.IGNORECASE,
)
TUPLE = re.compile(r"\(((?:[^(),]+,)+[^(),]*)\)")
PHRASES = re.compile(
    r"\b(?:scalars?|broadcasts?|voxel by voxel|(?:its|any|one|same) shape|shape (?=\()|shapes? (?:of|broadcast)"
    r"|(?:every|each|one a) (?:voxel|frame|slice|plane)\b)"
)


@dataclass(frozen=True)
class Public:
    """Something public: the node, and the class that it stands in."""

    name: str
    node: Function | ast.ClassDef
    owner: ast.ClassDef | None

    @property
    def docstring(self) -> str:
        """Its own; for ``__init__`` and its like that of the class as well."""
        own = ast.get_docstring(self.node) or ""
        return own + "\n" + (ast.get_docstring(self.owner) or "") if self.name.endswith("__") and self.owner else own

    @property
    def override_of(self) -> str | None:
        """What an override names, without the module."""
        found = OVERRIDE.match(self.docstring) if self.owner else None
        return found[1].split(".")[-1] if found else None


def public(body: list[ast.stmt], owner: ast.ClassDef | None = None) -> Iterator[Public]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield Public(node.name, node, owner)
            yield from public(node.body, node)
        elif isinstance(node, Function) and (not node.name.startswith("_") or node.name.endswith("__")):
            yield Public(f"{owner.name}.{node.name}" if owner else node.name, node, owner)


def raised(node: Function, makers: dict[str, str]) -> set[str]:
    """Errors of the package that leave the function's own body, also those that a helper of the file makes."""
    found, todo = set(), list(node.body)
    while todo:
        part = todo.pop()
        if isinstance(part, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(part, ast.Try) and any(CAUGHT.search(ast.unparse(one.type)) for one in part.handlers if one.type):
            todo += [*part.handlers, *part.orelse, *part.finalbody]
            continue
        if isinstance(part, ast.Raise) and part.exc is not None:
            made = part.exc.func if isinstance(part.exc, ast.Call) else part.exc
            name = made.id if isinstance(made, ast.Name) else made.attr if isinstance(made, ast.Attribute) else ""
            found.add(makers.get(name, name))
        todo.extend(ast.iter_child_nodes(part))
    return found & ERRORS


def takes_or_gives_arrays(node: Function) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    annotations = [node.returns, *(one.annotation for one in arguments if one)]
    return any(ARRAY.search(ast.unparse(one)) for one in annotations if one)


def says_a_shape(docstring: str) -> bool:
    text = re.sub(r"len\((\w)\)", r"\1", " ".join(docstring.replace("*", "").split()))
    tuples = [found[1] for found in TUPLE.finditer(text)]
    first_words = (axis.split()[0] for one in tuples for axis in one.split(",") if axis.strip())
    return bool(
        PHRASES.search(text) or any(one.endswith(",") for one in tuples) or any(map(AXIS.fullmatch, first_words))
    )


def complaints(source: str) -> list[str]:
    tree = ast.parse(source)
    makers = {
        node.name: node.returns.id
        for node in ast.walk(tree)
        if isinstance(node, Function) and isinstance(node.returns, ast.Name)
    }
    found = []
    for one in public(tree.body):
        where, node = f"{one.node.lineno}: {one.name}", one.node
        if not one.docstring and not one.name.endswith("__"):
            found.append(f"{where} has no docstring")
        if isinstance(node, ast.ClassDef) or one.override_of:
            continue
        for error in sorted(raised(node, makers)):
            if not re.search(rf":raises [\w, ]*\b{error}\b", one.docstring):
                found.append(f"{where} does not say that it raises {error}")
        told = one.docstring + "\n" + (ast.get_docstring(one.owner) or "" if one.owner else "")
        if takes_or_gives_arrays(node) and not says_a_shape(told):
            found.append(f"{where} does not say the shape of its arrays")
    return found


@pytest.mark.parametrize("file", module_files(), ids=lambda file: file.relative_to(layout.PACKAGE).as_posix())
def test_what_is_public_says_its_shapes_and_errors(file: Path) -> None:
    assert complaints(file.read_text(encoding="utf-8")) == []


def test_what_an_override_names_exists() -> None:
    everything = [one for file in module_files() for one in public(ast.parse(file.read_text(encoding="utf-8")).body)]
    known = {one.name.split(".")[-1] for one in everything}
    assert sorted({name for one in everything if (name := one.override_of) and name not in known}) == []


SHAPELESS = "def f(a: NDArray[np.float64]) -> float:\n    "


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def f() -> None:\n    pass\n", "has no docstring"),
        ('class A:\n    """A."""\n\n    def f(self) -> None:\n        pass\n', "A.f has no docstring"),
        ('def f() -> None:\n    """Do."""\n    raise InputError("no")\n', "raises InputError"),
        (
            'def f() -> None:\n    """Do.\n\n    :raises InputError: never.\n    """\n    raise Cancelled\n',
            "raises Cancelled",
        ),
        (
            'def _no() -> InputError: ...\n\ndef f() -> None:\n    """Do."""\n    if True:\n        raise _no()\n',
            "raises InputError",
        ),
        ('class A:\n    """A."""\n\n    def __post_init__(self) -> None:\n        raise Cancelled\n', "Cancelled"),
        (SHAPELESS + '"""The mean."""\n', "the shape"),
        (SHAPELESS + '"""The mean (kBq/mL, not negative; Patlak et al. 1983)."""\n', "the shape"),
    ],
)
def test_what_is_missing_would_be_seen(source: str, complaint: str) -> None:
    (found,) = complaints(source)
    assert complaint in found


@pytest.mark.parametrize(
    "source",
    [
        SHAPELESS + '"""The mean, over (frames,)."""\n',
        SHAPELESS + '"""The mean.\n\n    :param a: of any shape.\n    """\n',
        f'class A:\n    """A, (slices, rows, columns)."""\n\n    {SHAPELESS}    """The mean."""\n',
        'class A:\n    """A."""\n\n    def f(self) -> Mask:\n        """See :meth:`B.f`."""\n        raise Cancelled\n',
        'def f() -> None:\n    """Do."""\n    try:\n        raise Cancelled\n    except Exception:\n        pass\n',
        'def f() -> None:\n    """Do."""\n\n    def g() -> None:\n        raise Cancelled\n',
        "def _f() -> None:\n    raise Cancelled\n",
    ],
)
def test_what_is_said_once_is_enough(source: str) -> None:
    assert complaints(source) == []
