"""What reports claim of augmentation: families of recipes that change a row in nothing else."""

from collections.abc import Iterator, Mapping

from thumbnet.recipe import AugmentSpec, RandomOrderSpec, RecipeSpec, SometimesSpec
from thumbnet.recipes import abai2019, zheng2018
from thumbnet.recipes.ablations import vary
from thumbnet.recipes.registry import ablation

Augment = tuple[AugmentSpec, ...]
AUGMENT = ("training.augment",)


def _augmented(row: str, kinds: Mapping[str, Augment]) -> Iterator[RecipeSpec]:
    for kind, augment in kinds.items():
        summary = f"augmented by {kind.removesuffix('-only')} only" if augment else "not augmented"
        yield vary(row, kind, summary, training__augment=augment)


@ablation(
    "augmentation is worth 3 points; what flips and crops are worth each is left open",
    source="zheng2018, sections 5.1 and 6",
    keys=AUGMENT,
)
def zheng_augmentation() -> Iterator[RecipeSpec]:
    """Each kind alone; alexnet-a and vgg11-a are rows of their own."""
    left_right, up_down = zheng2018.FLIPS
    kinds: dict[str, Augment] = {
        "left-right-only": (left_right,),
        "up-down-only": (up_down,),
        "flips-only": zheng2018.FLIPS,
        "crop-only": (zheng2018.CROP,),
    }
    yield from _augmented("zheng2018/alexnet", kinds)
    yield from _augmented("zheng2018/vgg11", kinds)
    yield from _augmented("zheng2018/alchnet11", {"no-augment": (), **kinds})
    of_code: dict[str, Augment] = {
        "shift-only": (zheng2018.SHIFT,),
        "rotation-only": (zheng2018.ROTATION,),
    }
    yield from _augmented("zheng2018/alchnet19", {"no-augment": (), **kinds, **of_code})
    as_told = (*zheng2018.FLIPS, zheng2018.CROP)
    yield from _augmented("zheng2018/alchnet19", {"flips-and-crop-only": as_told})


@ablation(
    "augmentation carries network 1 from 50.2 to 59.5",
    source="abai2019, network 1; columbia2020, section II",
    keys=AUGMENT,
)
def network1_augmentation() -> Iterator[RecipeSpec]:
    """Network 1 with none of the five kinds, each alone, and all in random order."""
    kinds: dict[str, Augment] = {
        f"{kind}-only": (SometimesSpec(p=0.5, ops=(op,)),) for kind, op in abai2019.KINDS_1.items()
    }
    yield from _augmented("abai2019/network1", {"no-augment": (), **kinds})
    shuffled = RandomOrderSpec(
        ops=tuple(SometimesSpec(p=0.5, ops=(op,)) for op in abai2019.KINDS_1.values())
    )
    yield vary(
        "abai2019/network1",
        "random-order",
        "the five kinds in random order",
        training__augment=(shuffled,),
    )


@ablation(
    "augmenting half of the images helps network 2; the code augments all",
    source="columbia2020, section II; the code of abai2019",
    keys=AUGMENT,
)
def network2_augmentation() -> Iterator[RecipeSpec]:
    """Network 2 with none of the kinds, each alone, and all on every image, as in the code."""
    flips: dict[str, Augment] = {"flips-only": abai2019.FLIPS}
    kinds: dict[str, Augment] = {
        f"{kind}-only": (SometimesSpec(p=0.5, ops=(op,)),) for kind, op in abai2019.KINDS_2.items()
    }
    yield from _augmented("abai2019/network2", {"no-augment": ()} | flips | kinds)
    yield vary(
        "abai2019/network2",
        "every-image",
        "every image is augmented, as in the code",
        training__augment=abai2019.MIXTURE_2,
    )


@ablation(
    "without a fixed seed of the augmentation results are hard to compare",
    source="columbia2020, section V.B",
    keys=("training.augment_seed",),
)
def augment_seed() -> Iterator[RecipeSpec]:
    """Free where abai2019 fixed it, fixed where columbia2020 did not."""
    for row in ("abai2019/network1", "abai2019/network2"):
        yield vary(row, "free-seed", "no seed for augmentation", training__augment_seed=None)
    for row in ("columbia2020/model1", "columbia2020/model2"):
        yield vary(row, "fixed-seed", "a seed for augmentation", training__augment_seed=42)
