"""LightGBM's text model (version v2 to v4): a header, then `Tree=i` blocks of `key=value` lines,
then `end of trees`.

A tree with n leaves has n - 1 splits; `x <= threshold` goes left; a child c < 0 is leaf ~c. Leaf
values already hold the learning rate. Prediction is the plain sum, over the first `best_iteration`
trees where that is set.
"""

from __future__ import annotations

import numpy as np

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError
from rlnas.bench.nb301.forest import Forest
from rlnas.bench.reading import UNREADABLE, reason

CATEGORICAL, MISSING_SHIFT, MISSING_IS_ZERO = 1, 2, 1


def read_lightgbm(text: str, where: str, *, best_iteration: int = 0) -> Forest:
    """The trees that predict; `UserError` naming `where` when the text is damaged or another kind
    of model."""
    try:
        head, *blocks = text.split("\nTree=")
        if not blocks or "end of trees" not in blocks[-1]:
            raise ValueError("no trees, or no end of trees")
        blocks[-1] = blocks[-1].split("end of trees")[0]
        _refuse_others(_lines(head), where)
        keep = best_iteration if best_iteration > 0 else len(blocks)
        return _forest([_lines(block) for block in blocks[:keep]], where)
    except UserError:
        raise
    except UNREADABLE as error:
        raise UserError(
            f"{where}: damaged LightGBM model ({reason(error)}); get it again"
        ) from None


def _lines(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _refuse_others(header: dict[str, str], where: str) -> None:
    objective = header.get("objective", "")
    found = f"objective {shown(objective)}, {shown(header['num_class'])} classes"
    plain = (
        objective.split()[:1] == ["regression"]
        and "sqrt" not in objective
        and "average_output" not in header
    )
    if not plain or (header["num_class"], header["num_tree_per_iteration"]) != ("1", "1"):
        raise UserError(f"{where}: a LightGBM model with {found}; expected plain regression")


def _forest(trees: list[dict[str, str]], where: str) -> Forest:
    columns: dict[str, list[np.ndarray]] = {
        key: [] for key in ("feature", "threshold", "left", "right", "value")
    }
    sizes = []
    for number, tree in enumerate(trees):
        leaves = int(tree["num_leaves"])
        inner = leaves - 1

        def numbers(
            key: str, dtype: type, count: int, tree: dict = tree, number: int = number
        ) -> np.ndarray:
            found: np.ndarray = (
                np.array(tree.get(key, "").split(), dtype) if count else np.zeros(0, dtype)
            )
            if len(found) != count:
                raise ValueError(
                    f"tree {number} has {len(found)} values of {key}, expected {count}"
                )
            return found

        if leaves < 1 or int(tree.get("num_cat", 0)) or int(tree.get("is_linear", 0)):
            raise UserError(
                f"{where}: a LightGBM model with categorical or linear trees; NAS-Bench-301's "
                "have none"
            )
        kinds = numbers("decision_type", np.int64, inner)
        if (kinds & CATEGORICAL).any() or ((kinds >> MISSING_SHIFT & 3) == MISSING_IS_ZERO).any():
            raise UserError(
                f"{where}: a LightGBM model that takes 0 for missing; NAS-Bench-301's do not"
            )
        blank = np.zeros(leaves)
        columns["feature"].append(
            np.append(numbers("split_feature", np.int32, inner), blank.astype(np.int32))
        )
        columns["threshold"].append(np.append(numbers("threshold", np.float64, inner), blank))
        for side in ("left", "right"):
            child = numbers(f"{side}_child", np.int32, inner)
            if (child < -leaves).any():
                raise ValueError(f"tree {number} has a child that is no leaf of it")
            # Leaves go behind the splits: leaf ~c is node inner + ~c.
            child = np.where(child < 0, inner + ~child, child)
            columns[side].append(np.append(child, np.full(leaves, -1)).astype(np.int32))
        columns["value"].append(
            np.append(np.zeros(inner), numbers("leaf_value", np.float64, leaves))
        )
        sizes.append(inner + leaves)
    joined = {key: np.concatenate(parts) for key, parts in columns.items()}
    return Forest(offsets=np.cumsum([0, *sizes]), base=0.0, inclusive=True, **joined)
