"""A run's curve from its folder, beside what its report published."""

from dataclasses import replace

from thumbnet.runs import RunFolder
from thumbnet.training.hand import read_acts
from thumbnet.visualize.curves import Curve, read_curve

WHERE = {"val": "val", "watch": "held-out images"}


def curve_of(folder: RunFolder, title: str) -> Curve:
    """Read a run's curve with what was done to it, beside its published figure.

    Raises: CheckpointError where there is no epoch yet
    """
    recipe = folder.recipe()
    published = recipe.published
    acts = [
        (act.step, str(act))
        for act in read_acts(folder.events_file)
        if act.kind not in {"skip", "threads"}
    ]
    curve = replace(read_curve(title, folder.results_file, acts), planned=float(recipe.num_epochs))
    if published is None:
        return curve
    curve = replace(curve, published=published.top1, source=WHERE[published.split])
    way = published.curve
    if way is None:
        return curve
    return replace(curve, on_the_way=way.points, way_source=WHERE[way.split])
