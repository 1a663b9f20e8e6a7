"""Cross-references of the docstrings (``:class:`Job```) as links of the reference, or as plain code.

Linked is what has a place there: public modules, classes and functions with a docstring of their own.
"""

from __future__ import annotations

import re

from griffe import Extension, Module, NameResolutionError, Object

ROLE = re.compile(r":(class|func|meth|mod|attr|data):`([^`]+)`")


class Roles(Extension):
    """Rewrites every docstring of a package once it is loaded."""

    def on_package(self, *, pkg: Module, **_: object) -> None:
        """Griffe's call for the loaded package."""
        _rewrite(pkg, pkg)


def _rewrite(thing: Object, package: Module) -> None:
    if thing.docstring is not None:
        thing.docstring.value = ROLE.sub(lambda match: _reference(match[2], thing, package), thing.docstring.value)
    for member in thing.members.values():
        if not member.is_alias:
            _rewrite(member, package)


def _reference(name: str, at: Object, package: Module) -> str:
    path = _path(name, at)
    return f"[`{name}`][{path}]" if _has_place(path, package) else f"`{name}`"


def _path(name: str, at: Object) -> str:
    if name.startswith("petkinetics."):
        return name
    first, dot, rest = name.partition(".")
    try:
        return at.resolve(first) + dot + rest
    except NameResolutionError:
        # a module beside this one
        return f"{at.module.path.rpartition('.')[0]}.{name}"


def _has_place(path: str, package: Module) -> bool:
    parts = path.split(".")
    if parts[0] != package.name or any(part.startswith("_") for part in parts):
        return False
    try:
        found = package[parts[1:]]
    except KeyError:
        return False
    return not found.is_alias and found.has_docstring and (found.is_module or found.is_class or found.is_function)
