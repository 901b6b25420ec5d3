"""Our own recipes, tuned on the watched part of `holdout`; official val is only reported."""

from thumbnet.recipe import (
    FlipSpec,
    ModelSpec,
    PadCropSpec,
    PhaseSpec,
    RecipeSpec,
    SgdSpec,
    TrainingSpec,
    TriangularSpec,
)
from thumbnet.recipes.registry import recipe


@recipe
def quick() -> RecipeSpec:
    """Train a small network in minutes on two CPU cores: most epochs at 32 px, the last at 64."""
    return RecipeSpec(
        name="thumbnet/quick",
        summary="a small network in minutes on a CPU: epochs at 32, 48, then 64 px",
        model=ModelSpec(name="thumbnet_quick"),
        optimizer=SgdSpec(momentum=0.9, nesterov=True, weight_decay=5e-4, decay_on="weights"),
        training=TrainingSpec(
            batch_size=256,
            schedule=TriangularSpec(lr=0.8, warmup=0.15),
            augment=(FlipSpec(), PadCropSpec(pad=3)),
            label_smoothing=0.1,
            drop_last=True,
        ),
        phases=(
            PhaseSpec(epochs=4, image_size=32),
            PhaseSpec(epochs=2, image_size=48),
            PhaseSpec(epochs=1, image_size=64),
        ),
    )
