"""The plan of every step, against its properties and a few plans written out by hand."""

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thumbnet.errors import RecipeError
from thumbnet.recipe import (
    AdamSpec,
    ConstantSpec,
    CosineSpec,
    FlipSpec,
    MixUpSpec,
    ModelSpec,
    PadCropSpec,
    PhaseSpec,
    PreprocessSpec,
    QuirkSpec,
    RecipeSpec,
    StepSpec,
    TrainingSpec,
    TriangularSpec,
)
from thumbnet.training.phases import Plan, StepPlan


def recipe(*phases: PhaseSpec, quirk: int | None = None, **training: object) -> RecipeSpec:
    return RecipeSpec(
        name="test",
        model=ModelSpec(name="lenet5"),
        preprocess=PreprocessSpec(image_size=28),
        training=TrainingSpec(**training),
        phases=phases,
        quirks=QuirkSpec(frozen_after_epoch=quirk),
    )


def steps(plan: Plan) -> list[StepPlan]:
    return [plan.at(step) for step in range(plan.num_steps)]


phases = st.lists(
    st.builds(
        PhaseSpec,
        epochs=st.one_of(st.integers(1, 4), st.floats(0.01, 4)),
        batch_size=st.one_of(st.none(), st.integers(1, 40)),
        schedule=st.one_of(st.none(), st.just(TriangularSpec(lr=3, warmup=0.5))),
    ),
    min_size=1,
    max_size=4,
)
recipes = st.builds(
    lambda phases, **training: recipe(*phases, **training),
    phases=phases,
    batch_size=st.integers(1, 40),
    drop_last=st.booleans(),
    schedule=st.sampled_from([TriangularSpec(lr=2, warmup=0.3), CosineSpec(lr=2, final=0.1)]),
)


@settings(deadline=None, max_examples=150)
@given(spec=recipes, num_images=st.integers(2, 60))
def test_every_epoch_is_cut_into_batches_that_follow_each_other(
    spec: RecipeSpec, num_images: int
) -> None:
    plan = Plan(spec, num_images)
    epochs: dict[int, list[StepPlan]] = defaultdict(list)
    for step, at in enumerate(steps(plan)):
        assert at.step == step
        epochs[at.epoch].append(at)
    assert list(epochs) == list(range(plan.num_epochs))
    for at_epoch in epochs.values():
        phase = plan.phases[at_epoch[0].phase]
        assert {at.phase for at in at_epoch} == {at_epoch[0].phase}
        assert at_epoch[0].first == 0
        assert all(one.last == other.first for one, other in pairwise(at_epoch))
        assert all(at.last - at.first == phase.batch_size for at in at_epoch[:-1])
        assert [at.ends_epoch for at in at_epoch] == [False] * (len(at_epoch) - 1) + [True]
        cut_short = len(at_epoch) < phase.steps_per_epoch
        left_out = num_images - at_epoch[-1].last
        rest = num_images % phase.batch_size
        if cut_short:
            assert at_epoch[-1].step == phase.first_step + phase.num_steps - 1
        else:
            assert left_out == (rest if spec.training.drop_last or rest == 1 else 0)


@settings(deadline=None, max_examples=150)
@given(spec=recipes, num_images=st.integers(2, 60))
def test_phases_last_as_long_as_the_recipe_says(spec: RecipeSpec, num_images: int) -> None:
    plan = Plan(spec, num_images)
    all_steps = steps(plan)
    assert [at.phase for at in all_steps] == sorted(at.phase for at in all_steps)
    for number, (phase, given_) in enumerate(zip(plan.phases, spec.phases, strict=True)):
        own = [at for at in all_steps if at.phase == number]
        assert len(own) == phase.num_steps >= 1
        wanted = given_.epochs * phase.steps_per_epoch
        assert abs(len(own) - wanted) <= 0.5 or (len(own) == 1 and wanted < 1)
        size = min(given_.batch_size or spec.training.batch_size, num_images)
        assert phase.batch_size == size
        assert max(at.last - at.first for at in own) == size
        assert phase.num_epochs == len({at.epoch for at in own})


@settings(deadline=None, max_examples=150)
@given(spec=recipes, num_images=st.integers(2, 60))
def test_learning_rates_stay_in_bounds(spec: RecipeSpec, num_images: int) -> None:
    for at in steps(Plan(spec, num_images)):
        peak = 3 if spec.phases[at.phase].schedule else 2
        assert 0 <= at.lr <= peak


