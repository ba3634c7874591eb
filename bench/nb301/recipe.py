"""How NAS-Bench-301 trained its architectures. Needs no torch."""

from rlnas.bench.retrain.plan import Origin
from rlnas.bench.retrain.presets import Settings

NB301 = Settings(
    epochs=100,
    batch_size=96,
    optimiser="sgd",
    learning_rate=0.025,
    weight_decay=3e-4,
    gradient_clip=5.0,
    drop_last=False,
    bn_momentum=0.1,
    tf_init=False,
    channels=32,
    cutout=16,
    auxiliary_weight=0.4,
    drop_path=0.2,
)
"""Siems et al. 2020 (arXiv 2008.09777), after DARTS; cosine by step where DARTS goes by epoch."""

RECIPES = {"nb301": NB301}
UNUSED = frozenset({"stacks", "modules", "tf_init"})
"""Settings that mean nothing to a DARTS network."""
ORIGIN = Origin("cifar10", "nb301", NB301, unused=UNUSED)
"""The trainings that every surrogate learned from."""
