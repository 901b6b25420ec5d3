"""A network's diagram: its operations as boxes, branches side by side, joined where they meet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

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
    wrap,
)
from thumbnet.visualize.trace import ACTIVATIONS, IMAGE, JOINS, Graph, Op

LONGEST = 16  # boxes of a panel
BOX, PASSING = 2.15, 0.3  # inches: a box, and a line that passes boxes
LINE_HEIGHT, EDGE, TITLE, MARGIN, BETWEEN = 0.155, 0.26, 0.3, 0.12, 0.32  # inches
LIGHT = ("batch norm", "dropout", "flatten", "local response norm", *ACTIVATIONS.values())


@dataclass
class Box:
    """Operations that follow each other alone, such as a convolution, its norm and a ReLU."""

    ops: list[Op]
    inputs: tuple[int, ...]  # boxes

    @property
    def lines(self) -> list[str]:
        """What stands in it above shape and parameters."""
        return wrap(", ".join(op.what.replace(", ", ",\N{NO-BREAK SPACE}").replace(" x ", "x")
                              for op in self.ops), BOX - 0.12, SMALL_SIZE)  # fmt: skip

    @property
    def height(self) -> float:
        """Inches."""
        return LINE_HEIGHT * (len(self.lines) + 1) + 0.08

    @property
    def num_parameters(self) -> int:
        """Parameters of its operations together."""
        return sum(op.num_parameters for op in self.ops)


@dataclass
class Panel:
    """Boxes of one module. `boxes` are by their number; only the last is used outside.

    `levels` and `lanes` place each box; `skips` are (from, to, lane) of lines that pass others;
    `times` counts equal panels in a row.
    """

    title: str
    boxes: dict[int, Box]
    entry: int
    times: int = 1
    levels: dict[int, int] = field(default_factory=dict)
    lanes: dict[int, int] = field(default_factory=dict)
    skips: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def num_parameters(self) -> int:
        """Parameters of one of the equal panels."""
        return sum(box.num_parameters for box in self.boxes.values())

    @property
    def count(self) -> str:
        """Its parameters, in words."""
        times = f" x {self.times}" if self.times > 1 else ""
        return f"{self.num_parameters:,}{times}" if self.num_parameters else times.strip()

    @property
    def rows(self) -> list[float]:
        """Height of each level, in inches."""
        return [
            max(self.boxes[i].height for i, at in self.levels.items() if at == level)
            for level in range(max(self.levels.values()) + 1)
        ]

    @property
    def widths(self) -> list[float]:
        """Width of each lane, in inches."""
        boxed = set(self.lanes.values())
        last = max([*boxed, *(lane for _, _, lane in self.skips)])
        return [BOX if lane in boxed else PASSING for lane in range(last + 1)]

    @property
    def width(self) -> float:
        """Inches."""
        heading = 0.078 * (len(self.title) + len(self.count)) + 0.4
        return max(heading, sum(self.widths) + MARGIN * (len(self.widths) + 1))

    @property
    def height(self) -> float:
        """Inches, with the arrow that leads out."""
        return TITLE + sum(self.rows) + EDGE * (len(self.rows) + 1) + BETWEEN

    @property
    def signature(self) -> object:
        """What is equal in equal panels."""
        names = {number: place for place, number in enumerate((self.entry, *self.boxes))}
        return [
            ([(op.what, op.output, op.num_parameters) for op in box.ops],
             [names[i] for i in box.inputs])
            for box in self.boxes.values()
        ]  # fmt: skip


def to_panels(graph: Graph) -> list[Panel]:
    """Group the operations of a network by module; each panel has one way in and one way out."""
    boxes = _to_boxes(graph)
    panels: list[Panel] = []
    owner: object = None
    for entry, numbers in _regions(boxes):
        owners = {_owner(graph, op) for i in numbers for op in boxes[i].ops}
        here = next(iter(owners)) if len(owners) == 1 else owners
        held = {i: boxes[i] for i in numbers}
        if panels and here == owner and len(panels[-1].boxes) + len(held) <= LONGEST:
            panels[-1].boxes.update(held)
        else:
            panels.append(Panel("", held, entry))
        owner = here
    for panel in panels:
        panel.title = _title(graph, panel)
    return _fold(panels)


def _to_boxes(graph: Graph) -> list[Box]:
    uses = [i for op in graph.ops for i in op.inputs]
    boxes: list[Box] = []
    place = {IMAGE: IMAGE}
    for number, op in enumerate(graph.ops):
        inputs = tuple(place[i] for i in op.inputs)
        alone = len(inputs) == 1 and inputs[0] != IMAGE and uses.count(op.inputs[0]) == 1
        within = alone and _owner(graph, op) == _owner(graph, boxes[inputs[0]].ops[-1])
        if within and op.what.startswith(LIGHT):
            boxes[inputs[0]].ops.append(op)
            place[number] = inputs[0]
        else:
            boxes.append(Box([op], inputs))
            place[number] = len(boxes) - 1
    return boxes


def _regions(boxes: Sequence[Box]) -> list[tuple[int, list[int]]]:
    """Cut where a single tensor leads on: what leads in, and the boxes up to the cut."""
    last_use = {IMAGE: IMAGE}
    for number, box in enumerate(boxes):
        last_use |= dict.fromkeys(box.inputs, number)
    regions: list[tuple[int, list[int]]] = []
    entry, numbers, reach = IMAGE, list[int](), IMAGE
    for number in range(len(boxes)):
        numbers.append(number)
        earlier = [last_use.get(i, i) for i in (entry, *numbers[:-1])]
        reach = max(reach, *earlier)
        if reach <= number:
            regions.append((entry, numbers))
            entry, numbers = number, []
    if numbers:
        regions.append((entry, numbers))
    return regions


def _owner(graph: Graph, op: Op) -> str:
    """Return the module that an operation is drawn in."""
    words = op.inside.split(".") if op.inside else []
    names = [".".join(words[:count]) for count in range(1, len(words) + 1)]
    return next((name for name in names if name in graph.blocks), names[-1] if names else "")


def _title(graph: Graph, panel: Panel) -> str:
    ops = [op for box in panel.boxes.values() for op in box.ops]
    owners = list(dict.fromkeys(_owner(graph, op) for op in ops))
    if len(owners) == 1 and owners[0] in graph.blocks:
        kind = graph.kinds[owners[0]]
        return owners[0] if kind == "Sequential" else f"{owners[0]} {kind}"
    names = list(dict.fromkeys(
        owner if (owner := _owner(graph, op)) in graph.blocks else op.name for op in ops
    ))  # fmt: skip
    names = [name for name in names if name]
    return " to ".join(dict.fromkeys([names[0], names[-1]])) if names else graph.kinds[""]


def _fold(panels: Sequence[Panel]) -> list[Panel]:
    folded: list[Panel] = []
    for panel in panels:
        if folded and folded[-1].signature == panel.signature:
            first = folded[-1].title.partition(" ")[0]
            folded[-1].title = f"{first} to {panel.title}"
            folded[-1].times += 1
        else:
            folded.append(panel)
    for panel in folded:
        _place(panel)
    return folded


def _place(panel: Panel) -> None:
    """Give each box a level, below all it takes, and a lane: the longest way gets the first."""
    boxes, levels = panel.boxes, panel.levels
    for i, box in boxes.items():
        levels[i] = 1 + max((levels.get(j, -1) for j in box.inputs), default=-1)
    taken: list[list[tuple[int, int]]] = []  # levels of each lane that are in use

    def lane_for(first: int, last: int) -> int:
        for lane, spans in enumerate(taken):
            if all(last < low or first > high for low, high in spans):
                spans.append((first, last))
                return lane
        taken.append([(first, last)])
        return len(taken) - 1

    end = max(levels.values())
    ways = _ways(panel)
    for number, way in enumerate(ways):
        users = [levels[i] - 1 for i, box in boxes.items() if way[-1] in box.inputs]
        last = end if number == 0 else max([levels[way[-1]], *users])
        panel.lanes |= dict.fromkeys(way, lane_for(levels[way[0]], last))
    ends = {way[-1] for way in ways}  # below these the lane is free down to where they are used
    for i, box in boxes.items():
        for j in box.inputs:
            start = levels.get(j, -1)
            if levels[i] - start > 1 and j not in ends:
                panel.skips.append((j, i, lane_for(start + 1, levels[i] - 1)))


def _ways(panel: Panel) -> list[list[int]]:
    """Split the boxes into ways without branches; the longest from the entry comes first."""
    boxes = panel.boxes
    after = dict.fromkeys(boxes, 0)  # boxes on the longest way from here to the end
    for i in reversed(boxes):
        for j in set(boxes[i].inputs) & set(after):
            after[j] = max(after[j], 1 + after[i])
    heirs: dict[int, int] = {}  # the box that goes on in the same lane
    for i, box in boxes.items():
        source = max(box.inputs, key=lambda j: panel.levels.get(j, -1))
        if source not in heirs or after[heirs[source]] < after[i]:
            heirs[source] = i
    main = heirs[panel.entry]
    starts = [main, *(i for i in boxes if i not in heirs.values())]
    ways: list[list[int]] = []
    for start in starts:
        way = [start]
        while way[-1] in heirs:
            way.append(heirs[way[-1]])
        ways.append(way)
    return ways


def to_columns(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Spread panels over columns of about equal height, in their order."""
    total = sum(panel.height for panel in panels)
    wide = sum(panel.width * panel.height for panel in panels) / total
    count = max(1, round(total / max(6.0, sqrt(total * wide / 1.5))))
    columns: list[list[Panel]] = [[]]
    filled = 0.0
    for panel in panels:
        if columns[-1] and filled + panel.height / 2 > total / count * len(columns):
            columns.append([])
        columns[-1].append(panel)
        filled += panel.height
    return columns


