"""How NAS-Bench-201 trained its cells. Needs no torch."""

from rlnas.bench.retrain.plan import Origin
from rlnas.bench.retrain.presets import Settings

NB201 = Settings(
    epochs=200,
    batch_size=256,
    optimiser="sgd",
    learning_rate=0.1,
    nesterov=True,
    weight_decay=5e-4,
    drop_last=False,
    bn_momentum=0.1,
    tf_init=False,
    channels=16,
    modules=5,
    val_images=25_000,
)
"""Dong and Yang 2020 (arXiv 2001.00326), table 1; cosine by step where they go by epoch."""

RECIPES = {"nb201": NB201}
UNUSED = frozenset({"layers", "tf_init", "auxiliary_weight", "drop_path"})
"""Settings that mean nothing to its networks."""
ORIGINS = {"nb201-cifar10-valid": Origin("cifar10", "nb201", NB201, unused=UNUSED)}
"""Of its data sets, only CIFAR-10 can be trained on here: half of the training images each to
train and to validate."""
