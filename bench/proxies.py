"""Zero-cost proxies of every architecture of a benchmark, on the networks that it trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.bench.checks import Fields, Number, Text
from rlnas.bench.columns import column_file
from rlnas.bench.files import quoted
from rlnas.bench.progress import bar
from rlnas.bench.records import appending, open_folder, records
from rlnas.bench.retrain.engine import Engine
from rlnas.bench.trained import trained

FORMAT, VERSION = "rlnas-proxies", 1
HINT = "choose another --folder"


def compute(
    name: str, proxies: Sequence[str], batch: int, seed: int, most: int, folder: Path, out: Path
) -> str:
    """Compute what is missing in `folder`, write the columns to `out`, and say what it is. most: so
    many architectures, drawn; 0 for all. Raises `UserError`."""
    from rlnas.bench.retrain import datasets, device
    from rlnas.bench.retrain.proxies import proxies_of

    family, benchmark, origin = trained(name)
    space = benchmark.space
    data = datasets.load(origin.dataset)
    engine = Engine()
    device.prepare(engine)
    about = {
        "benchmark": benchmark.name,
        "dataset": origin.dataset,
        "proxies": list(proxies),
        "batch": batch,
        "seed": seed,
    }
    machine = device.describe(engine)
    versions = {"machine": machine["device_name"], "versions": machine["versions"]}
    open_folder(folder, {"format": FORMAT, "version": VERSION} | about | versions, HINT)
    rules = Fields({"arch": Text(), "values": Fields(dict.fromkeys(proxies, Number(null=True)))})
    done = {record["arch"]: record["values"] for record in records(folder, rules)}
    chosen = np.sort(np.random.default_rng(0).permutation(space.size)[: most or None]).tolist()
    archs = {i: jax.tree.map(np.asarray, space.at(jnp.int32(i))) for i in chosen}
    texts = {i: space.format(arch) for i, arch in archs.items()}
    there = sum(text in done for text in texts.values())
    with (
        appending(folder) as write,
        bar(f"proxies {name}", len(chosen), unit="network", initial=there) as shown,
    ):
        for i, text in texts.items():
            if text not in done:
                plan = family.network(benchmark, archs[i])
                done[text] = proxies_of(plan, origin.settings, data, proxies, batch, seed)
                write({"arch": text, "values": done[text]})
                shown.update()
    columns: dict[str, Any] = {"arch": np.array(list(texts.values()))}
    for proxy in proxies:
        found = [done[text][proxy] for text in texts.values()]
        columns[proxy] = np.array([np.nan if x is None else x for x in found], np.float64)
    with column_file(out) as write_columns:
        write_columns(columns)
    gaps = int(sum(np.isnan(columns[proxy]).sum() for proxy in proxies))
    return (
        f"{quoted(out)}: {', '.join(proxies)} of {len(chosen):,} networks, one batch of {batch} "
        f"images of {origin.dataset}, seed {seed}; {gaps} without a value\n"
        f"to see what they are worth: rlnas predict {name} --columns {quoted(out)}"
    )