def test_a_small_plan_by_hand() -> None:
    spec = recipe(
        PhaseSpec(epochs=1.5, batch_size=4, image_size=16),
        PhaseSpec(epochs=1),
        batch_size=6,
        label_smoothing=0.1,
        schedule=ConstantSpec(lr=0.5),
    )
    plan = Plan(spec, 10)
    assert [(at.phase, at.epoch, at.first, at.last, at.ends_epoch) for at in steps(plan)] == [
        (0, 0, 0, 4, False),
        (0, 0, 4, 8, False),
        (0, 0, 8, 10, True),
        (0, 1, 0, 4, True),  # 1.5 x 3 steps round to 4
        (1, 2, 0, 6, False),
        (1, 2, 6, 10, True),
    ]
    assert [at.image_size for at in steps(plan)] == [16] * 4 + [28] * 2
    assert {(at.lr, at.label_smoothing, at.frozen) for at in steps(plan)} == {(0.5, 0.1, False)}
    assert (plan.num_steps, plan.num_epochs) == (6, 3)
    assert [plan.phase_of(step) for step in range(6)] == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("num_images", "batch_size", "drop_last", "lasts"),
    [
        (8, 4, False, [4, 8]),
        (9, 4, False, [4, 8]),  # a batch of one is left out
        (10, 4, False, [4, 8, 10]),
        (10, 4, True, [4, 8]),
        (3, 100, True, [3]),  # a batch is never over the number of images
        (3, 1, False, [1, 2, 3]),
    ],
)
def test_the_last_batch_of_an_epoch(
    num_images: int, batch_size: int, drop_last: bool, lasts: list[int]
) -> None:
    spec = recipe(PhaseSpec(epochs=1), batch_size=batch_size, drop_last=drop_last)
    assert [at.last for at in steps(Plan(spec, num_images))] == lasts


def test_a_shared_schedule_goes_on_where_the_phase_before_left_it() -> None:
    cut = recipe(PhaseSpec(epochs=2), PhaseSpec(epochs=1), PhaseSpec(epochs=5), **SHARED)
    whole = recipe(PhaseSpec(epochs=8), **SHARED)
    rates = [at.lr for at in steps(Plan(cut, 40))]
    assert rates == pytest.approx([at.lr for at in steps(Plan(whole, 40))])
    assert len(rates) == 80
    # Triangular over 80 steps, read in the middle of each: up over 20, down over 60.
    assert rates[:2] == pytest.approx([2 * 0.5 / 20, 2 * 1.5 / 20])
    assert rates[-2:] == pytest.approx([2 * 1.5 / 60, 2 * 0.5 / 60])


SHARED = {"batch_size": 4, "schedule": TriangularSpec(lr=2, warmup=0.25)}


def test_a_phase_with_other_batches_keeps_its_share_of_the_schedule() -> None:
    spec = recipe(PhaseSpec(epochs=2), PhaseSpec(epochs=6, batch_size=40), **SHARED)
    plan = Plan(spec, 40)
    assert [(p.knots[0][1], p.knots[1][1]) for p in plan.phases] == [(0, 0.25), (0.25, 1)]
    assert [at.lr for at in steps(plan)][-6:] == pytest.approx(
        [2 * (1 - (i + 0.5) / 6) for i in range(6)]
    )


def test_a_schedule_of_its_own_starts_anew_and_takes_nothing_from_the_shared_one() -> None:
    own = TriangularSpec(lr=3, warmup=0)
    spec = recipe(
        PhaseSpec(epochs=2), PhaseSpec(epochs=4, schedule=own), PhaseSpec(epochs=6), **SHARED
    )
    plan = Plan(spec, 40)
    rates = [at.lr for at in steps(plan)]
    shared = [at.lr for at in steps(Plan(recipe(PhaseSpec(epochs=8), **SHARED), 40))]
    assert rates[:20] == pytest.approx(shared[:20])
    assert rates[20:60] == pytest.approx([3 * (1 - (i + 0.5) / 40) for i in range(40)])
    assert rates[60:] == pytest.approx(shared[20:])


def test_frozen_from_the_epoch_the_quirk_names() -> None:
    plan = Plan(recipe(PhaseSpec(epochs=2), PhaseSpec(epochs=2), quirk=3, batch_size=5), 10)
    assert [at.frozen for at in steps(plan)] == [False] * 6 + [True] * 2


def test_augmentation_of_a_phase_replaces_that_of_training() -> None:
    spec = recipe(
        PhaseSpec(epochs=1),
        PhaseSpec(epochs=1, augment=()),
        PhaseSpec(epochs=1, augment=(PadCropSpec(pad=2),)),
        augment=(FlipSpec(),),
    )
    augments = [phase.augment for phase in Plan(spec, 10).phases]
    assert augments == [(FlipSpec(),), (), (PadCropSpec(pad=2),)]


