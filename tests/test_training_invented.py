"""Training on invented tables by the command: nothing is looked up, and it goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from option_lines import LINES
from rlnas.analysis import cli

LINE = LINES["train"][2]
"""With every option at a value that is not its default."""


@pytest.mark.long
def test_a_training_looks_nothing_up_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert LINE.startswith("incontext ")
    assert cli.main(["train", *LINE.replace("--out out", f"--out {tmp_path}").split()]) == 0
    said = capsys.readouterr().out
    assert "looked up no accuracy; " in said and "answers of invented tables" in said
    (folder,) = tmp_path.glob("train-*")
    manifest = json.loads((folder / "manifest.json").read_text())
    facts = json.loads((folder / "checkpoint.json").read_text())
    assert facts["lookups"] == 0 and facts["invented"] and facts["distinct"] is None
    assert manifest["controls"] == [] and set(manifest["judged"]) >= {"incontext", "local_search"}
    assert (folder / "curve" / "figure.png").exists()
    words = ["compare", "--benchmark", "nb101-digits", "--budget", "6", "--seeds", "2"]
    words += ["--agents", "random_search", f"incontext:{folder}", "--out", str(tmp_path)]
    assert cli.main(words) == 0
    assert "invented tables: 0 look-ups on this one" in " ".join(capsys.readouterr().out.split())
