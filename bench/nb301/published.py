"""Where the surrogates of NAS-Bench-301 are published."""

from rlnas.bench.fetch import Download

PUBLISHED_NETWORK = "3c6a6fb3a70998bf6c55883bdc5cc71cff190e1859468d72cc6960b88f06d280"
DOWNLOADS = (
    Download(
        "nb301-yahpo",
        "NAS-Bench-301: YAHPO Gym's network of its learning curves, 98 budgets (2.6 MB)",
        "nb301_yahpo_v1.onnx",
        tuple(
            f"https://raw.githubusercontent.com/slds-lmu/yahpo_data/{at}/nb301/model.onnx"
            for at in ("main", "v1.0")
        ),
        PUBLISHED_NETWORK,
        2_578_406,
    ),
    Download(
        "nb301-v1.0",
        "NAS-Bench-301: the official ensembles xgb_v1.0 and lgb_runtime_v1.0 (1.8 GB)",
        "nb301_models_v1.0.zip",
        (
            "https://ndownloader.figshare.com/files/24992018",
            "https://figshare.com/ndownloader/files/24992018",
        ),
        # by a third party's catalogue
        "e807411d6a454841965d3157a977896683b716dc48743049bd6be0ce94210824",
        1_848_669_012,
    ),
    Download(
        "nb301-v0.9",
        "NAS-Bench-301: the official ensembles xgb_v0.9 and lgb_runtime_v0.9 (1.6 GB; no "
        "published checksum)",
        "nb301_models_v0.9.zip",
        (
            "https://ndownloader.figshare.com/files/24693026",
            "https://figshare.com/ndownloader/files/24693026",
        ),
        None,
    ),
)
