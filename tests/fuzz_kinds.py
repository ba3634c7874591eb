"""What rlnas itself writes and reads back: sound files for `fuzzing`, and what is made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors.numpy import load as load_numpy
from safetensors.numpy import save

from averages import AGENT, AveragesLearner
from forests import random_forest
from fuzzing import Kind, json_of, npz_of
from made_runs import training_manifest
from nb201_tables import invented
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.protocol import History
from rlnas.analysis import store
from rlnas.analysis.ablation import data as ablation
from rlnas.analysis.comparison import runs
from rlnas.analysis.oneshot import data as oneshot
from rlnas.analysis.oneshot.report import Scored
from rlnas.analysis.retrain import data as retrain
from rlnas.analysis.text import keep, kept
from rlnas.analysis.training import data as training
from rlnas.bench.nb101 import graph, table, trainings
from rlnas.bench.nb101.assemble import cell_list
from rlnas.bench.nb101.network import CellNetwork
from rlnas.bench.nb201 import table as nb201_table
from rlnas.bench.nb301 import distilled, load, yahpo
from rlnas.bench.nb301.grouping import FORMAT as TREES
from rlnas.bench.nb301.grouping import join
from rlnas.bench.nb301.leafsets import pack
from rlnas.bench.npz import digest_of_arrays, save_npz
from rlnas.bench.reading import canonical, sealed, write_json
from rlnas.bench.retrain.engine import Engine
from rlnas.bench.retrain.job import DONE, Data, Job, finished, record_of
from rlnas.bench.retrain.job import keep as keep_record
from rlnas.bench.retrain.presets import QUICK
from rlnas.bench.tensors import read_tensors, save_tensors
from tables import small_benchmark, small_table


def tree(value: Any) -> str:
    """Any pytree of arrays, as text."""
    leaves = [np.asarray(x) for x in jax.tree.leaves(value)]
    return digest_of_arrays({f"{i}": x for i, x in enumerate(leaves)})


# --- runs ----------------------------------------------------------------------------------------


def history(seeds: int = 2, budget: int = 4) -> History:
    values = np.linspace(0.5, 0.9, seeds * budget, dtype=np.float32).reshape(seeds, budget)
    whole = np.tile(np.arange(budget, dtype=np.int32), (seeds, 1))
    yes = np.ones((seeds, budget), bool)
    return History(whole, values, values, values * 100, yes, yes, whole)


def make_run(folder: Path) -> None:
    spec = store.RunSpec(
        benchmark={"name": "made", "noise": "mean", "epochs": 4}, agent="random_search",
        config={"n": 3}, code="0", jax={"x64": False}, budget=4, seed=0, seeds=2,
    )  # fmt: skip
    pretraining = {"lookups": 3, "trained_on": "made", "unseen_incumbents": [0.5, 0.5, 0, 0]}
    facts = {"reports": "test accuracy", "optimum": 0.75, "architectures": 8.0}
    store.save(folder, spec, history(), label="rs", wall_seconds=1.2,
               facts=facts | {"pretraining": pretraining, "beginning": None})  # fmt: skip


def read_run(folder: Path) -> Any:
    run = store.load(folder)
    store.reused(run.manifest)
    runs.folder_name(run)
    return canonical(run.manifest), run.label, tree(run.history)


def make_summary(folder: Path) -> None:
    entry = {"hash": f"{'0' * 16}-4x2", "agent": "rs"}
    store.write_json(folder / runs.SUMMARY, {"runs": [entry, entry], "reference": "rs"})


def read_summary(folder: Path) -> Any:
    found = runs.summary_in(folder)
    runs.is_of_several(folder), runs.reference_in(folder)
    return canonical(found)


# --- trainings -----------------------------------------------------------------------------------

SETTINGS = AveragesLearner(neighbours=6, alpha=6.0)


def make_checkpoint(folder: Path) -> None:
    facts = {
        "benchmark": small_benchmark(4).describe(), "shown": "", "step": 1, "lookups": 12,
        "lookups_to_checkpoint": 12, "distinct": 3, "validation": 0.9, "same_queries": 0.5,
    }  # fmt: skip
    params = {"value": np.linspace(0, 1, 91, dtype=np.float32)}
    Checkpoint(AGENT, SETTINGS, params, facts, np.array([1, 2], np.int32)).save(folder)


def read_checkpoint(folder: Path) -> Any:
    found = Checkpoint.load(folder)
    said = canonical(found.pretraining)
    return said, canonical(found.facts), repr(found.settings), tree(found.params), found.sha256


@cache
def progress() -> training.Progress:
    learner = replace(SETTINGS, horizon=4, steps=192, actors=8)
    state = jax.jit(learner.init)(learner.mdp(small_benchmark(3)), jax.random.key(0))
    row = {"step": 8, "seconds": 1.5, "loss": float("nan"), "val_3": 0.5}
    return training.Progress(state, [row, row], 0.5, np.ones((3, 2), np.float32), 2.5)


def read_state(folder: Path) -> Any:
    found = training.load_state(folder / training.STATE, progress().state)
    state = found.state._replace(key=jax.random.key_data(found.state.key))
    return tree(state), repr(found.rows), found.best, found.seconds, tree(found.recent)


def make_training(folder: Path) -> None:
    store.write_json(folder / store.MANIFEST, training_manifest())


def make_cell(folder: Path) -> None:
    numbers = {f"{name}_{q}": 0.5 for name in ablation.MEASURED for q in ablation.QUERIES}
    results = [
        {"alpha": 1.0, "seed": seed, "loss": 0.1, "actors_val": 0.5, "lookups": 9, **numbers}
        for seed in range(2)
    ]
    ablation.write_cell(folder / "cell.json", results)


def make_scores(folder: Path) -> None:
    half = np.full(20, 0.5, np.float32)
    oneshot.write_scored(folder / "s.npz", Scored(3, half, half, 1.5, 2.5))


# --- trainings of single architectures -----------------------------------------------------------


def make_records(folder: Path) -> None:
    recipe = {"epochs": 3, "checkpoints": [1, 3]}
    about: dict[str, Any] = {
        "format": trainings.FORMAT,
        "version": trainings.VERSION,
        "dataset": "digits",
    }
    splits = {"train": 300, "val": 797, "test": 700}
    about |= {"recipe": recipe, "splits": splits, "versions": {"torch": "2"}}
    write_json(folder / trainings.MANIFEST, about)
    fractions = {key: [0.5, 0.6] for key in ("val", "test", "train")}
    lines = [
        {"hash": f"{i:032x}", "seed": 0, "seconds": [1, 2], "curve": [0.1, 0.2, 0.3],
         "params": 100 + i, **fractions}
        for i in range(3)
    ]  # fmt: skip
    text = "".join(json.dumps(sealed(line)) + "\n" for line in lines)
    (folder / trainings.RECORDS).write_text(text)


def read_records(folder: Path) -> Any:
    """A last line that is cut off is left out: that training is made again."""
    if not (folder / trainings.RECORDS).exists():
        return None
    found = [canonical(record) for record in trainings.read_records(folder)]
    make = folder.parent / "whole"
    make.mkdir(exist_ok=True)
    make_records(make)
    whole = [canonical(record) for record in trainings.read_records(make)]
    return None if found == whole[: len(found)] and len(found) < len(whole) else found


def edited_line(folder: Path, rng: np.random.Generator) -> bool:
    """A value of a line changed, or a line twice, once with another value."""
    path = folder / trainings.RECORDS
    lines = path.read_text().splitlines()
    i = int(rng.integers(len(lines)))
    value = json.loads(lines[i])
    value["val"] = [0.9, float(rng.random())]
    edited = json.dumps(value if rng.random() < 0.5 else sealed(value))
    lines.insert(i, edited) if "sealed" in edited or rng.random() < 0.5 else lines.insert(0, edited)
    path.write_text("\n".join(lines) + "\n")
    return False


def the_job(folder: Path) -> Job:
    model = CellNetwork(cell_list(3)[1][-1])
    return Job("a", model, 3, Data("digits", None, 1), QUICK, Engine(), folder)


def make_record(folder: Path) -> None:
    epoch = {"loss": 0.5, "accuracy": 0.5, "seconds": 1.0, "images": 300}
    job = the_job(folder)
    keep_record(job, record_of(
        job, DONE, params=100, epochs=2, accuracy={"train": 0.9, "val": 0.91, "test": 0.9},
        curve=[epoch, epoch], seconds=2.0, images_per_second=300.0, peak_mb=50.0,
    ))  # fmt: skip


def read_record(folder: Path) -> Any:
    found = finished(the_job(folder))
    return None if found is None else canonical(found)


def make_retraining(folder: Path) -> None:
    make_record(folder)
    record = finished(the_job(folder))
    assert record is not None
    chosen = [retrain.Chosen("a", ("top",), 0.9, 0.8)]
    retrain.write_results(folder / retrain.RESULTS, chosen, [record])
    the_job(folder).record.unlink()
    manifest = {
        "format": retrain.FORMAT, "version": retrain.VERSION, "benchmark": {"name": "made"},
        "results_sha256": store.sha256_of(folder / retrain.RESULTS), "sessions": [],
        "chosen": [{"arch": "a"}], "seeds": [3],
    }  # fmt: skip
    store.write_json(folder / retrain.MANIFEST, manifest)


def read_retraining(folder: Path) -> Any:
    retrain.sessions(folder), retrain.is_retraining(folder)
    manifest, results = retrain.read(folder)
    return canonical(manifest), results.to_csv()


def make_tensors(folder: Path) -> None:
    save_tensors(folder / "t.safetensors", {"a": np.ones((3, 4), np.float32)}, {"epoch": 3}, save)


def read_kept_tensors(folder: Path) -> Any:
    tensors, about = read_tensors(folder / "t.safetensors", load_numpy)
    return tree(tensors), canonical(about)


def edited_tensors(folder: Path, rng: np.random.Generator) -> bool:
    """Its JSON with another value of the same length, or of another."""
    path = folder / "t.safetensors"
    data = path.read_bytes()
    new = (b'\\"epoch\\":7', b'\\"epoch\\":77', b"[[[[", b"")[int(rng.integers(4))]
    path.write_bytes(data.replace(b'\\"epoch\\":3', new))
    return False


# --- tables, surrogates, caches ------------------------------------------------------------------


def read_table(folder: Path) -> Any:
    from rlnas.bench.nb101.benchmark import load
    from rlnas.bench.nb101.facts import table_facts

    found = table.Table.load(folder / "t.npz")
    about = canonical(load(str(folder / "t.npz")).describe() | {"sha256": ""})
    table_facts(found)
    arrays = {key: x for key in table.ARRAYS if (x := getattr(found, key)) is not None}
    return about, canonical(found.meta), digest_of_arrays(arrays)


def read_cells(folder: Path) -> Any:
    from rlnas.bench.nb201.benchmark import from_table

    found = nb201_table.load(folder / "t.npz")
    arrays = {key: getattr(found, key) for key in nb201_table.MEASURES}
    return canonical(from_table(found).describe()), digest_of_arrays(arrays)


def make_distilled(folder: Path) -> None:
    network = distilled.invented()
    of = {"name": "nb301-xgb_v1.0", "epochs": 100}
    save_npz(folder / "t.npz", distilled.FORMAT, distilled.to_arrays(network), of=of, members=3)


def make_network(folder: Path) -> None:
    shapes = yahpo.expected_shapes() | {"epoch_scale": (), "runtime_scale": (3,)}
    arrays = {name: np.full(shape, 0.25, np.float32) for name, shape in shapes.items()}
    save_npz(folder / "t.npz", load.NETWORK, arrays, compressed=True)


def make_trees(folder: Path) -> None:
    arrays = join([pack(random_forest(seed)) for seed in range(2)])
    save_npz(folder / "xgb_v1.0.npz", TREES, arrays, kind="xgb_v1.0", unit="percent", members=[])
    (folder / "trees").touch()


def read_surrogate(folder: Path) -> Any:
    path = folder / "xgb_v1.0.npz"
    found = load.load(str(path if (folder / "trees").exists() else folder / "t.npz"))
    return found.epochs, found.distilled, tree(found)


def make_cache(folder: Path) -> None:
    cached(folder)


def cached(folder: Path) -> Any:
    """The neighbours of a space, by way of a file; small, as if it were worthwhile."""
    import os

    before, graph.SMALL = os.environ.get("RLNAS_CACHE"), 4
    os.environ["RLNAS_CACHE"] = str(folder)
    graph.NEIGHBOURS.setdefault(5, small_neighbours())
    try:
        return tree(graph.neighbour_lists(5))
    finally:
        graph.SMALL = 5
        del graph.NEIGHBOURS[5]
        if before is None:
            del os.environ["RLNAS_CACHE"]
        else:
            os.environ["RLNAS_CACHE"] = before


@cache
def small_neighbours() -> str:
    from rlnas.bench.nb101.neighbours import all_neighbours

    return digest_of_arrays(dict(zip(("offsets", "flat"), all_neighbours(5), strict=True)))


def edits(name: str) -> tuple[Any, ...]:
    of = npz_of if name.endswith(".npz") else json_of
    return of(name), of(name, forge=True)


NPZ = edits("t.npz")
RECORD = the_job(Path()).record.name
OWN = (
    Kind("run", make_run, read_run, (*edits("manifest.json"), *edits("history.npz"))),
    Kind("comparison", make_summary, read_summary, edits(runs.SUMMARY)),
    Kind("checkpoint", make_checkpoint, read_checkpoint, edits("checkpoint.json")),
    Kind("training's state", lambda f: training.save_state(f / training.STATE, progress()),
         read_state, edits(training.STATE)),
    Kind("training's manifest", make_training, lambda f: repr(training.read(f)),
         edits("manifest.json")),
    Kind("ablation's cell", make_cell, lambda f: repr(ablation.read_cell(f / "cell.json", 2)),
         edits("cell.json")),
    Kind("one-shot scores", make_scores,
         lambda f: tree(list(oneshot.read_scored(f / "s.npz", 3, 20))), edits("s.npz")),
    Kind("report", lambda f: keep("what was said", f), kept),
    Kind("tabulate's records", make_records, read_records,
         (edited_line, *edits("manifest.json")), heals=True),
    Kind("retrained model", make_record, read_record, edits(RECORD), heals=True),
    Kind("safetensors", make_tensors, read_kept_tensors, (edited_tensors,)),
    Kind("retraining", make_retraining, read_retraining, edits("manifest.json")),
    Kind("nb101 table", lambda f: small_table(4).save(f / "t.npz"), read_table, NPZ),
    Kind("nb201 table", lambda f: invented().save(f / "t.npz"), read_cells, NPZ),
    Kind("distilled", make_distilled, read_surrogate, NPZ),
    Kind("network", make_network, read_surrogate, NPZ),
    Kind("trees", make_trees, read_surrogate, edits("xgb_v1.0.npz")),
    Kind("cache", make_cache, cached, edits(f"nb101-neighbours-v{graph.CACHE_VERSION}-5.npz")),
)  # fmt: skip
