"""What the docstrings below the fields of a dataclass say: for help, lists and contract tests."""

from __future__ import annotations

import ast
import inspect
import textwrap


def field_docs(settings: type) -> dict[str, str]:
    """field -> its docstring on one line; of the class and its bases, the class's own winning.

    Fields without one are missing, and all are where there is no source (an interactive class).
    """
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__[:-1]):
        try:
            source = textwrap.dedent(inspect.getsource(kind))
        except (OSError, TypeError):
            continue
        body = ast.parse(source).body[0]
        if not isinstance(body, ast.ClassDef):
            continue
        for node, below in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            ):
                found[node.target.id] = " ".join(below.value.value.split())
    return found
