"""A value that is not the default for every option of every command, in command lines; words in
capitals stand for files and folders of the test that runs them."""

from __future__ import annotations

AVERAGES = "averages:AveragesAgent"
MDP = (
    "--alpha 8 --no-relative --reward-scale 2 --neighbours 4 --horizon 7 --stay --steps 96 "
    "--actors 8"
)
NETWORK = "--network.width 16 --network.layers 2 --network.heads 4 --network.feed-forward 8"
TRAIN = (
    "--benchmark table.npz --preset smoke --noise repeat=1 --epochs 4 --seed 3 --out out "
    "--rehearsal --evaluate-every 64 --evaluation-seeds 4 --evaluation-queries 2 5 "
    "--judging-seeds 4"
)
INVENTED = TRAIN.replace("table.npz", "synthetic-tnb101").replace("--rehearsal ", "")
RECIPE = (
    "--epochs 1 --batch-size 20 --optimiser sgd --learning-rate 0.1 --momentum 0.5 --nesterov "
    "--decay 0.8 --epsilon 0.5 --weight-decay 0.001 --gradient-clip 5 --no-drop-last "
    "--bn-momentum 0.2 --bn-epsilon 0.001 --recompute-bn --no-tf-init --channels 4 --stacks 1 "
    "--modules 1 --layers 5 --crop-padding 1 --no-flip --cutout 2 --auxiliary-weight 0.4 "
    "--drop-path 0.1 --val-images 12"
)
ENGINE = "--device cpu --amp off --channels-last on --compile off --deterministic off --threads 1"
TABULATE = (
    "--recipe.epochs 2 --recipe.checkpoints 1 2 --recipe.batch-size 16 --recipe.learning-rate 0.1 "
    "--recipe.momentum 0.8 --recipe.decay 0.8 --recipe.epsilon 0.9 --recipe.weight-decay 0.001 "
    "--recipe.gradient-clip 4 --recipe.bn-momentum 0.2 --recipe.no-recompute-bn "
    "--recipe.stem-channels 4 --recipe.stacks 1 --recipe.modules 2"
)
ON_RAY = "--executor ray --address auto --gpus-per-task 0.5"
LINES: dict[str, list[str]] = {
    "compare": [
        "--benchmark table.npz --agents random_search evolution:population=3,tournament=2 "
        "--budget 7 --seeds 3 --seed 5 --noise sample --epochs 4 --reference random_search "
        "--rehearsal --out out --redo",
        "--benchmark table.npz --agents random_search nsga2:population=2 --budget 5 --seeds 3 "
        "--objectives accuracy params --reward monas:objective=params --out out",
        "--benchmark table.npz --agents random_search hyperband --seconds 900 --seeds 3 --out out",
        ON_RAY,
        "--benchmark table.npz --agents random_search hyperband --any-fidelity --budget 7 "
        "--seeds 3 --out out",
    ],
    "fidelity": [
        "table.npz --agents random_search early_stopping --seconds 900 --seeds 3 --seed 5 "
        "--fidelities 4 --architectures 50 --noise sample --epochs 12 --reference random_search "
        "--rehearsal --out out --redo"
    ],
    "plot": ["COMPARED --out drawn --reference random_search"],
    "report": ["COMPARED --out drawn", "COMPARED --html report.html"],
    "show": ["9 --benchmark table.npz --epochs 4 --out cell.svg"],
    "train": [
        f"dqn {TRAIN} --log tensorboard --shown 0.6 --shown-region --shown-seed 2 {MDP} {NETWORK} "
        "--network.dropout 0.1 --gamma 0.5 --epsilon-base 0.3 --epsilon-exponent 3 "
        "--learning-starts 32 --n-step 1 --batch-size 8 "
        "--updates 2 --capacity 256 --priority-alpha 0.5 --priority-beta 0.5 "
        "--learning-rate 0.001 --gradient-clip 1 --target-every 16",
        f"{AVERAGES} {TRAIN} --shown-vertices 3 --rollout 3 --rate 0.4 --spread 0.1 --seeds 2",
        f"incontext {INVENTED} {NETWORK} --network.dropout 0.1 --alpha 2 "
        "--horizon 9 --read 8 --fresh 12 --parents 2 --near 3 --current 2 --no-history "
        "--no-surrogate --steps 48 --actors 4 --passes 1 --batches 2 "
        "--learning-rate 0.01 --gradient-clip 2 --clip 0.1 --trace 0.5 --entropy 0.02 "
        "--sharpness 2 --anytime 0.5 --algorithm double_q --gamma 0.9 --n-step 2 --target-rate 0.5",
        f"--workers 2 {ON_RAY}",
    ],
    "landscape": [
        "--benchmark table.npz --walks 20 --length 12 --lags 4 --alphas 2 8 --seed 1 --epochs 4 "
        "--rehearsal --out out"
    ],
    "scale": ["TRAINED --queries 5 --out out"],
    "ablate": [
        f"--agent {AVERAGES} --preset smoke --benchmark table.npz --alpha 4 --neighbours 3 "
        "--vary rate=0.4,0.5 --seeds 2 --steps 64 --evaluation-seeds 3 --seed 2 --workers 1 "
        "--rehearsal --out out",
        ON_RAY,
    ],
    "retrain": [
        "COMPARED --top 1 --random 1 --worst 1 --cells CELL --csv archs.csv --seed 2 "
        f"--dataset images.npz --data-dir here --preset quick {RECIPE} --seeds 1 "
        f"--first-seed 7 --workers 1 {ENGINE} "
        "--plain-loop-batches 1 --keep-weights --benchmark table.npz --table-epochs 4 --out out",
        f"--cells CELL {ON_RAY}",
    ],
    "oneshot": [
        "--benchmark digits.npz --dataset images.npz --preset smoke --max-vertices 4 --epochs 2 "
        "--steps 3 --learning-rate 0.01 --sampling sandwich --split graph --seeds 1 --seed 2 "
        "--score loss --trainings 1 --out out",
        ON_RAY,
    ],
    "oneshot enas": [
        "--benchmark digits.npz --dataset images.npz --preset smoke --max-vertices 4 --epochs 1 "
        "--steps 3 --learning-rate 0.01 --controller-steps 1 --samples 10 --seeds 1 --seed 2 "
        "--table-seeds 3 --trainings 1 --out out",
    ],
    "oneshot ghn": [
        "--benchmark digits.npz --dataset images.npz --preset smoke --max-vertices 4 --held 25 "
        "--epochs 1 --steps 3 --learning-rate 0.01 --shared-rate 0.01 --seeds 1 --seed 2 "
        "--trainings 1 --out out",
    ],
    "compress": [
        "--benchmark digits.npz --dataset images.npz --preset smoke --max-vertices 4 --teachers 2 "
        "--batches 1 --rollouts 3 --epochs 2 --learning-rate 0.1 --policy-rate 0.1 --entropy 0.1 "
        "--tolerance 0.2 --seed 2 --out out"
    ],
    "maskconnect": [
        "--benchmark digits.npz --dataset images.npz --preset smoke --vertices 4 --active 1 "
        "--sets 2 --seeds 1 --seed 2 --epochs 1 "
        "--score-optimiser adam --score-rate 0.1 --out out"
    ],
    "morph": [
        "--benchmark digits.npz --dataset images.npz --preset smoke --max-vertices 4 --pairs 1 "
        "--parent-epochs 1 --epochs 1 --learning-rate 0.1 --edits 2 --episodes 1 --nets 1 "
        "--start CELL --policy-rate 0.1 --entropy 0.1 --seeds 1 "
        "--seed 2 --out out"
    ],
    "probe": [
        "random_search --benchmark table.npz --budget 4 --seeds 3 --seed 1 --source part.npz "
        "--rehearsal --out out"
    ],
    "stability": [
        "--benchmark table.npz --agents evolution --rates 2 3 --option tournament --budget 20 "
        "--trainings 3 --seed 1 --out out"
    ],
    "transfer": [
        "--benchmarks table.npz other.npz --agent gp:fresh=5,near=2,parents=2 --budget 4 "
        "--points 3 --seeds 2 --seed 1 --out out"
    ],
    "predict": [
        "table.npz --predictors params --train 10 20 --draws 2 --pool 60 --epochs 4 --seed 1 "
        "--out out",
        "table.npz --predictors params --train 10 --columns columns.csv --truth acc --out out",
    ],
    "runs": ["before --all"],
    "runs show": ["COMPARED"],
    "runs rm": ["GONE"],
    "runs clean": ["before --yes --hours 2"],
    "reproduce": ["--only tnb101-jigsaw --seeds 4 --out out"],
    "speed": ["--size small --only enumeration --cores 1 --json record.json"],
    "completion": ["zsh"],
    "agents": ["evolution"],
    "check": ["random_search"],
    "new agent": ["brand_new --folder made/agent"],
    "new benchmark": ["brand-new --folder made/benchmark"],
    "bench list": [""],
    "bench info": ["table.npz"],
    "bench show": ["9 --benchmark table.npz --epochs 4 --out other.png"],
    "bench fetch": [
        "small --url URL/made.tfrecord --folder fetched --no-convert",
        "small --from-file made.tfrecord --no-convert",
    ],
    "bench convert": [
        "made.tfrecord --name other --out converted.npz --sha256 SHA256 --allow-missing "
        "--max-vertices 3"
    ],
    "bench import-csv": [
        "cells.csv --family nb101 --name mine --out mine.npz --columns acc=validation_accuracy "
        "--epochs 5 --percent --values max-of-3 --note of-a-test --max-vertices 3 --continues",
        "words.csv --family nb201 --out mine --columns acc=cifar100_val --epochs 7 --fractions "
        "--values 7=mean-of-3 --note of-a-test",
    ],
    "bench add-columns": [
        "table.npz costs.csv --columns energy=joules --unit J --degenerate keep --note of-a-test "
        "--out costly.npz"
    ],
    "bench export": ["table.npz --format parquet --shape wide --out table.parquet"],
    "bench distill": [
        "nb301-tiny --labels 128 --rounds 1 --width 8 --steps 20 --seed 1 --out distilled.npz",
        ON_RAY,
    ],
    "bench rehearse": ["part.npz --max-vertices 5 --out rehearsal.npz"],
    "bench proxies": [
        "nb101-mnist --proxies params snip --batch 8 --seed 1 --cells 1 --folder proxies "
        "--out proxies.csv"
    ],
    "bench synthetic": ["--tables 2 --beside nb101-digits nb101-digits --seed 1"],
    "bench latency": [
        "nb101-mnist --batches 2 --runs 1 --rounds 2 --cells 2 --folder lat --out latency.csv"
    ],
    "bench tabulate": [
        "--name tiny --max-vertices 4 --cells rows.csv --dataset images.npz --seeds 1 --workers 1 "
        f"--folder trainings --out tiny.npz {TABULATE}",
        f"--name tiny {ON_RAY}",
    ],
}
