"""Recipes as published, where tables come from, and the engine of a machine."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

torch = pytest.importorskip(
    "torch", reason="the extra `retrain` is not installed: no real trainings here"
)

from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101.recipe import NB101, Recipe  # noqa: E402
from rlnas.bench.nb201.recipe import NB201  # noqa: E402
from rlnas.bench.nb301.recipe import NB301  # noqa: E402
from rlnas.bench.retrain import device  # noqa: E402
from rlnas.bench.retrain.engine import Engine, Options  # noqa: E402
from rlnas.bench.retrain.presets import DIGITS, MNIST, OWN_SPLIT  # noqa: E402
from rlnas.bench.retrain.recipes import origin, presets  # noqa: E402

PUBLISHED = {
    "nb101": {"epochs": 108, "batch_size": 256, "learning_rate": 0.2, "momentum": 0.9}
    | {"epsilon": 1.0, "weight_decay": 1e-4, "channels": 128, "stacks": 3, "modules": 3}
    | {"val_images": 10_000},
    "nb201": {"epochs": 200, "batch_size": 256, "optimiser": "sgd", "learning_rate": 0.1}
    | {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "channels": 16, "modules": 5}
    | {"crop_padding": 4, "flip": True, "val_images": 25_000},
    "tnb101": {"epochs": 25, "batch_size": 128, "optimiser": "sgd", "learning_rate": 0.1}
    | {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "channels": 64, "modules": 2}
    | {"stacks": 5, "flip": True, "crop_padding": 0},
    "nb301": {"epochs": 100, "batch_size": 96, "optimiser": "sgd", "learning_rate": 0.025}
    | {"momentum": 0.9, "weight_decay": 3e-4, "cutout": 16, "auxiliary_weight": 0.4}
    | {"drop_path": 0.2, "layers": 8, "channels": 32, "gradient_clip": 5.0},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_are_the_published_recipes(name: str) -> None:
    found = asdict(presets()[name])
    assert {key: found[key] for key in PUBLISHED[name]} == PUBLISHED[name]


def test_a_table_by_tabulate_is_the_preset_digits() -> None:
    assert presets()["digits"] == DIGITS == Recipe().settings


def test_every_field_of_a_recipe_is_in_the_settings() -> None:
    """A changed recipe is another setting: nothing of it is dropped on the way."""
    other = {
        "epochs": 3,
        "checkpoints": (3,),
        "batch_size": 5,
        "learning_rate": 0.5,
        "momentum": 0.5,
        "decay": 0.5,
        "epsilon": 0.5,
        "weight_decay": 0.5,
        "gradient_clip": 0.5,
        "bn_momentum": 0.5,
        "recompute_bn": False,
        "stem_channels": 5,
        "stacks": 5,
        "modules": 5,
    }
    assert set(other) == set(asdict(Recipe()))
    for name in set(other) - {"checkpoints"}:
        changes = {name: other[name]} | ({"checkpoints": (3,)} if name == "epochs" else {})
        assert replace(Recipe(), **changes).settings != Recipe().settings, name


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epochs": 0}, "--epochs 0; expected at least 1"),
        ({"drop_path": 1.0}, "expected a share below 1"),
        ({"learning_rate": -1.0}, "--learning-rate -1.0; expected at least 0"),
        ({"batch_size": 0}, "--batch-size 0"),
    ],
)
def test_settings_that_are_none(changes: dict, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        replace(NB101, **changes)


def test_where_tables_come_from() -> None:
    """The official table's budgets are trainings of their own, those of nb101-digits are not."""
    for name, epochs, wanted in (
        ("nb101-digits", 5, ("digits", "digits", DIGITS)),
        ("nb101-mnist", None, ("mnist", "mnist", MNIST)),
        ("nb101-108", None, ("cifar10", "nb101", NB101)),
        ("nb101-full", 36, ("cifar10", "nb101", replace(NB101, epochs=36))),
        ("nb201-cifar10-valid", 200, ("cifar10", "nb201", NB201)),
        ("nb301-yahpo", 98, ("cifar10", "nb301", NB301)),
    ):
        found = origin(name, epochs)
        assert found is not None and (found.dataset, found.preset, found.settings) == wanted
        assert found.repeats_are_seeds == (name in ("nb101-digits", "nb101-mnist"))
        assert found.unused < set(asdict(NB101))
    assert origin("mine", None) is None
    assert {"digits", "mnist"} == OWN_SPLIT


def test_the_engine_of_a_machine_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    made = device.resolve(Options(), 10**9, 2)
    assert made == Engine("cpu", "off", False, False, True, 2)
    assert device.resolve(Options(threads=3, deterministic="off"), 1, 2) == Engine(
        deterministic=False, threads=3
    )
    for options, reason in (
        (Options(device="cuda"), "torch sees no GPU here"),
        (Options(device="tpu"), "expected auto, cpu or cuda"),
        (Options(amp="fp16"), "--amp fp16 on the CPU"),
    ):
        with pytest.raises(UserError, match=reason):
            device.resolve(options, 1, 1)


def test_the_engine_of_a_machine_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choices only; no GPU is used."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert device.resolve(Options(), device.COMPILE_STEPS, 2) == Engine(
        "cuda", "fp16", True, True, False, 2
    )
    assert not device.resolve(Options(), device.COMPILE_STEPS - 1, 2).compile
    assert not device.resolve(Options(deterministic="on"), 10**9, 2).compile
    assert device.resolve(Options(device="cpu"), 10**9, 2).device == "cpu"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert device.resolve(Options(device="cuda:1", compile="off"), 10**9, 2).amp == "bf16"