def draw_diagram(graph: Graph, network: str) -> Figure:
    """Draw the panels from the image down to the logits, column by column."""
    columns = to_columns(to_panels(graph))
    widths = [max(panel.width for panel in column) + 0.25 for column in columns]
    tall = max(sum(panel.height for panel in column) for column in columns) + 0.5
    side = graph.image_size
    note = (
        f"{graph.num_parameters:,} parameters; in each box: operations in their order, the shape "
        f"they put out for an image of {side} x {side} px, and their parameters"
    )
    if not graph.is_whole:
        note += (
            "; some connections could not be followed, so operations stand in the order they ran"
        )
    with look():
        figure, below = new_figure(max(sum(widths) + 0.2, 5.0), tall, network, note)
        width = figure.get_figwidth()
        axes = figure.add_axes((0.1 / width, 0, 1 - 0.1 / width, below))
        axes.set_axis_off()
        axes.set(xlim=(0, width - 0.1), ylim=(tall, 0))
        left = 0.05
        for i, (column, own) in enumerate(zip(columns, widths, strict=True)):
            start = f"image {side} x {side}" if i == 0 else "from the column before"
            axes.text(left + 0.05, 0.08, start, size=SMALL_SIZE, color=GREY, va="center")
            top = 0.42
            _arrow(axes, left + MARGIN + BOX / 2, 0.16, top)
            for panel in column:
                _draw_panel(axes, panel, left, top)
                top += panel.height
                _arrow(axes, left + MARGIN + BOX / 2, top - BETWEEN, top)
            end = "logits" if i + 1 == len(columns) else "to the next column"
            axes.text(left + MARGIN + BOX / 2 + 0.1, top - 0.06, end, size=SMALL_SIZE, color=GREY,
                      va="center")  # fmt: skip
            left += own
    return figure


