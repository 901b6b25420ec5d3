"""A network as a graph of operations, traced by running it once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from thumbnet.models.describe import IMAGE_SIZE
from thumbnet.models.registry import create_model, model_entry

IMAGE = -1  # as an input: the image itself
SHAPING = {
    "getitem", "permute", "reshape", "transpose", "flatten", "view", "squeeze", "unsqueeze",
    "contiguous", "unflatten",
}  # fmt: skip
ACTIVATIONS = {
    "relu": "ReLU", "relu6": "ReLU6", "leaky_relu": "leaky ReLU", "prelu": "PReLU", "tanh": "tanh",
    "sigmoid": "sigmoid", "gelu": "GELU", "silu": "SiLU", "elu": "ELU", "softmax": "softmax",
}  # fmt: skip
SUM, MEAN, CONCAT = "sum", "mean", "concat"
JOINS = (SUM, MEAN, CONCAT)


@dataclass(frozen=True)
class Op:
    """One operation as it ran.

    Args:
        name: of its module, as in `named_modules()`; empty where it is a plain function
        inside: the innermost module with children that it ran in
        what: in words, such as `conv 3 x 3, 64`
        output: shape without the batch
        inputs: positions of the operations that it takes, IMAGE for the image
    """

    name: str
    inside: str
    what: str
    output: tuple[int, ...]
    num_parameters: int
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """A traced network.

    Args:
        ops: in the order they ran
        kinds: class of each module with children, by its name
        blocks: names of the modules that are drawn as one
        is_whole: False where a tensor was lost on its way, so that some edges are guessed
    """

    ops: tuple[Op, ...]
    kinds: dict[str, str]
    blocks: frozenset[str]
    num_parameters: int
    image_size: int
    is_whole: bool


def fresh_graph(name: str, num_classes: int) -> Graph:
    """Trace a network by its name, without numbers, at the image size it is made for.

    Raises: RecipeError for an unknown name
    """
    entry = model_entry(name)
    size = entry.image_size or max(IMAGE_SIZE, entry.min_image_size)
    with torch.device("meta"):
        model = create_model(name, num_classes)
    return trace(model, entry.in_channels, size)


def trace(model: nn.Module, in_channels: int, image_size: int) -> Graph:
    """Run a network once and record each layer and function, and what it takes."""
    device = next(model.parameters()).device
    images = torch.zeros(1, in_channels, image_size, image_size, device=device)
    training = model.training
    tracer = _Tracer(images)
    try:
        with tracer.listening_to(model), torch.no_grad(), tracer:
            model.eval()(images)
    finally:
        model.train(training)
    modules = dict(model.named_modules())
    return Graph(
        ops=_simplify(tracer.ops),
        kinds={name: type(module).__name__ for name, module in modules.items()},
        blocks=frozenset(_blocks(model)),
        num_parameters=sum(parameter.numel() for parameter in model.parameters()),
        image_size=image_size,
        is_whole=tracer.is_whole,
    )


class _Tracer(TorchFunctionMode):
    """Sees every layer, and every function that is called outside a layer."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.ops: list[Op] = []
        self.is_whole = True
        self._known: dict[int, int] = {id(images): IMAGE}  # tensor -> the operation it comes from
        self._alive: list[Tensor] = [images]  # so that no id is used twice
        self._inside: list[str] = []
        self._in_layer = False
        self._seen: set[nn.Module] = set()

    def listening_to(self, model: nn.Module) -> ExitStack:
        """Put hooks on all modules until the stack is closed."""
        hooks = ExitStack()
        for name, module in model.named_modules():
            is_layer = next(module.children(), None) is None
            before, after = self._hooks(name, is_layer)
            hooks.enter_context(module.register_forward_pre_hook(before))
            hooks.enter_context(module.register_forward_hook(after))
        return hooks

    def _hooks(self, name: str, is_layer: bool) -> tuple[Callable[..., None], Callable[..., None]]:
        def before(_module: nn.Module, _inputs: object) -> None:
            if is_layer:
                self._in_layer = True
            else:
                self._inside.append(name)

        def after(module: nn.Module, inputs: object, output: object) -> None:
            if not is_layer:
                self._inside.pop()
                return
            self._in_layer = False
            if isinstance(output, Tensor) and not isinstance(module, nn.Identity):
                own = 0 if module in self._seen else sum(p.numel() for p in module.parameters())
                self._seen.add(module)
                self._record(name, describe_layer(module), output, own, inputs)

        return before, after

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        if not self._in_layer and isinstance(output, Tensor):
            inputs = (args, tuple(kwargs.values()))
            if self._inputs(inputs):  # else a constant
                name = getattr(func, "__name__", str(func)).strip("_")
                if name.startswith("i") and name[1:] in {"add", "mul", "sub", "div"}:
                    name = name[1:]
                self._record("", _describe(name, args, output), output, 0, inputs)
        return output

    def _inputs(self, value: object) -> tuple[int, ...]:
        tensors = _tensors(value)
        return tuple(self._known[id(one)] for one in tensors if id(one) in self._known)

    def _record(self, name: str, what: str, output: Tensor, own: int, value: object) -> None:
        inputs = self._inputs(value)
        if not inputs:
            self.is_whole = False
            inputs = (len(self.ops) - 1,)
        inside = self._inside[-1] if self._inside else ""
        self.ops.append(Op(name, inside, what, tuple(output.shape[1:]), own, inputs))
        self._known[id(output)] = len(self.ops) - 1
        self._alive.append(output)


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tensors(one)