@pytest.mark.parametrize("num_images", [0, 1])
def test_too_few_images_are_refused(num_images: int) -> None:
    with pytest.raises(RecipeError, match=f"{num_images} image to fit; training needs at least 2"):
        Plan(recipe(PhaseSpec(epochs=1)), num_images)


# -- epochs of another length, phases with their own, and plans changed on the way


def test_an_epoch_may_be_so_many_steps() -> None:
    plan = Plan(recipe(PhaseSpec(epochs=3, steps_per_epoch=4), batch_size=10), 100)
    assert plan.num_steps == 12
    assert [at.step for at in steps(plan) if at.ends_epoch] == [3, 7, 11]
    assert [(at.epoch, at.first) for at in steps(plan)][4:6] == [(1, 0), (1, 10)]
    more = Plan(recipe(PhaseSpec(epochs=1, steps_per_epoch=400), batch_size=10), 100)
    assert more.num_steps == 10


def test_a_phase_has_its_own_of_everything_or_the_recipes() -> None:
    adam, smooth = AdamSpec(), (MixUpSpec(),)
    own = PhaseSpec(epochs=1, optimizer=adam, mix=smooth, label_smoothing=0.0)
    plan = Plan(recipe(PhaseSpec(epochs=1), own, PhaseSpec(epochs=1), label_smoothing=0.1), 64)
    assert [p.optimizer.name for p in plan.phases] == ["sgd", "adam", "sgd"]
    assert [p.fresh_optimizer for p in plan.phases] == [False, True, True]
    assert [p.label_smoothing for p in plan.phases] == [0.1, 0.0, 0.1]
    assert [at.mix for at in steps(plan)] == [(), smooth, ()]


def test_a_phase_that_begins_with_the_best_weights_begins_with_a_fresh_optimizer() -> None:
    plan = Plan(recipe(PhaseSpec(epochs=1), PhaseSpec(epochs=1, start_from="best")), 64)
    assert [(p.from_best, p.fresh_optimizer) for p in plan.phases] == [(False, False), (True, True)]


def test_steps_of_a_schedule_are_counted_across_its_phases() -> None:
    schedule = StepSpec(lr=1, every_steps=5)
    plan = Plan(
        recipe(PhaseSpec(epochs=1), PhaseSpec(epochs=1), batch_size=10, schedule=schedule), 40
    )
    assert [at.lr for at in steps(plan)] == pytest.approx([1] * 5 + [0.1] * 3)
    own = PhaseSpec(epochs=1, schedule=schedule)
    plan = Plan(recipe(PhaseSpec(epochs=1), own, batch_size=10, schedule=schedule), 60)
    assert [at.lr for at in steps(plan)] == pytest.approx(([1] * 5 + [0.1]) * 2)


@pytest.mark.parametrize(("epochs", "step"), [(9, 25), (3, 25), (4, 5), (2.5, 0), (7, 19)])
def test_more_or_fewer_epochs_stretch_what_is_left_of_the_schedule(
    epochs: float, step: int
) -> None:
    schedule = TriangularSpec(lr=1, warmup=0.2)
    before = Plan(recipe(PhaseSpec(epochs=4), batch_size=10, schedule=schedule), 100)
    after = before.with_epochs(epochs, step)
    assert after.num_steps == round(epochs * 10)
    for s in range(step):
        assert after.at(s).lr == pytest.approx(before.at(s).lr)
    lrs = [after.at(s).lr for s in range(after.num_steps)]
    assert max(abs(one - two) for one, two in pairwise(lrs)) < 0.3  # no leap
    assert lrs[-1] < 0.2  # it still comes down
    assert after.at(after.num_steps - 1).ends_epoch


def test_only_the_last_phase_changes_its_length() -> None:
    before = Plan(recipe(PhaseSpec(epochs=2), PhaseSpec(epochs=2), batch_size=10), 100)
    after = before.with_epochs(7, 4)
    assert [p.num_steps for p in after.phases] == [20, 50]
    with pytest.raises(RecipeError, match=r"phase 1 takes 2 epochs .*; give more than 2"):
        before.with_epochs(2, 4)
    twice = after.with_epochs(5, 30)
    assert twice.num_steps == 50
    with pytest.raises(RecipeError, match="epochs=3 is too few"):
        after.with_epochs(3, 35)
