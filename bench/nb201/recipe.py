"""How NAS-Bench-201 and TransNAS-Bench-101 trained their cells. Needs no torch."""

from dataclasses import replace

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
    stacks=3,
    modules=5,
    crop_padding=4,
    flip=True,
    val_images=25_000,
)
"""Dong and Yang 2020 (arXiv 2001.00326): configs/nas-benchmark/hyper-opts/200E.config, and
lib/datasets/get_dataset_with_transform.py for the images. Ours: the cosine goes by step, theirs by
epoch; the validation half is drawn by us, theirs is a fixed list."""

TNB101 = replace(
    NB201,
    epochs=25,
    batch_size=128,
    channels=64,
    stacks=5,
    modules=2,
    crop_padding=0,
    val_images=Settings.val_images,
)
"""Duan et al. 2021 (arXiv 2105.11871): configs/train_from_scratch/class_scene, without its colour
jitter. Ours: images of other sizes than 256 pixels."""

RECIPES = {"nb201": NB201, "tnb101": TNB101}
UNUSED = frozenset({"layers", "tf_init", "auxiliary_weight", "drop_path"})
"""Settings that mean nothing to its networks."""
ORIGINS = {"nb201-cifar10-valid": Origin("cifar10", "nb201", NB201, unused=UNUSED)}
"""Of the data sets, only CIFAR-10 can be trained on here: half of the training images each to train
and to validate."""