def _blocks(model: nn.Module) -> Iterator[str]:
    """Name the outermost modules that are drawn as one: no mere rows of other such modules."""

    def visit(name: str, module: nn.Module) -> Iterator[str]:
        is_row = isinstance(module, nn.Sequential | nn.ModuleList)
        holds_blocks = any(
            not isinstance(one, nn.Sequential | nn.ModuleList)
            for one in module.modules()
            if one is not module and next(one.children(), None) is not None
        )
        if name and not (is_row and holds_blocks):
            yield name
            return
        for inner, child in module.named_children():
            if next(child.children(), None) is not None:
                yield from visit(f"{name}.{inner}" if name else inner, child)

    yield from visit("", model)


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
        side = _side(module.output_size)
        return "global mean pool" if side == 1 else f"mean pool to {side} x {side}"
    if isinstance(module, nn.Dropout):
        return f"dropout {module.p:g}"
    kind = type(module).__name__
    names = {"BatchNorm2d": "batch norm", "BatchNorm1d": "batch norm", "Flatten": "flatten"}
    names |= {"LocalResponseNorm": "local response norm"}
    return names.get(kind) or ACTIVATIONS.get(kind.lower(), kind)


def _side(size: Any) -> int:
    return int(size) if isinstance(size, int) else int(size[0])


def _describe(name: str, args: Sequence[Any], output: Tensor) -> str:
    """Return a function in the words of `describe_layer`."""
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    if name in {"add", "cat", "concat"}:
        return SUM if name == "add" else CONCAT
    if name in {"max_pool2d", "avg_pool2d"}:
        kind, size = ("max" if name == "max_pool2d" else "mean"), _side(args[1])
        stride = _side(args[2]) if len(args) > 2 and args[2] else size
        return f"{kind} pool {size} x {size}, stride {stride}"
    if name in {"mean", "amax", "adaptive_avg_pool2d"}:
        kind = "max" if name == "amax" else "mean"
        if output.ndim == 2 or output.shape[2:] == (1, 1):
            return f"global {kind} pool"
        return f"{kind} pool to {' x '.join(map(str, output.shape[2:]))}"
    return name


def _simplify(ops: Sequence[Op]) -> tuple[Op, ...]:
    """Join functions that are one step to a reader: shapings in a row, a sum of many, a mean."""
    counts = _count_uses(ops)
    made: list[Op] = []
    place: dict[int, int] = {IMAGE: IMAGE}  # an operation's position afterwards
    for number, found in enumerate(ops):
        op = replace(found, inputs=tuple(place[i] for i in found.inputs))
        previous = op.inputs[0]
        follows = counts[found.inputs[0]] == 1 and previous == len(made) - 1 != IMAGE
        if follows and _is_one_step(last := made[-1], op):
            others = tuple(i for i in op.inputs if i != previous)
            what = last.what if op.what in SHAPING or op.what == SUM else MEAN
            made[-1] = replace(last, what=what, output=op.output, inputs=(*last.inputs, *others))
        else:
            made.append(op)
        place[number] = len(made) - 1
    return tuple(_name_shaping(op, made) for op in made)


def _is_one_step(last: Op, op: Op) -> bool:
    if last.what == SUM:
        return op.what == SUM or (op.what in {"div", "mul"} and len(op.inputs) == 1)
    return last.what in SHAPING and op.what in SHAPING


def _name_shaping(op: Op, ops: Sequence[Op]) -> Op:
    if op.what not in SHAPING or op.inputs[0] == IMAGE:
        return op
    before, after = ops[op.inputs[0]].output, op.output
    if len(after) == 1:
        return replace(op, what="flatten")
    if len(before) == len(after) == 3 and after[0] == 4 * before[0]:
        return replace(op, what="space to depth 2 x 2")
    return replace(op, what="rearrange" if op.what != "getitem" else "slice")


def _count_uses(ops: Iterable[Op]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for op in ops:
        for i in op.inputs:
            counts[i] = counts.get(i, 0) + 1
    return counts
