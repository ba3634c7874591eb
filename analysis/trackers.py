"""Who is told of a training while it runs: TensorBoard, W&B, MLflow (an extra each), or any object
that has the three methods of `Tracker`, given to `rlnas.analysis.training.loop.train`.

They are told, and decide nothing: a training that is logged has the name and the bytes of one that
is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from rlnas.bench.errors import UserError, one_line

Name = Literal["tensorboard", "wandb", "mlflow"]
PROJECT = "rlnas"
"""The project of W&B, and the experiment of MLflow."""
Row = Mapping[str, int | float]


@runtime_checkable
class Tracker(Protocol):
    """What is told. A training that was stopped and goes on is started again, and the evaluations
    made before are logged again: who keeps them elsewhere passes over the steps known there."""

    def start(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """The training's folder, and what decides it (`config.json`)."""

    def log(self, step: int, values: Row) -> None:
        """An evaluation: environment steps so far, and the other columns of `curve.csv`."""

    def finish(self) -> None:
        """The training is done, or stopped, or failed."""


@contextmanager
def tracked(
    trackers: Sequence[Tracker], folder: Path, settings: Mapping[str, Any], rows: Sequence[Row]
) -> Iterator[Callable[[Row], None]]:
    """Within, each row given to the function goes to all; `rows`, those there are already, have
    gone. One that fails when it has started is told of on stderr and left out: no training is lost
    to its log."""
    told: list[Tracker] = []

    def tell(row: Row) -> None:
        values = {name: float(value) for name, value in row.items() if name != "step"}
        for tracker in [*told]:
            if not went(tracker, partial(tracker.log, int(row["step"]), values)):
                told.remove(tracker)

    try:
        for tracker in trackers:
            begin(tracker, folder, settings)
            told.append(tracker)
        for row in rows:
            tell(row)
        yield tell
    finally:
        for tracker in told:
            went(tracker, tracker.finish)


def begin(tracker: Tracker, folder: Path, settings: Mapping[str, Any]) -> None:
    """Start it. `UserError` where that fails: nobody trains for hours to find that out."""
    try:
        tracker.start(folder, settings)
    except Exception as error:
        raise UserError(
            f"{type(tracker).__name__} did not start ({type(error).__name__}: {error}); its own "
            "settings say where it logs to, such as WANDB_MODE=offline or MLFLOW_TRACKING_URI"
        ) from error


def went(tracker: Tracker, act: Callable[[], None]) -> bool:
    """Whether it could be done; why not is on stderr."""
    try:
        act()
    except Exception as error:
        said = one_line(f"{type(error).__name__}: {error}")
        print(
            f"rlnas: warning: {type(tracker).__name__} failed ({said}); the training goes on "
            "without it",
            file=sys.stderr,
        )
        return False
    return True


def named(names: Sequence[Name]) -> list[Tracker]:
    """The trackers of `--log`. `UserError` where one is not installed."""
    known: dict[str, tuple[str, type[Any]]] = {
        "tensorboard": ("tensorboardX", TensorBoard),
        "wandb": ("wandb", WandB),
        "mlflow": ("mlflow", MLflow),
    }
    made: list[Tracker] = []
    for name in dict.fromkeys(names):
        package, tracker = known[name]
        try:
            made.append(tracker())
        except ImportError:
            raise UserError(
                f"--log {name} needs {package}, which is not installed; "
                f"`pip install 'rlnas[{name}]'`"
            ) from None
    return made


class TensorBoard:
    """Event files in `tensorboard` below the training's folder, written anew at each start:
    `tensorboard --logdir runs`."""

    def __init__(self) -> None:
        from tensorboardX import SummaryWriter  # an extra

        self._writer_class = SummaryWriter
        self._writer: Any = None

    def start(self, folder: Path, settings: Mapping[str, Any]) -> None:
        place = folder / "tensorboard"
        for path in place.glob("events.out.tfevents.*"):
            path.unlink()
        self._writer = self._writer_class(str(place))

    def log(self, step: int, values: Row) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def finish(self) -> None:
        self._writer.close()


class WandB:
    """A run of the project `rlnas`, named as the training's folder; W&B's own settings say where it
    goes (`WANDB_MODE=offline`: below the training's folder)."""

    def __init__(self) -> None:
        import wandb  # an extra

        self._wandb: Any = wandb
        self._run: Any = None

    def start(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._run = self._wandb.init(
            project=PROJECT,
            id=folder.name,
            name=folder.name,
            dir=str(folder),
            config=dict(settings),
            resume="allow",
            settings=self._wandb.Settings(console="off"),
        )

    def log(self, step: int, values: Row) -> None:
        if step >= self._run.starting_step:  # what it has of an earlier start is not overwritten
            self._run.log(dict(values), step=step)

    def finish(self) -> None:
        self._run.finish()


class MLflow:
    """A run of the experiment `rlnas`, named as the training's folder, where MLflow's own settings
    say (`MLFLOW_TRACKING_URI`)."""

    def __init__(self) -> None:
        from mlflow import MlflowClient  # an extra

        self._client_class: Any = MlflowClient
        self._client: Any = None
        self._run = ""
        self._known = -1

    def start(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._client = client = self._client_class()
        experiment = client.get_experiment_by_name(PROJECT)
        where = experiment.experiment_id if experiment else client.create_experiment(PROJECT)
        same = client.search_runs([where], f"attributes.run_name = '{folder.name}'")
        if same:
            self._run = same[0].info.run_id
            client.update_run(self._run, status="RUNNING")
            steps = [x.step for x in client.get_metric_history(self._run, "seconds")]
            self._known = max(steps, default=-1)
            return
        self._run = client.create_run(where, run_name=folder.name).info.run_id
        for name, value in settings.items():
            client.log_param(self._run, name, str(value)[:500])

    def log(self, step: int, values: Row) -> None:
        if step > self._known:
            for name, value in values.items():
                self._client.log_metric(self._run, name, value, step=step)

    def finish(self) -> None:
        self._client.set_terminated(self._run)