def _arrow(axes: Axes, x: float, top: float, foot: float) -> None:
    arrow = {"arrowstyle": "-|>", "color": GREY, "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, foot), (x, top), arrowprops=arrow, zorder=1)


def _draw_panel(axes: Axes, panel: Panel, left: float, top: float) -> None:
    height, widths, rows = panel.height - BETWEEN, panel.widths, panel.rows
    axes.add_patch(
        FancyBboxPatch((left, top), panel.width, height, fc="#F7F7F7", ec=GREY, lw=0.8, zorder=0,
                       boxstyle="round,pad=0,rounding_size=0.06")
    )  # fmt: skip
    axes.text(left + 0.1, top + 0.14, panel.title, size=TEXT_SIZE - 1, weight="bold", va="center")
    axes.text(left + panel.width - 0.1, top + 0.14, panel.count, size=SMALL_SIZE, weight="bold",
              ha="right", va="center")  # fmt: skip
    tops = [top + TITLE + EDGE * (level + 1) + sum(rows[:level]) for level in range(len(rows))]
    lefts = [left + MARGIN * (lane + 1) + sum(widths[:lane]) for lane in range(len(widths))]
    centers = [x + width / 2 for x, width in zip(lefts, widths, strict=True)]

    def foot(number: int) -> tuple[float, float]:
        """Return where lines leave a box, or the panel's entry."""
        if number not in panel.boxes:
            return centers[0], top + TITLE
        at = panel.levels[number]
        return centers[panel.lanes[number]], tops[at] + panel.boxes[number].height

    passing = {(start, end): lane for start, end, lane in panel.skips}
    for i, box in panel.boxes.items():
        for j in box.inputs:
            lane = passing.get((j, i))
            _draw_edge(axes, foot(j), centers[panel.lanes[i]], tops[panel.levels[i]], box.height,
                       None if lane is None else centers[lane])  # fmt: skip
        _draw_box(axes, box, lefts[panel.lanes[i]], tops[panel.levels[i]])
    last = next(reversed(panel.boxes))
    x, y = foot(last)
    axes.plot([x, x, centers[0], centers[0]], [y, top + height - 0.1, top + height - 0.1,
              top + height], color=GREY, lw=1, zorder=1)  # fmt: skip


def _draw_edge(
    axes: Axes, start: tuple[float, float], x: float, y: float, height: float, lane: float | None
) -> None:
    """Lead a line from a box's foot to the top of another, or into its side."""
    from_x, from_y = start
    turn = from_y + EDGE * 0.4
    if lane is None and abs(from_x - x) < 1e-6:
        _arrow(axes, x, from_y, y)
        return
    if lane is None and from_y > y - EDGE * 1.5:  # the next level: in from above
        axes.plot([from_x, from_x, x], [from_y, turn, turn], color=GREY, lw=1, zorder=1)
        _arrow(axes, x, turn, y)
        return
    middle, down = y + height / 2, from_x if lane is None else lane
    axes.plot([from_x, from_x, down, down], [from_y, turn, turn, middle], color=GREY, lw=1,
              zorder=1)  # fmt: skip
    edge = x + (BOX / 2 if down > x else -BOX / 2)
    arrow = {"arrowstyle": "-|>", "color": GREY, "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (edge, middle), (down, middle), arrowprops=arrow, zorder=1)


def _draw_box(axes: Axes, box: Box, left: float, top: float) -> None:
    is_join = box.ops[0].what in JOINS
    axes.add_patch(
        FancyBboxPatch((left, top), BOX, box.height, fc="white", ec=INK if is_join else GREY,
                       lw=1.1 if is_join else 0.7, zorder=2,
                       boxstyle=f"round,pad=0,rounding_size={0.1 if is_join else 0.02}")
    )  # fmt: skip
    color = _color(box.ops[0].what)
    axes.plot([left + 0.07] * 2, [top + 0.06, top + box.height - 0.06], color=color, lw=4, zorder=3,
              solid_capstyle="butt")  # fmt: skip
    y = top + 0.04 + LINE_HEIGHT / 2
    for line in box.lines:
        axes.text(left + 0.15, y, line, size=SMALL_SIZE, color=INK, va="center", zorder=3)
        y += LINE_HEIGHT
    shape = " x ".join(map(str, box.ops[-1].output))
    axes.text(left + 0.15, y, shape, size=SMALL_SIZE - 0.5, color=GREY, va="center", zorder=3)
    if box.num_parameters:
        axes.text(left + BOX - 0.07, y, f"{box.num_parameters:,}", size=SMALL_SIZE - 0.5,
                  color=GREY, ha="right", va="center", zorder=3)  # fmt: skip


def _color(what: str) -> str:
    """Tell kinds of operations apart; the words beside say the same."""
    kinds = {"conv": BLUE, "linear": PINK, "batch norm": SKY, "sum": GREEN, "mean": GREEN,
             "concat": GREEN, "space": GREEN, "flatten": "#BBBBBB"}  # fmt: skip
    if "pool" in what:
        return AMBER
    return next((color for kind, color in kinds.items() if what.startswith(kind)), "#BBBBBB")
