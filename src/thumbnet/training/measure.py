"""How this machine runs a step fastest: measured in a second, printed, and kept with the run."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from thumbnet.evaluation.predict import batch_for, in_fp32
from thumbnet.recipe import TrainingSpec
from thumbnet.threads import Contention
from thumbnet.training.engine import Engine, Picks
from thumbnet.training.passes import WARM_UPS

PICK_S = 0.06  # the most that timing a candidate once takes, where two steps take no more
SMALL_STEP_S = 0.02  # above it more threads are always faster
COMPARED_S = 0.045  # a step this long is mostly arithmetic,
COMPARED_BATCH = 16  # and not all weights
FORECAST_S = 0.15  # a step as long as this predicts a longer one
MAX_REPEATS = 20
MARGIN = 0.9  # a candidate must need less than this share of the simpler one's time
STALE = 1.5  # a step this many times as long as it was makes a cached measurement doubtful

OptimizerOf = Callable[[nn.Module], Optimizer]


@dataclass(frozen=True)
class Measured:
    """Picks with their cost.

    `step_s` are seconds a step of each phase, `judge_image_s` seconds of judging one image, and
    `activation_bytes` what the largest step keeps for its backward pass. `probe` is the batch
    (B, C, H, W) by which the picks were compared, `probe_s` its time; `busy` tells whether other
    processes competed for the processor meanwhile.
    """

    picks: Picks
    step_s: tuple[float, ...]
    judge_image_s: float
    activation_bytes: int
    probe: tuple[int, ...] = ()
    probe_s: float = 0.0
    busy: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def measure(
    model: nn.Module,
    training: TrainingSpec,
    shapes: Sequence[tuple[int, int, int, int]],
    judged_size: int,
    device: str,
    optimizer_of: OptimizerOf | None = None,
) -> Measured:
    """Time real steps of a copy of the network, pick what is fastest, and estimate each phase.

    Args: shapes are each phase's batches (B, C, H, W); judged_size is in px; optimizer_of makes
        the optimizer whose step is estimated, else that of SGD.
    """
    model = deepcopy(model)  # probing moves weights and norms' statistics
    contention, busy = Contention(), False
    best = _simplest(training, device)
    largest = max(shapes, key=lambda shape: shape[-1])
    batch = _probe_batch(model, best, largest)
    probe = (batch, *largest[1:])
    best_s = _time_steps(model, best, probe, PICK_S)
    for change in _changes(training, best):
        busy = contention.found() or busy
        if "threads" in change and best_s > SMALL_STEP_S and not busy:
            continue  # on a quiet machine more threads are always faster
        other = replace(best, **change)
        step_s = _time_steps(model, other, probe, PICK_S)
        if step_s < MARGIN * best_s:  # the loser is timed twice: something may have disturbed it
            best_s = min(best_s, _time_steps(model, best, probe, PICK_S))
        else:
            step_s = min(step_s, _time_steps(model, other, probe, PICK_S))
        if step_s < MARGIN * best_s:
            best, best_s = other, step_s
    of = optimizer_of or _plain_sgd
    steps = {shape: _whole_step(model, best, shape, batch, of) for shape in dict.fromkeys(shapes)}
    on_cuda = device.startswith("cuda")
    at_once = batch_for(torch.device(device), judged_size) if on_cuda else min(64, batch)
    judging = (at_once, shapes[0][1], judged_size, judged_size)
    return Measured(
        # Compiled steps are estimated as they run uncompiled: compiling takes long.
        picks=replace(best, step="compiled") if training.step == "compiled" else best,
        step_s=tuple(steps[shape] for shape in shapes),
        judge_image_s=_time_judging(model, best, judging) / judging[0],
        activation_bytes=max(_activation_bytes(model, shape) for shape in dict.fromkeys(shapes)),
        probe=probe,
        probe_s=best_s,
        busy=contention.found() or busy,
    )


def is_stale(model: nn.Module, measured: Measured) -> bool:
    """Tell whether other processes now make a step much slower than it was measured.

    Only a CPU is checked, by two or three steps of a copy of the network.
    """
    if measured.picks.device != "cpu" or not measured.probe:
        return False
    contention, picks = Contention(), replace(measured.picks, step="eager")
    step_s = _time_steps(deepcopy(model), picks, measured.probe, PICK_S)
    return step_s > STALE * measured.probe_s and contention.found()


def _plain_sgd(model: nn.Module) -> Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, foreach=True)


def _simplest(training: TrainingSpec, device: str) -> Picks:
    """Return what is used where nothing else is faster; what the recipe forces stands."""
    return Picks(
        device=device,
        precision="fp32" if training.precision == "auto" else training.precision,
        memory_format=(
            "channels_last" if training.memory_format == "auto" else training.memory_format
        ),
        threads=training.threads or torch.get_num_threads(),
        step="graph" if training.step == "graph" else "eager",
    )


def _changes(training: TrainingSpec, simplest: Picks) -> list[dict[str, Any]]:
    """Return what may be changed, each tried upon the best so far."""
    changes: list[dict[str, Any]] = []
    if training.precision == "auto" and not simplest.device.startswith("mps"):
        changes.append({"precision": "bf16"})
    if training.memory_format == "auto":
        changes.append({"memory_format": "contiguous"})
    if training.threads is None and simplest.device == "cpu" and simplest.threads > 1:
        changes.append({"threads": 1})
    if training.step == "auto" and simplest.device.startswith("cuda"):
        changes.append({"step": "graph"})
    return changes


def _probe_batch(model: nn.Module, picks: Picks, shape: tuple[int, int, int, int]) -> int:
    """Return the first batch, doubled from 4, whose step is long enough to be compared."""
    batch = min(4, shape[0])
    while batch < shape[0]:
        step_s = _time_steps(model, picks, (batch, *shape[1:]), 0)
        if step_s > (COMPARED_S if batch >= COMPARED_BATCH else 2 * COMPARED_S):
            break
        batch = min(shape[0], 2 * batch)
    return batch


def _whole_step(
    model: nn.Module,
    picks: Picks,
    shape: tuple[int, int, int, int],
    probe: int,
    optimizer_of: OptimizerOf,
) -> float:
    """Return the seconds of a step, drawn in a line from two smaller batches where it is slow.

    An image takes at least half of its share of the larger batch, so that noise in two short
    times cannot make it free. The optimizer's part does not grow with the batch.
    """
    batch = min(probe, shape[0])
    step_s = _time_steps(model, picks, (batch, *shape[1:]), 0)
    image_s = step_s / batch
    known = 1
    while 2 * batch < shape[0] and (known == 1 or step_s < FORECAST_S / 2):
        larger = min(shape[0], max(4 * batch, int(batch * FORECAST_S / step_s)))
        known += 1
        larger_s = _time_steps(model, picks, (larger, *shape[1:]), 0)
        image_s = max(0.5 * larger_s / larger, (larger_s - step_s) / (larger - batch))
        batch, step_s = larger, larger_s
    return step_s + image_s * (shape[0] - batch) + _time_update(model, picks, optimizer_of)


def _time_update(model: nn.Module, picks: Picks, optimizer_of: OptimizerOf) -> float:
    """Return the seconds of the optimizer's part of a step: the second, the first makes room."""
    engine = Engine(picks)
    model = engine.place(model).train()
    optimizer = optimizer_of(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with engine.threads():
        for _ in range(2):
            started = perf_counter()
            optimizer.step()
            next(model.parameters()).amax().item()  # waits for the device
            update_s = perf_counter() - started
    model.zero_grad(set_to_none=True)
    return update_s


def _time_steps(
    model: nn.Module,
    picks: Picks,
    shape: tuple[int, ...],
    budget_s: float,
) -> float:
    """Return the least time of forward and backward in seconds.

    A pass to warm up, or what a capture takes, then as many as fit into the budget, or one.
    """
    engine = Engine(picks)
    model = engine.place(model).train()
    images = engine.formatted(torch.zeros(shape, device=engine.device))
    labels = torch.zeros(shape[0], dtype=torch.int64, device=engine.device)

    def work(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        with engine.autocast():
            logits = network(images)
        loss = F.cross_entropy(logits.float(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def seconds() -> float:
        started = perf_counter()
        loss = engine.run(work, model, (images, labels))
        model.zero_grad(set_to_none=True)
        loss.item()  # waits for the device
        return perf_counter() - started

    with engine.threads():
        for _ in range(WARM_UPS + 1 if picks.step == "graph" else 0):
            seconds()
        begun, times = perf_counter(), list[float]()
        while len(times) < 2 or (perf_counter() - begun < budget_s and len(times) < MAX_REPEATS):
            times.append(seconds())
    return min(times[1:])


@in_fp32()
@torch.inference_mode()
def _time_judging(model: nn.Module, picks: Picks, shape: tuple[int, int, int, int]) -> float:
    engine = Engine(picks)
    model = engine.place(model).eval()
    images = engine.formatted(torch.zeros(shape, device=engine.device))
    times = []
    with engine.threads():
        for _ in range(2):
            started = perf_counter()
            model(images).sum().item()
            times.append(perf_counter() - started)
    return min(times)


def _activation_bytes(model: nn.Module, shape: tuple[int, int, int, int]) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, from a small batch."""
    sizes: dict[int, int] = {}
    model = model.cpu().train()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    batch = min(4, shape[0])

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(torch.zeros(batch, *shape[1:]))
        F.cross_entropy(logits, torch.zeros(batch, dtype=torch.int64))
    return sum(sizes.values()) * shape[0] // batch
