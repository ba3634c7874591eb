"""How a network is built and trained. Needs no torch, so that options can be shown without it."""

from dataclasses import dataclass

from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Recipe:
    """How a network is built and trained. The defaults are the recipe of `nb101-digits` (FACTS
    6)."""

    epochs: int = 20
    checkpoints: tuple[int, ...] = (2, 5, 10, 20)
    """Epochs after which validation, test and training accuracy are measured; the last is
    `epochs`."""
    batch_size: int = 64
    learning_rate: float = 0.2
    """Initial rate of RMSProp; cosine to 0 over all steps."""
    momentum: float = 0.9
    decay: float = 0.9
    """RMSProp's averaging of the squared gradient (TensorFlow's default, as in NAS-Bench-101)."""
    epsilon: float = 1.0
    weight_decay: float = 1e-4
    gradient_clip: float = 5.0
    """Largest global norm of the gradient."""
    bn_momentum: float = 0.1
    recompute_bn: bool = True
    """Replace running BatchNorm statistics by those of the whole training part before measuring."""
    stem_channels: int = 16
    stacks: int = 3
    modules: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise UserError(
                f"found {self.epochs} epochs in batches of {self.batch_size}; expected at least 1 "
                "of each"
            )
        if list(self.checkpoints) != sorted(set(self.checkpoints)) or not self.checkpoints:
            raise UserError(f"found checkpoints {self.checkpoints}; expected ascending epochs")
        if self.checkpoints[0] < 1 or self.checkpoints[-1] != self.epochs:
            raise UserError(
                f"found checkpoints {self.checkpoints}; expected the last to be epochs = "
                f"{self.epochs}"
            )
