"""A recipe refuses what it does not know, says all that is wrong, and stays what it was."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from thumbnet.errors import RecipeError
from thumbnet.recipe import (
    CosineSpec,
    FlipSpec,
    MeanStd,
    PublishedCurve,
    RecipeSpec,
    Spec,
)
from thumbnet.recipes.parse import parse_recipe, with_overrides
from thumbnet.recipes.registry import load_recipe, recipe_names

QUICK = load_recipe("thumbnet/quick")
LENET = load_recipe("vonmartens2019/lenet5")
MINIMAL = {"name": "mine", "model": {"name": "lenet5"}, "phases": [{"epochs": 1}]}


def change(**overrides: Any) -> RecipeSpec:
    """Override keys written with `__` for the dots."""
    return with_overrides(QUICK, {k.replace("__", "."): v for k, v in overrides.items()}, "here")


def test_the_minimum_takes_defaults() -> None:
    spec = parse_recipe(MINIMAL, "here")
    assert (spec.training.batch_size, spec.data.protocol) == (128, "holdout")
    assert spec.preprocess.image_size == 64
    assert spec.training.augment == ()
    assert spec.published is None


@pytest.mark.parametrize(
    ("dotted", "right"),
    [
        ("traning", "training"),
        ("model.nam", "name"),
        ("preprocess.image_sise", "image_size"),
        ("optimizer.momentun", "momentum"),
        ("training.batchsize", "batch_size"),
        ("training.schedule.warmpu", "warmup"),
        ("training.augment.1.pda", "pad"),
        ("training.augment.0.axes", "axis"),
        ("phases.1.epoch", "epochs"),
        ("data.protocl", "protocol"),
        ("quirks.num_output", "num_outputs"),
        ("published.top_1", "top1"),
        ("deviation", "deviations"),
    ],
)
def test_an_unknown_key_names_the_nearest_at_every_level(dotted: str, right: str) -> None:
    with pytest.raises(RecipeError) as error:
        with_overrides(QUICK, {dotted: 1}, "here")
    last = dotted.rpartition(".")[2]
    (line,) = [line for line in str(error.value).splitlines() if f"{last}: no such key" in line]
    assert f"; did you mean '{right}'? Keys of " in line
    allowed = line.partition(" Keys of ")[2].partition(": ")[2].split(", ")
    assert right in allowed
    assert last not in allowed


def test_the_allowed_keys_are_those_of_the_chosen_kind() -> None:
    with pytest.raises(RecipeError, match=r"augment\.0\.x: .* Keys of pad_crop: fill, name, pad"):
        change(training__augment=[{"name": "pad_crop", "x": 1}])
    with pytest.raises(RecipeError, match=r"schedule\.x: no such key\. Keys of constant: lr, name"):
        change(phases__0__schedule={"name": "constant", "lr": 1, "x": 1})
    with pytest.raises(RecipeError, match=r"normalize\.stdd: .*'std'\? Keys of .*: mean, std"):
        change(preprocess__normalize={"mean": [0.5], "std": [0.5], "stdd": 1})


def test_an_unknown_key_on_the_way_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"'trainig'; did you mean 'training'\?"):
        change(trainig__seed=1)
    with pytest.raises(RecipeError, match=r"no key 'shedule'; did you mean 'schedule'\?"):
        change(training__shedule__lr=1)


@pytest.mark.parametrize(
    ("dotted", "value"),
    [
        ("name", 3),
        ("name", "a b"),
        ("name", "../up"),
        ("name", "a/b/c"),
        ("model", "lenet5"),
        ("model.args.width", [1]),
        ("preprocess.image_size", 7),
        ("preprocess.image_size", 64.5),
        ("preprocess.color", "gray"),
        ("preprocess.normalize", "chanel"),
        ("preprocess.normalize", {"mean": [0.5], "std": [0.0]}),
        ("preprocess.normalize", {"mean": [], "std": []}),
        ("optimizer.momentum", 1.0),
        ("optimizer.clip_norm", 0),
        ("training.batch_size", 0),
        ("training.batch_size", 1.5),
        ("training.batch_size", "many"),
        ("training.batch_size", None),
        ("training.schedule", "constant"),
        ("training.schedule.lr", 0),
        ("training.schedule.lr", float("nan")),
        ("training.schedule.warmup", 1),
        ("training.augment", {"name": "flip"}),
        ("training.augment.0.p", 1.1),
        ("training.augment.1.fill", "mirror"),
        ("training.ema_decay", 1),
        ("training.early_stop", 0),
        ("training.seed", -1),
        ("training.seed", 2**31),
        ("training.time_budget_s", float("inf")),
        ("training.precision", "fp8"),
        ("phases", []),
        ("phases", {"epochs": 1}),
        ("phases.0.epochs", 0),
        ("phases.2.image_size", "big"),
        ("data.protocol", "val"),
        ("published", {"source": "x", "top1": 55.7}),
        ("deviations", "none"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(dotted: str, value: object) -> None:
    with pytest.raises(RecipeError) as error:
        with_overrides(QUICK, {dotted: value}, "here")
    lines = str(error.value).splitlines()
    assert lines[0] == "here cannot be changed like this:"
    schema_path = dotted.split(".")
    for line in lines[1:]:
        where = line.strip().partition(":")[0].split(".")
        assert [part for part in where if part in schema_path][: len(schema_path)] == schema_path
        assert "(got " in line


def test_an_unknown_kind_names_those_there_are() -> None:
    kinds = "Schedules: constant, triangular, cosine"
    with pytest.raises(RecipeError, match=f"training.schedule: no schedule 'polynomial'.*{kinds}"):
        change(training__schedule__name="polynomial")
    with pytest.raises(
        RecipeError, match=r"optimizer: .*'adan'; did .*'adam'\? Optimizers: sgd, ad"
    ):
        change(optimizer__name="adan")
    colors = "brightness and color: multiply, contrast, saturation, hue;"
    with pytest.raises(RecipeError, match=rf"augment\.0: no augmentation 'huee'; did .*{colors}"):
        change(training__augment__0__name="huee")
    with pytest.raises(RecipeError, match=r"'mixup' is a kind of mix, as in `training\.mix: \["):
        change(training__augment__0__name="mixup")


def test_keys_that_a_new_kind_leaves_over_are_named_with_what_to_write() -> None:
    with pytest.raises(RecipeError) as error:
        change(optimizer__name="adam")
    assert str(error.value).splitlines()[1:] == [
        "  optimizer: adam has no momentum and no nesterov; replace the whole block: "
        "--set 'optimizer={name: adam}'"
    ]
    with pytest.raises(RecipeError, match=r"'training\.schedule=\{name: cyclic, lr: \."):
        change(training__schedule__name="cyclic")
    with pytest.raises(RecipeError, match=r"optimizer\.nestrov: no such key; did you mean"):
        change(optimizer__name="sgd", optimizer__nestrov=True)


def test_what_a_recipe_needs_at_least_is_said() -> None:
    with pytest.raises(RecipeError) as error:
        parse_recipe({"summary": "mine"}, "mine.yaml")
    (line,) = str(error.value).splitlines()[1:]
    assert line.startswith("  name, model, phases: missing; a recipe needs at least `name`")
    assert "`phases: [{epochs: 10}]`" in line


def test_every_problem_is_listed_at_once() -> None:
    data = {
        "nme": "x",
        "model": 3,
        "training": {"seed": -1, "schedule": {"name": "cosine", "lr": 0}, "sed": 1},
        "phases": [{"epochs": 1}, {"epochs": 0}, {}],
    }
    with pytest.raises(RecipeError) as error:
        parse_recipe(data, "mine.yaml")
    first, *lines = str(error.value).splitlines()
    assert first == "mine.yaml is not a valid recipe:"
    places = sorted(line.strip().partition(":")[0] for line in lines)
    assert places == sorted(
        [
            "name",
            "model",
            "nme",
            "training.seed",
            "training.schedule.lr",
            "training.sed",
            "phases.1.epochs",
            "phases.2.epochs",
        ]
    )


def test_a_problem_inside_is_not_told_again_of_what_holds_it() -> None:
    with pytest.raises(RecipeError) as error:
        parse_recipe({**MINIMAL, "phases": [{"epochs": 0}]}, "here")
    assert str(error.value).splitlines()[1:] == ["  phases.0.epochs: must be above 0 (got 0)"]


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_what_is_no_mapping_is_refused(data: object) -> None:
    with pytest.raises(RecipeError, match="here: a recipe is a mapping of keys, not"):
        parse_recipe(data, "here")


def test_normalization_must_fit_the_color() -> None:
    three = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]}
    assert change(preprocess__normalize=three).preprocess.normalize == MeanStd(**three)
    change(preprocess__normalize={"mean": [0.5], "std": [0.5, 0.4, 0.3]})
    for color, mean in (("grey", [0.5, 0.4, 0.3]), ("rgb", [0.5, 0.4])):
        with pytest.raises(RecipeError, match=f"a {color} input takes 1 or"):
            change(preprocess__color=color, preprocess__normalize={"mean": mean, "std": [0.5]})


def test_overrides_replace_nested_keys_and_nothing_else() -> None:
    changed = change(training__seed=5, phases__1__epochs=2.5, model__args__width=8)
    expected = QUICK.model_dump(mode="json")
    expected["training"]["seed"] = 5
    expected["phases"][1]["epochs"] = 2.5
    expected["model"]["args"]["width"] = 8
    assert changed.model_dump(mode="json") == expected
    assert QUICK.training.seed == 0
    assert QUICK.model.args == {}


def test_overrides_set_whole_lists_members_and_none() -> None:
    assert change(training__augment=[]).training.augment == ()
    flips = change(training__augment__1={"name": "flip", "axis": "vertical"})
    assert flips.training.augment == (FlipSpec(), FlipSpec(axis="vertical"))
    assert change(phases__0__augment=[]).phases[0].augment == ()
    assert change(phases__0__image_size=None).phases[0].image_size is None
    emptied = with_overrides(LENET, {"published": None}, "here")
    assert emptied.published is None


def test_overrides_reach_below_what_was_none() -> None:
    changed = change(phases__0__schedule__name="cosine", phases__0__schedule__lr=0.1)
    assert changed.phases[0].schedule == CosineSpec(lr=0.1)
    assert changed.phases[1].schedule is None
    with pytest.raises(RecipeError, match=r"published\.source: missing; the report"):
        change(published__top1=0.5)


@pytest.mark.parametrize("position", ["3", "x", "-1", "²", ""])
def test_a_position_outside_the_list_is_refused(position: str) -> None:
    for dotted in (f"phases.{position}.epochs", f"phases.{position}"):
        with pytest.raises(RecipeError, match="must be a position from 0 to 2"):
            with_overrides(QUICK, {dotted: 1}, "here")


@pytest.mark.parametrize("dotted", ["training.seed.x", "training.seed.x.y", "name.x"])
def test_a_plain_value_has_nothing_below(dotted: str) -> None:
    with pytest.raises(RecipeError, match="one value"):
        with_overrides(QUICK, {dotted: 1}, "here")


@pytest.mark.parametrize("key", ["", "training.", ".seed"])
def test_an_empty_key_is_unknown(key: str) -> None:
    with pytest.raises(RecipeError, match=r"no such key|no key"):
        with_overrides(QUICK, {key: 1}, "here")


def leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """List every plain value of a recipe by its dotted key."""
    if isinstance(value, dict) and value:
        return {k: v for name in value for k, v in leaves(value[name], f"{prefix}{name}.").items()}
    if isinstance(value, list) and value:
        items = enumerate(value)
        return {k: v for i, item in items for k, v in leaves(item, f"{prefix}{i}.").items()}
    return {prefix.removesuffix("."): value}


OTHER_VALUES = (  # the first that the schema takes and that differs is used
    "cosine", "vertical", "zeros", "grey", "official", "contiguous", "bf16", "overall",
    "horizontal", "channel", "holdout", "other", 2, 0.75, True, False, 9, ["other"], [],
    {"name": "constant", "lr": 9}, {"source": "other", "top1": 0.5}, {"width": 3},
    "watch", "best", "edge", "nearest", "decoupled", "weights", "all", {"name": "adam"},
    {"members": ["a", "b"]}, [{"name": "mixup"}], [{"name": "flip"}], 32, 0.0, -0.01, 0.01,
    "reflect", -1.0, "phase", "eager", "loss",
)  # fmt: skip


@pytest.mark.parametrize("name", ["thumbnet/quick", "zheng2018/alchnet19"])
def test_the_digest_changes_with_every_field(name: str) -> None:
    recipe = load_recipe(name)
    seen, changed = {recipe.sha256()}, set()
    # A published curve plays no part in the digest; its own test says so.
    fields = set(leaves(recipe.model_dump(mode="json"))) - {"published.curve"}
    for dotted in fields:
        for value in OTHER_VALUES:
            try:
                other = with_overrides(recipe, {dotted: value}, "here")
            except RecipeError:
                continue
            if other != recipe:
                changed.add(dotted)
                seen.add(other.sha256())
                break
    tags = {d for d in fields if d.endswith(".name") and ".augment." in d} | {"optimizer.name"}
    tags |= {"training.augment.2.ops.0.fill_value.0"} & fields  # its upper end stands at 0
    assert fields - changed == tags  # of another kind the other keys would be wrong
    assert len(seen) == len(changed)  # the recipe's own, and all but that of data.path


def test_the_digest_is_that_of_the_content_wherever_the_data_lies() -> None:
    assert change(data__path="/elsewhere").sha256() == QUICK.sha256()
    assert change(data__fingerprint="other").sha256() != QUICK.sha256()
    assert change().sha256() == QUICK.sha256() == change(training__seed=0).sha256()
    assert change(training__seed=1).sha256() == change(training__seed=1).sha256()
    assert len(QUICK.sha256()) == 64


def test_scaled_stretches_every_phase_alike() -> None:
    half = QUICK.scaled(0.5)
    assert [phase.epochs for phase in half.phases] == [2, 1, 0.5]
    assert (QUICK.num_epochs, half.num_epochs) == (7, 3.5)
    assert half.scaled(2) == QUICK
    assert half.phases[0].image_size == QUICK.phases[0].image_size


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        QUICK.training.seed = 1  # type: ignore[misc]


def every_spec(cls: type[Spec] = Spec) -> list[type[BaseModel]]:
    return [found for sub in cls.__subclasses__() for found in (sub, *every_spec(sub))]


@pytest.mark.parametrize("cls", every_spec(), ids=lambda cls: cls.__name__)
def test_every_kind_of_data_is_frozen_and_strict(cls: type[BaseModel]) -> None:
    assert cls.model_config["frozen"] is True
    assert cls.model_config["extra"] == "forbid"
    assert cls.model_config["allow_inf_nan"] is False
    assert cls.__doc__


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31 - 1), lr=st.floats(1e-12, 100), epochs=st.floats(1e-3, 1e5))
def test_json_brings_any_number_back(seed: int, lr: float, epochs: float) -> None:
    spec = change(training__seed=seed, training__schedule__lr=lr, phases__0__epochs=epochs)
    assert RecipeSpec.model_validate_json(spec.model_dump_json()) == spec
    assert spec.training.schedule.lr == lr


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("thumbnet/quick", "a7e88fad9e6ae485"),
        ("thumbnet/speedrun55", "087662a01419e232"),
        ("abai2019/network1", "4eeba090c91f51b7"),
    ],
)
def test_keys_that_came_later_change_no_digest(name: str, sha256: str) -> None:
    """Runs started before them go on."""
    assert load_recipe(name).sha256().startswith(sha256)


def test_balance_is_part_of_the_digest() -> None:
    digests = {change(training__balance=kind).sha256() for kind in ("none", "loss", "sampler")}
    assert len(digests) == 3


def test_a_published_curve_rises_in_epochs_and_changes_no_digest() -> None:
    spec = load_recipe("abai2019/network1")
    assert spec.published is not None
    curve = spec.published.curve
    assert curve is not None
    assert curve.points[:2] == ((15, 0.256), (30, 0.443))
    without = spec.model_copy(
        update={"published": spec.published.model_copy(update={"curve": None})}
    )
    assert spec.sha256() == without.sha256()
    for published in (load_recipe(name).published for name in recipe_names()):
        if published is not None and published.curve is not None:
            last = published.curve.points[-1]
            assert published.curve.split != published.split or last[1] == published.top1
    with pytest.raises(ValueError, match="must rise"):
        PublishedCurve(source="report", points=((2, 0.1), (1, 0.2)))
