"""A data set in plain data: its splits, its classes with their counts, and where it came from."""

from typing import Any

from thumbnet.data.packed import PackedDataset

IMBALANCE = 5.0  # times as many images in the largest class as in the smallest: worth a warning


def summarize(dataset: PackedDataset) -> dict[str, Any]:
    """Return what is known of a data set without reading its images, ready for JSON."""
    counts = {
        name: found for name in dataset.splits if (found := dataset.class_counts(name)) is not None
    }
    meta = dataset.meta
    return {
        "name": meta.get("name"),
        "path": str(dataset.path),
        "layout": meta.get("layout"),
        "splits": {
            name: {
                "images": len(split),
                "labels": split.labels is not None,
                "boxes": split.boxes is not None,
            }
            for name, split in dataset.splits.items()
        },
        "num_classes": dataset.num_classes,
        "classes": [
            {
                "wnid": info.wnid,
                "name": info.words,
                "images": {s: int(n[i]) for s, n in counts.items()},
            }
            for i, info in enumerate(dataset.classes)
        ],
        "imbalance": imbalance(dataset),
        "image_size": dataset.image_size,
        "resize": dataset.resize,
        "background": dataset.background,
        "mean": list(dataset.mean),
        "std": list(dataset.std),
        "overall_mean": dataset.overall_mean,
        "overall_std": dataset.overall_std,
        "source": meta["source"],
        "decoder": meta["decoder"],
        "val_rule": meta.get("val_rule"),
        "ignored": _ignored(meta),
        "skipped": meta["skipped"],
        "fingerprint": dataset.fingerprint,
    }


def imbalance(dataset: PackedDataset) -> float:
    """Return how many times as many train images the largest class has as the smallest."""
    counts = dataset.class_counts("train")
    assert counts is not None
    return float(counts.max()) / max(1.0, float(counts.min()))


def _ignored(meta: dict[str, Any]) -> dict[str, int]:
    """Return the counts by kind; folders packed before kinds were kept have one number."""
    if (number := meta.get("ignored_files")) and "ignored" not in meta:
        return {"files": int(number)}
    return dict(meta.get("ignored", {}))
