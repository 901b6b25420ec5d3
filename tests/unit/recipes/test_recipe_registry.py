"""Recipes by name and from files, and every built-in one as data."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from thumbnet.errors import RecipeError
from thumbnet.models.registry import model_entry
from thumbnet.optim.optimizers import parameter_groups
from thumbnet.recipe import AdamSpec, MeanStd, RecipeSpec
from thumbnet.recipes import registry
from thumbnet.recipes.parse import parse_recipe, with_overrides
from thumbnet.recipes.registry import (
    SOURCES,
    dump_recipe,
    load_recipe,
    parse_overrides,
    recipe,
    recipe_names,
)
from thumbnet.training.phases import Plan

ALL = recipe_names()
OTHER_EPOCHS = {"abai2019/network1"}  # columbia2020 counts 235, the code has 245


@pytest.fixture
def spare_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_recipes", dict(registry._recipes))


def read(text: str) -> RecipeSpec:
    return parse_recipe(yaml.safe_load(text), "text")


@pytest.mark.parametrize("name", ALL)
def test_a_recipe_comes_back_from_its_yaml(name: str, tmp_path: Path) -> None:
    spec = load_recipe(name)
    for suffix in ("yaml", "yml"):
        file = tmp_path / f"mine.{suffix}"
        file.write_text(dump_recipe(spec), encoding="utf-8")
        assert load_recipe(file) == load_recipe(str(file)) == spec
        assert load_recipe(file).sha256() == spec.sha256()


@settings(deadline=None, max_examples=40)
@given(data=st.data(), name=st.sampled_from(ALL))
def test_any_variant_comes_back_from_its_yaml(data: st.DataObject, name: str) -> None:
    augment = st.sampled_from(
        [{"name": "flip", "p": 0.25}, {"name": "pad_crop", "pad": 2}, {"name": "crop_and_pad"}]
    )
    choices: dict[str, st.SearchStrategy[Any]] = {
        "summary": st.text(st.characters(exclude_categories=["Cs"]), max_size=120),
        "training.batch_size": st.integers(1, 65536),
        "training.schedule": st.fixed_dictionaries(
            {"name": st.sampled_from(["constant", "cosine"]), "lr": st.floats(1e-9, 100)}
        ),
        "training.augment": st.lists(augment, max_size=3),
        "training.ema_decay": st.one_of(st.none(), st.floats(0, 0.9999)),
        "training.time_budget_s": st.one_of(st.none(), st.floats(1e-3, 1e9)),
        "preprocess.normalize": st.one_of(
            st.just("overall"),
            st.fixed_dictionaries({"mean": st.just([0.1]), "std": st.just([1e-5])}),
        ),
        "phases.0.epochs": st.floats(1e-3, 1e5),
        "model.args": st.dictionaries(
            st.text("abc_", min_size=1),
            st.one_of(st.booleans(), st.integers(), st.floats(-9, 9), st.text(max_size=5)),
            max_size=3,
        ),
        "deviations": st.lists(st.sampled_from(["yes", "1e3", "null", "- a: #b", "é\n"])),
    }
    overrides = data.draw(st.fixed_dictionaries({}, optional=choices))
    spec = with_overrides(load_recipe(name), overrides, name)
    assert read(dump_recipe(spec)) == spec
    assert read(dump_recipe(spec)).sha256() == spec.sha256()


@pytest.mark.parametrize("name", ALL)
def test_a_recipe_can_run_as_it_is_written(name: str) -> None:
    spec = load_recipe(name)
    assert spec.name == name
    assert name.partition("/")[0] in SOURCES
    assert spec.summary
    entry = model_entry(spec.model.name)
    plan = Plan(spec, 100_000)
    for size in {phase.image_size for phase in plan.phases} | {spec.preprocess.image_size}:
        assert size >= entry.min_image_size
        assert entry.image_size in (None, size)
    last, judged = plan.phases[-1], spec.preprocess.image_size
    assert last.image_size == judged
    channels = 1 if spec.preprocess.color == "grey" else 3
    given_ = spec.preprocess.normalize
    assert not isinstance(given_, MeanStd) or len(given_.mean) == len(given_.std) == channels
    with torch.device("meta"):
        model = entry.builder(num_classes=2, in_channels=channels, **spec.model.args)
    groups = parameter_groups(model, spec.optimizer)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    assert (spec.data.num_classes, spec.data.fingerprint, spec.data.path) == (None, None, None)


@pytest.mark.parametrize("name", ALL)
def test_a_claim_names_its_source_and_how_near_is_near(name: str) -> None:
    spec = load_recipe(name)
    if spec.published is None:
        assert name.startswith("thumbnet/")
        return
    assert spec.published.source.startswith(name.partition("/")[0])
    assert spec.tolerance is not None
    assert 0 < spec.tolerance < 0.1
    assert spec.published.epochs in {spec.num_epochs, None} or name in OTHER_EPOCHS


def test_names_stand_source_by_source() -> None:
    assert len(set(ALL)) == len(ALL)
    sources = [name.partition("/")[0] for name in ALL]
    assert sorted(sources, key=SOURCES.index) == sources
    assert {"thumbnet/quick", "vonmartens2019/lenet5", "zheng2018/alchnet19"} <= set(ALL)


def test_an_unknown_name_suggests_the_nearest_and_where_all_are_listed() -> None:
    with pytest.raises(
        RecipeError, match=r"unknown recipe 'thumbnet/qick'; did you mean 'thumbnet/quick'\?"
    ) as error:
        load_recipe("thumbnet/qick")
    assert "`thumbnet recipe list` shows all" in str(error.value)
    assert "ends in .yaml" in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.usefixtures("spare_registry")
def test_a_name_is_registered_once() -> None:
    def mine() -> RecipeSpec:
        return load_recipe("thumbnet/quick").model_copy(update={"name": "mine"})

    assert recipe(mine) is mine
    assert load_recipe("mine").name == "mine"
    with pytest.raises(RecipeError, match="the recipe name 'mine' is taken"):
        recipe(mine)


def test_overrides_apply_to_names_and_files(tmp_path: Path) -> None:
    changed = load_recipe("thumbnet/quick", {"training.seed": 4})
    assert changed.training.seed == 4
    file = tmp_path / "mine.yaml"
    file.write_text(dump_recipe(changed))
    twice = load_recipe(file, {"phases.0.epochs": 9})
    assert (twice.training.seed, twice.phases[0].epochs) == (4, 9)
    with pytest.raises(RecipeError, match=rf"{file} cannot be changed like this"):
        load_recipe(file, {"training.seed": "x"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a recipe is a mapping of keys, not NoneType"),
        (b"- a\n- b\n", "a recipe is a mapping of keys, not list"),
        (b"just words", "a recipe is a mapping of keys, not str"),
        (b"name: [", "cannot read the recipe"),
        (b"a: 1\n---\nb: 2\n", "cannot read the recipe"),
        (b"a: !!python/object/apply:os.getcwd []", "cannot read the recipe"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "cannot read the recipe"),
        (b"\xff\xfe", "cannot read the recipe"),
        (b"summary: 2024-13-45", "cannot read the recipe"),
        (b"[" * 600, "cannot read the recipe"),
        (b"name: x\n", "is not a valid recipe:"),
        (b"1: 2\n", "is not a valid recipe:"),
        (b"&a {x: *a}", "is not a valid recipe:"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as error:
        load_recipe(file)
    assert str(file) in str(error.value)


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_states_only_what_differs_from_its_base(tmp_path: Path) -> None:
    mine = write(
        tmp_path / "my try.yaml",
        "base: thumbnet/quick\n"
        "optimizer: {weight_decay: 0.25}\n"
        "training: {batch_size: 8, schedule: {name: constant, lr: 1}, augment: [{name: hue}]}\n",
    )
    changes = {
        "optimizer.weight_decay": 0.25,
        "training.batch_size": 8,
        "training.schedule": {"name": "constant", "lr": 1},
        "training.augment": [{"name": "hue"}],
        "name": "my-try",
        "summary": "",
    }
    assert load_recipe(mine) == load_recipe("thumbnet/quick", changes)


def test_a_block_of_another_name_is_replaced(tmp_path: Path) -> None:
    text = "base: thumbnet/quick\noptimizer: {name: adam}\nmodel: {args: {width: 8}}\n"
    spec = load_recipe(write(tmp_path / "mine.yaml", text))
    assert spec.optimizer == AdamSpec()
    assert spec.model == load_recipe("thumbnet/quick", {"model.args.width": 8}).model


def test_what_the_base_claims_is_not_taken_over(tmp_path: Path) -> None:
    spec = load_recipe(write(tmp_path / "mine.yaml", "base: zheng2018/vgg11\ntolerance: 0.5\n"))
    assert (spec.name, spec.summary, spec.published) == ("mine", "", None)
    assert spec.tolerance == 0.5
    assert spec.phases == load_recipe("zheng2018/vgg11").phases


def test_a_base_may_be_a_file_beside_with_a_base_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    write(tmp_path / "first.yaml", "base: thumbnet/quick\ntraining: {seed: 1, batch_size: 8}\n")
    last = tmp_path / "below" / "last.yaml"
    write(last, "name: own/name\nbase: ../first.yaml\ntraining: {seed: 2}\n")
    spec = load_recipe(last)
    assert (spec.name, spec.training.seed, spec.training.batch_size) == ("own/name", 2, 8)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("thumbnet/qick", r"mine\.yaml: base: unknown recipe .*did you mean 'thumbnet/quick'"),
        ("none.yaml", r"cannot read the recipe .*none\.yaml: No such file"),
        ("3", r"mine\.yaml: base: give the name of a recipe"),
        ("mine.yaml", r"bases of each other: mine\.yaml -> mine\.yaml"),
        ("other.yaml", r"bases of each other: mine\.yaml -> other\.yaml -> mine\.yaml"),
        ("bad.yaml", r"bad\.yaml is not a valid recipe:\n  training\.sed: no such key"),
    ],
)
def test_a_base_that_cannot_be_one_is_refused(tmp_path: Path, base: str, message: str) -> None:
    write(tmp_path / "other.yaml", "base: mine.yaml\n")
    write(tmp_path / "bad.yaml", "base: thumbnet/quick\ntraining: {sed: 1}\n")
    with pytest.raises(RecipeError, match=message):
        load_recipe(write(tmp_path / "mine.yaml", f"base: {base}\n"))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    for name in ("none.yaml", "folder.yaml"):
        with pytest.raises(RecipeError, match=f"cannot read the recipe {tmp_path / name}"):
            load_recipe(tmp_path / name)


def test_settings_are_read_as_yaml() -> None:
    words = ["a.b=1", "c=1.5", "d=[1, x]", "e=", "f=null", "g=true", "h=a=b", " i = 2", "j={k: v}"]
    assert parse_overrides(words) == {
        "a.b": 1, "c": 1.5, "d": [1, "x"], "e": None, "f": None, "g": True, "h": "a=b", "i": 2,
        "j": {"k": "v"},
    }  # fmt: skip
    assert parse_overrides(["a=1", "a=2"]) == {"a": 2}
    assert parse_overrides([]) == {}


def test_a_number_with_a_bare_exponent_is_a_number() -> None:
    """YAML reads 1e-3 as text; a recipe still takes it as a number."""
    spec = load_recipe("thumbnet/quick", parse_overrides(["training.schedule.lr=1e-3"]))
    assert spec.training.schedule.lr == 0.001


@pytest.mark.parametrize("word", ["training.seed", "=3", ""])
def test_a_setting_without_key_or_value_is_refused(word: str) -> None:
    with pytest.raises(RecipeError, match=r"--set takes key=value, e\.g\. training\.batch_size=64"):
        parse_overrides([word])


@pytest.mark.parametrize("value", ["[1", "{a", "2024-13-45", "[" * 600, "'"])
def test_a_value_that_is_no_yaml_is_refused(value: str) -> None:
    with pytest.raises(RecipeError, match=r"--set a\.b: the value is not valid YAML"):
        parse_overrides([f"a.b={value}"])
