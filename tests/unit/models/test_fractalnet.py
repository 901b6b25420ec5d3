"""FractalNet's columns join as the fractal says, and drop-path keeps its two promises."""

import pytest
import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models.fractalnet import Block, Paths
from thumbnet.models.registry import create_model


def fractal(columns: list[list[nn.Module]], x: Tensor) -> Tensor:
    """Expand by the paper's rule: f(c + 1) is f(c) after f(c), joined by one convolution."""

    def expand(depth: int, x: Tensor) -> list[Tensor]:
        own = columns[depth].pop(0)(x)
        if depth == 0:
            return [own]
        middle = torch.stack(expand(depth - 1, x)).mean(0)
        return [*expand(depth - 1, middle), own]

    return torch.stack(expand(len(columns) - 1, x)).mean(0)


@pytest.mark.parametrize("num_columns", [1, 2, 3, 4])
def test_a_block_expands_by_the_rule_of_the_paper(num_columns: int) -> None:
    torch.manual_seed(0)
    block = Block(3, 4, num_columns, dropout=0).eval()
    assert [len(layers) for layers in block.columns] == [2**i for i in reversed(range(num_columns))]
    x = torch.randn(2, 3, 6, 6)
    with torch.no_grad():
        expected = fractal([list(layers) for layers in block.columns], x)
        torch.testing.assert_close(block(x), nn.functional.max_pool2d(expected, 2))


def kept(paths: Paths, num_inputs: int) -> Tensor:
    """Tell for each image which inputs a join kept: (B, num_inputs)."""
    count = len(paths.column)
    marks = [torch.full((count, 1, 1, 1), 10.0**i) for i in range(num_inputs)]
    joined = paths.join(marks).flatten()
    masks = torch.cartesian_prod(*[torch.tensor([False, True])] * num_inputs).view(-1, num_inputs)
    masks = masks[1:]
    means = (masks * 10.0 ** torch.arange(num_inputs)).sum(1) / masks.sum(1)
    near = (joined[:, None] - means).abs().argmin(1)
    torch.testing.assert_close(means[near], joined)
    return masks[near]


def test_drop_path_is_half_local_and_half_global() -> None:
    torch.manual_seed(0)
    paths = Paths(torch.empty(4000, 3, 1, 1), num_columns=3, drop_path=0.15)
    first, second, short = kept(paths, 3), kept(paths, 3), kept(paths, 2)
    one = paths.one_column.flatten()
    assert one.float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert (first[one].sum(1) == 1).all()
    assert torch.equal(first[one], second[one])
    column = paths.column.flatten()
    assert torch.equal(first[one].int().argmax(1), column[one])
    assert torch.bincount(column).float().div(4000).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    reached = one & (column < 2)
    assert torch.equal(short[reached], first[reached, :2])
    assert first[~one].float().mean().item() == pytest.approx(0.85, abs=0.02)
    assert not torch.equal(first[~one], second[~one])


def test_a_join_never_drops_all() -> None:
    torch.manual_seed(0)
    paths = Paths(torch.empty(500, 3, 1, 1), num_columns=2, drop_path=0.999)
    counts = kept(paths, 2).sum(1)
    assert (counts >= 1).all()
    assert (counts == 1).float().mean() > 0.95


def test_an_image_of_one_column_is_computed_by_it_alone() -> None:
    torch.manual_seed(0)
    block, x = Block(3, 4, 3, dropout=0).eval(), torch.randn(3, 3, 4, 4)
    paths = Paths(x, 3, 0.15)
    paths.one_column = torch.ones(3, 1, dtype=torch.bool)
    paths.column = torch.arange(3).view(3, 1)
    with torch.no_grad():
        outputs = block(x, paths)
        for i, layers in enumerate(block.columns):
            alone = nn.functional.max_pool2d(nn.Sequential(*layers)(x[i : i + 1]), 2)
            torch.testing.assert_close(outputs[i : i + 1], alone)


def test_draws_come_from_torchs_generator_and_only_in_training() -> None:
    torch.manual_seed(0)
    model, x = create_model("fractalnet", 5, width=4), torch.randn(4, 3, 32, 32)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(model(x))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    plain = create_model("fractalnet", 5, width=4, drop_path=0, dropout=0)
    assert torch.equal(plain(x), plain(x))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    model.eval()(x)
    assert torch.equal(torch.get_rng_state(), before)


def test_widths_and_dropout_rise() -> None:
    with torch.device("meta"):
        model = create_model("fractalnet", 5)
        x, sides = torch.empty(2, 3, 64, 64), []
        for block in model.blocks:
            x = block(x)
            sides.append(tuple(x.shape[1:]))
    assert sides == [(32, 32, 32), (64, 16, 16), (128, 8, 8), (256, 4, 4), (256, 2, 2)]
    rates = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0 must be at least 1"),
        ({"num_columns": 6}, "num_columns=6 must be from 1 to 5"),
        ({"drop_path": 1}, r"drop_path=1 must be in \[0, 1\)"),
        ({"dropout": 2}, "dropout=2 must be in"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        create_model("fractalnet", 5, **options)
