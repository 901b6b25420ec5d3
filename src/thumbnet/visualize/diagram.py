"""A network's diagram from the live module: blocks, layers, shapes, parameters."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from math import ceil

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor, nn

from thumbnet.models.describe import IMAGE_SIZE
from thumbnet.models.registry import create_model, model_entry
from thumbnet.visualize.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    PINK,
    SKY,
    SMALL_SIZE,
    TEXT_SIZE,
    look,
    new_figure,
    shorten,
)

ROWS_A_COLUMN = 34
COLUMN_WIDTH, LINE_HEIGHT, GAP, ARROW = 4.3, 0.19, 0.1, 0.16  # inches


@dataclass
class Part:
    """One layer as it ran: what it is, and the shape it puts out."""

    name: str
    what: str
    output: tuple[int, ...]
    num_parameters: int


@dataclass
class Block:
    """Layers that belong to one submodule, in the order they ran."""

    name: str
    kind: str
    parts: list[Part] = field(default_factory=list)

    @property
    def num_parameters(self) -> int:
        """Parameters of its layers together."""
        return sum(part.num_parameters for part in self.parts)

    @property
    def height(self) -> float:
        """Inches that it takes, with the arrow below."""
        return (1 + len(self.parts)) * LINE_HEIGHT + GAP + ARROW


def fresh_blocks(name: str, num_classes: int) -> tuple[list[Block], int]:
    """Return the blocks of a network by its name, and the image size they are shown at.

    Raises: RecipeError for an unknown name
    """
    entry = model_entry(name)
    size = entry.image_size or max(IMAGE_SIZE, entry.min_image_size)
    with torch.device("meta"):  # shapes without numbers
        model = create_model(name, num_classes)
        return network_blocks(model, entry.in_channels, size), size


def network_blocks(model: nn.Module, in_channels: int, image_size: int) -> list[Block]:
    """Run a network once and group its layers by the submodule they stand in."""
    device = next(model.parameters()).device
    images = torch.zeros(1, in_channels, image_size, image_size, device=device)
    modules = dict(model.named_modules())
    blocks: list[Block] = []
    seen: set[nn.Module] = set()

    def stop(name: str, module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        own = 0 if module in seen else sum(p.numel() for p in module.parameters())
        seen.add(module)
        parent = name.rpartition(".")[0]
        if not blocks or blocks[-1].name != parent:
            kind = type(modules[parent]).__name__ if parent else ""
            blocks.append(Block(parent, "" if kind == "Sequential" else kind))
        inner = name.rpartition(".")[2]
        blocks[-1].parts.append(Part(inner, describe_layer(module), tuple(output.shape[1:]), own))

    training = model.training
    with ExitStack() as hooks, torch.no_grad():
        for name, module in modules.items():
            if next(module.children(), None) is None and not isinstance(module, nn.Identity):
                hooks.enter_context(module.register_forward_hook(partial(stop, name)))
        model.eval()(images)
    model.train(training)
    return blocks


def describe_layer(module: nn.Module) -> str:
    """Return a layer in few words, such as `conv 3 x 3, 64, stride 2`."""
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        words = f"conv {height} x {width}, {module.out_channels}"
        words += f", stride {module.stride[0]}" if module.stride[0] != 1 else ""
        return words + (f", {module.groups} groups" if module.groups > 1 else "")
    if isinstance(module, nn.Linear):
        return f"linear, {module.out_features}"
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        kind = "max" if isinstance(module, nn.MaxPool2d) else "mean"
        size, stride = _side(module.kernel_size), _side(module.stride)
        return f"{kind} pool {size} x {size}, stride {stride}"
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return "global mean pool" if module.output_size in (1, (1, 1)) else "adaptive mean pool"
    if isinstance(module, nn.Dropout):
        return f"dropout {module.p:g}"
    names = {nn.BatchNorm2d: "batch norm", nn.BatchNorm1d: "batch norm", nn.ReLU: "ReLU"}
    return names.get(type(module), type(module).__name__)


def _side(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]


def to_columns(blocks: Sequence[Block]) -> list[list[Block]]:
    """Spread blocks over columns of about equal height, in order; a long block is cut in parts."""
    cut = [
        Block(block.name, block.kind if i == 0 else "continued", block.parts[i : i + ROWS_A_COLUMN])
        for block in blocks
        for i in range(0, len(block.parts), ROWS_A_COLUMN)
    ]
    total = sum(block.height for block in cut)
    count = max(1, ceil(total / (ROWS_A_COLUMN * LINE_HEIGHT * 1.25)))
    columns: list[list[Block]] = [[]]
    filled = 0.0
    for block in cut:
        if columns[-1] and filled + block.height / 2 > total / count * len(columns):
            columns.append([])
        columns[-1].append(block)
        filled += block.height
    return columns


def draw_diagram(blocks: Sequence[Block], network: str, image_size: int) -> Figure:
    """Draw the blocks from the image down to the logits, column by column."""
    columns = to_columns(blocks)
    total = sum(block.num_parameters for block in blocks)
    tall = max(sum(block.height for block in column) for column in columns) + 0.5
    note = (
        f"{total:,} parameters; shapes for an image of {image_size} x {image_size} px; each box a "
        "block with its layers in the order they run, what each puts out, and its parameters; sums "
        "and joins that are no layers are not drawn"
    )
    width = COLUMN_WIDTH * len(columns) + 0.2
    with look():
        figure, below = new_figure(max(width, 5.0), tall, f"{network}: the network", note)
        figure_width, share = figure.get_figwidth(), below
        axes = figure.add_axes((0.1 / figure_width, 0, width / figure_width, share))
        axes.set_axis_off()
        axes.set(xlim=(0, width), ylim=(tall, 0))
        for i, column in enumerate(columns):
            top, left = 0.22, i * COLUMN_WIDTH
            start = f"image {image_size} x {image_size}" if i == 0 else "from the column before"
            axes.text(left + 0.1, 0.1, start, size=SMALL_SIZE, color=GREY, va="center")
            for block in column:
                _draw_block(axes, block, left + 0.05, top)
                last = block is column[-1]
                if not (last and i + 1 == len(columns)):
                    middle, foot = left + COLUMN_WIDTH / 2, top + block.height - ARROW
                    axes.annotate(
                        "", (middle, foot + ARROW), (middle, foot),
                        arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1, "shrinkA": 0,
                                    "shrinkB": 0},
                    )  # fmt: skip
                top += block.height
            end = "logits" if i + 1 == len(columns) else "to the next column"
            axes.text(left + 0.1, top + 0.02, end, size=SMALL_SIZE, color=GREY, va="center")
    return figure


def _draw_block(axes: Axes, block: Block, left: float, top: float) -> None:
    height, width = block.height - ARROW, COLUMN_WIDTH - 0.3
    axes.add_patch(
        FancyBboxPatch(
            (left, top), width, height, boxstyle="round,pad=0,rounding_size=0.06", fc="#F7F7F7",
            ec=GREY, lw=0.8,
        )
    )  # fmt: skip
    line = top + GAP / 2 + LINE_HEIGHT / 2
    right = left + width - 0.08
    name = " ".join(filter(None, (block.name or "network", block.kind)))
    axes.text(left + 0.1, line, shorten(name, 38), size=TEXT_SIZE - 0.5, weight="bold", va="center")
    axes.text(right, line, f"{block.num_parameters:,}", size=SMALL_SIZE, weight="bold", ha="right",
              va="center")  # fmt: skip
    for part in block.parts:
        line += LINE_HEIGHT
        color = _color(part.what)
        axes.plot([left + 0.1], [line], marker="s", ms=5, color=color, mec=GREY, mew=0.4)
        axes.text(left + 0.2, line, shorten(part.name, 12), size=SMALL_SIZE, color=GREY,
                  va="center")  # fmt: skip
        axes.text(left + 0.85, line, shorten(part.what.replace(",", ";"), 30).replace(";", ","),
                  size=SMALL_SIZE, color=INK, va="center")  # fmt: skip
        axes.text(right - 0.72, line, " x ".join(map(str, part.output)), size=SMALL_SIZE,
                  color=INK, ha="right", va="center")  # fmt: skip
        number = f"{part.num_parameters:,}" if part.num_parameters else "-"
        axes.text(right, line, number, size=SMALL_SIZE, color=GREY, ha="right", va="center")


def _color(what: str) -> str:
    """Tell kinds of layers apart; the words beside the mark say the same."""
    kinds = {"conv": BLUE, "linear": PINK, "batch norm": SKY, "max pool": AMBER, "mean pool": AMBER}
    kinds |= {"global": AMBER, "adaptive": AMBER, "ReLU": GREEN, "PReLU": GREEN, "Tanh": GREEN}
    return next((color for kind, color in kinds.items() if what.startswith(kind)), "white")
