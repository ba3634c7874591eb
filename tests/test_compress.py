"""`rlnas compress`: smaller cells, students' weights, the measures by hand, and the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

REASON = "the extra `retrain` is not installed: no trainings here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.analysis import cli  # noqa: E402
from rlnas.analysis.compress import measures  # noqa: E402
from rlnas.analysis.compress.command import Compress  # noqa: E402
from rlnas.analysis.compress.data import Finished  # noqa: E402
from rlnas.analysis.compress.search import (  # noqa: E402
    METHODS,
    Lengths,
    Outcome,
    policy_of,
    search,
)
from rlnas.bench.nb101.cell import OPS, module_hash, parse  # noqa: E402
from rlnas.bench.nb101.network import CellNetwork  # noqa: E402
from rlnas.bench.nb101.recipe import Recipe  # noqa: E402
from rlnas.bench.nb101.reductions import (  # noqa: E402
    KEEP,
    NUMBERS,
    Student,
    decisions,
    described,
    edge_decisions,
    shrunk,
    without_edges,
    without_vertices,
)
from rlnas.bench.nb101.shrink import student_network  # noqa: E402
from rlnas.bench.retrain import datasets, networks  # noqa: E402
from rlnas.bench.retrain.distill import Distilled  # noqa: E402
from torch_fixtures import kept, one_thread  # noqa: E402, F401

CONV3, CONV1, POOL = OPS
CHAIN = parse(
    [[0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0] * 5],
    ["input", CONV3, CONV1, CONV3, "output"],
)
TEACHER = Student(CHAIN, (0, 1, 2, 3, 4))


# --- smaller cells
# ----------------------------------------------------------------------------------


def test_a_vertex_that_goes_is_bridged() -> None:
    student = without_vertices(TEACHER, [2])
    assert student is not None and student.origin == (0, 1, 3, 4)
    expected = [[0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0] * 4]
    assert student.cell == parse(expected, ["input", CONV3, CONV3, "output"])
    bare = without_vertices(TEACHER, [1, 2, 3])
    assert bare is not None and bare.cell.ops == ("input", "output")
    assert without_vertices(TEACHER, []) == TEACHER


def test_an_edge_that_goes_leaves_no_vertex_alone() -> None:
    student = without_edges(TEACHER, [(0, 3)])
    assert student is not None and student.cell.num_edges == 5 and student.origin == TEACHER.origin
    shorter = without_edges(TEACHER, [(1, 2)])  # 1 leads nowhere then, 2 comes from nowhere
    assert shorter is not None and shorter.origin == (0, 3, 4)
    assert shorter.cell == parse([[0, 1, 0], [0, 0, 1], [0] * 3], ["input", CONV3, "output"])
    assert without_edges(TEACHER, [(2, 4), (3, 4)]) is None


def test_shrinking_goes_one_way() -> None:
    chosen = decisions(TEACHER, "shrinkage")
    assert [one.actions for one in chosen] == [
        (KEEP, CONV1, POOL), (KEEP, POOL), (KEEP, CONV1, POOL),
    ]  # fmt: skip
    student = shrunk(TEACHER, [CONV1, KEEP, POOL])
    assert student.cell.ops == ("input", CONV1, CONV1, POOL, "output")
    assert student.cell.matrix == CHAIN.matrix


def test_what_the_policy_sees() -> None:
    for decision in [*decisions(TEACHER, "removal"), *edge_decisions(TEACHER)]:
        seen = np.array(described(TEACHER, decision))
        assert seen.shape == (len(decision.actions), NUMBERS)
        assert seen.min() >= 0 and seen.max() <= 1 and (seen[0] != seen[1]).any()


# --- students
# ---------------------------------------------------------------------------------------


def network(seed: int) -> torch.nn.Module:
    settings = Recipe(stem_channels=4, stacks=2).settings
    return networks.make(CellNetwork(CHAIN), settings, 1, 10, seed)[0].eval()


def test_a_student_that_is_the_teacher_computes_the_same() -> None:
    teacher, images = network(1), torch.randn((5, 1, 4, 4), generator=torch.Generator())
    settings = Recipe(stem_channels=4, stacks=2).settings
    student = student_network(teacher, TEACHER, settings, 1, 10, 2)
    with torch.no_grad():
        assert torch.equal(teacher(images), student.eval()(images))


def test_a_student_begins_with_what_fits() -> None:
    teacher, settings = network(1), Recipe(stem_channels=4, stacks=2).settings
    smaller = without_vertices(shrunk(TEACHER, [CONV1, KEEP, KEEP]), [2])
    assert smaller is not None
    student = student_network(teacher, smaller, settings, 1, 10, 2)
    for old, new in ((net.layers[i] for net in (teacher, student)) for i in (1, 3)):
        wide = dict(old.vertex_op[1].named_parameters())
        (name, kernel), *_ = wide.items()
        found = next(iter(dict(new.vertex_op[1].named_parameters()).values()))
        width = min(len(found), len(kernel))
        assert found.shape[-1] == 1 and kernel.shape[-1] == 3, name
        assert torch.equal(found[:width, :width, 0, 0], kernel[:width, :width, 1, 1])


def test_distillation_lowers_the_distance_to_the_teacher() -> None:
    digits = datasets.load("digits")
    recipe = Recipe(stem_channels=4, stacks=2, epochs=3, checkpoints=(3,), learning_rate=0.05)
    teacher, settings = network(1), recipe.settings
    small = shrunk(TEACHER, [CONV1, KEEP, POOL])
    student = student_network(teacher, small, settings, 1, 10, 2)
    before = [weight.clone() for weight in teacher.parameters()]
    weights = [weight for weight in student.parameters() if weight.requires_grad]
    fit = Distilled(teacher, student, weights, digits, settings, 0)
    losses = []
    while not fit.done:
        losses.append(fit.epoch().loss)
    assert losses[-1] < 0.8 * losses[0]
    assert all(map(torch.equal, before, teacher.parameters()))


# --- the search and the measures
# --------------------------------------------------------------------


def outcome_of(student: Student) -> Outcome:
    """Smaller is all that counts."""
    size = sum({CONV3: 9, CONV1: 1}.get(op, 0) for op in student.cell.ops)
    row = int(module_hash(student.cell)[:6], 16)
    return Outcome(row, 0.9, 0.9, size, 1 - size / 19)


@pytest.mark.long
def test_policies_learn_and_chance_does_not() -> None:
    lengths, policy = Lengths(batches=30, rollouts=4), policy_of(0.1, 0.0)
    late = {}
    for method in METHODS:
        first, again = (search(TEACHER, policy, lengths, method, [1], outcome_of) for _ in range(2))
        assert first == again
        late[method] = late_reward(first, lengths)
    assert late["policies"] > late["random choices"] + 0.2


def late_reward(lines: list[dict[str, Any]], lengths: Lengths) -> float:
    """Mean of the last ten batches of removal; who is missing was impossible."""
    found = [
        line["reward"]
        for line in lines
        if line["stage"] == "removal" and line["batch"] >= lengths.batches - 10
    ]
    count = 10 * lengths.rollouts
    return (sum(found) - (count - len(found))) / count


def test_measures_by_hand() -> None:
    teachers = [{"val": 0.9, "table_val": 0.92, "params": 100, "smallest": 20}] * 2
    rows = [
        ("policies", 0, 25, 0.9, 0.9),
        ("policies", 0, 10, 0.5, 0.915),
        ("policies", 1, 50, 0.895, 0.92),
        ("random choices", 0, 50, 0.895, 0.92),
        ("random choices", 1, 120, 0.95, 0.95),  # larger than the teacher
    ]
    lines = [
        {"method": method, "teacher": teacher, "row": params, "params": params, "val": val}
        | {"table_val": table_val, "reward": 0.5, "batch": 0}
        for method, teacher, params, val, table_val in rows
    ]
    found = Finished({"teachers": teachers, "tolerance": 0.01}, pd.DataFrame(lines))
    report = measures.report(found)
    policies, chance = (report.of[method] for method in METHODS)
    assert policies.measured.value == pytest.approx((4 * 2) ** 0.5)
    assert policies.true.value == pytest.approx((10 * 2) ** 0.5)
    assert policies.drop.value == pytest.approx(0.01)
    assert chance.measured.value == pytest.approx(2**0.5) and chance.drop.value == 0
    assert report.better[0].value == pytest.approx(2) and report.possible.value == pytest.approx(5)
    assert np.isnan(policies.measured.low)  # two teachers


# --- the command
# ------------------------------------------------------------------------------------

WORDS = "compress --preset smoke --max-vertices 4 --batches 1 --rollouts 3 --out"


@pytest.mark.long
def test_gone_on_with_it_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Some students are there, one was not finished: the rest is trained, and reports agree."""
    with kept():
        assert cli.main([*WORDS.split(), str(tmp_path)]) == 0
        (folder,) = tmp_path.glob("compress-*")
        whole = (folder / "students.parquet").read_bytes()
        first, *others = sorted(folder.glob("student-*.json"))
        before = others[0].read_bytes()
        first.unlink()
        for name in ("students.parquet", "manifest.json"):
            (folder / name).unlink()
        assert cli.main([*WORDS.split(), str(tmp_path)]) == 0
    assert first.exists() and others[0].read_bytes() == before
    assert (folder / "students.parquet").read_bytes() == whole
    capsys.readouterr()
    assert cli.main(["report", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "Teachers: 1," in said and "random choices" in said
    (folder / "students.parquet").write_bytes(whole[:-9])
    assert cli.main(["report", str(folder)]) == 2
    assert "students.parquet is missing or damaged" in capsys.readouterr().err


def test_presets() -> None:
    assert Compress.for_options([]) == Compress()
    smoke = Compress.for_options(["--preset", "smoke", "--rollouts", "1"])
    assert (smoke.preset, smoke.teachers, smoke.rollouts) == ("smoke", 1, 2)
