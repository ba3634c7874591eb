"""Damaged, edited and hostile files of every format: one line, or what was there before.

`RLNAS_FUZZ=200` tries so many of each; `python tests/soak_fuzz.py` tries thousands and counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REASON = "not all extras are installed: their files are not read here"
for needed in ("torch", "sklearn", "mlxtend", "nasbench_pytorch", "onnx"):
    pytest.importorskip(needed, reason=REASON)

from fuzz_kinds import OWN  # noqa: E402
from fuzz_models import MODELS  # noqa: E402
from fuzz_tables import IMAGES, TABLES  # noqa: E402
from fuzzing import Kind, attack  # noqa: E402

INPUTS = int(os.environ.get("RLNAS_FUZZ", "16"))
KINDS = (*OWN, *MODELS, *TABLES, *IMAGES)


@pytest.mark.filterwarnings("ignore:.*torch")
@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_no_file_is_believed_or_brings_a_traceback(kind: Kind, tmp_path: Path) -> None:
    found = attack(kind, INPUTS, seed=1, scratch=tmp_path / "scratch")
    assert not found.wrong, "\n".join(found.wrong)
    assert found.refused + found.same + found.accepted == INPUTS
