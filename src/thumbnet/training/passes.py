"""How forward and backward of a step are run: as they are, compiled, or as a captured graph."""

import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError

# What is to be run: of a network and a batch's tensors to the loss, with the gradients left behind.
Work = Callable[..., Tensor]

WARM_UPS = 3  # passes before a capture, in which libraries settle; PyTorch asks for a few
RARE = 20  # a shape must come more often than this before it is compiled, which takes long
MOST_SHAPES = 64  # kept compiled: sizes and last batches soon use up PyTorch's own limit of 8


class Passes(Protocol):
    """One way of running passes."""

    def __call__(
        self, work: Work, network: nn.Module, batch: Sequence[Tensor], constants: Hashable = (), /
    ) -> Tensor:
        """Run one pass, before which all gradients are None, and return its loss.

        Args: constants: all that `work` reads and that is neither the network nor a tensor
        """


def run_eagerly(
    work: Work, network: nn.Module, batch: Sequence[Tensor], _constants: Hashable = (), /
) -> Tensor:
    """Run a pass as it is."""
    return work(network, *batch)


class Compiled(Passes):
    """Compiles the network for every shape that comes often; the others run as they are."""

    def __init__(self) -> None:
        self._seen: Counter[Hashable] = Counter()
        self._compiled: dict[nn.Module, Callable[..., Tensor]] = {}

    def __call__(
        self, work: Work, network: nn.Module, batch: Sequence[Tensor], _constants: Hashable = (), /
    ) -> Tensor:
        """Run one pass.

        Raises: RecipeError where the compiler does not work here
        """
        key = network, network.training, batch[0].shape
        self._seen[key] += 1
        if self._seen[key] <= RARE:
            return work(network, *batch)
        import torch._dynamo as dynamo  # takes a second, for those who asked for it

        if network not in self._compiled:
            dynamo.config.recompile_limit = max(dynamo.config.recompile_limit, MOST_SHAPES)
            self._compiled[network] = torch.compile(network, dynamic=False)
        try:
            return work(self._compiled[network], *batch)
        except dynamo.exc.TorchDynamoException as error:
            raise RecipeError(
                f"training.step=compiled: PyTorch's compiler does not work here ({_line(error)}); "
                "it needs a C++ compiler, and Triton for a GPU; take graph, eager or auto"
            ) from error


class Recorder(Protocol):
    """What can record the work of a device, and do it again."""

    def aside(self) -> AbstractContextManager[None]:
        """Return a context for work that warms up, apart from what else the device does."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
        """Record work without doing it; return where its result will stand, and what does it.

        Raises: RuntimeError for work that cannot be recorded
        """

    def forget(self) -> None:
        """Give back the memory of all that was recorded, none of which is done again."""


class Graphs(Passes):
    """Captures each kind of pass once, and from then on replays it: one launch instead of hundreds.

    The passes that warm up are passes of training like all others, and capturing does nothing to
    weights, statistics or random numbers; so the steps are those of eager training. Graphs share
    their memory, and those of one image size are dropped when the next one comes.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._seen: Counter[Hashable] = Counter()
        self._graphs: dict[Hashable, Graph] = {}
        self._plain: set[nn.Module] = set()  # networks that cannot be captured
        self._size: torch.Size | None = None

    def __call__(
        self, work: Work, network: nn.Module, batch: Sequence[Tensor], constants: Hashable = (), /
    ) -> Tensor:
        """Run one pass, by its graph where there is one by now."""
        if batch[0].shape[1:] != self._size:
            self._graphs.clear()
            self._recorder.forget()
            self._size = batch[0].shape[1:]
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in batch)
        key = network, network.training, shapes, constants
        self._seen[key] += 1
        if self._seen[key] > WARM_UPS and key not in self._graphs and network not in self._plain:
            self._capture(key, work, network, batch)
        if key in self._graphs:
            return self._graphs[key](batch)
        return self._warm_up(work, network, batch)

    def _warm_up(self, work: Work, network: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        before = torch.get_rng_state()
        with self._recorder.aside():
            loss = work(network, *batch)
        if not torch.equal(before, torch.get_rng_state()):
            self._plain.add(network)  # it draws on the host: a graph would repeat one draw
        return loss

    def _capture(
        self, key: Hashable, work: Work, network: nn.Module, batch: Sequence[Tensor]
    ) -> None:
        try:
            self._graphs[key] = Graph(self._recorder, work, network, batch)
        except RuntimeError as error:
            self._plain.add(network)
            network.zero_grad(set_to_none=True)
            warnings.warn(f"steps run uncaptured: {_line(error)}", stacklevel=2)


class Graph:
    """One kind of pass, captured over tensors that stay where they are."""

    def __init__(
        self, recorder: Recorder, work: Work, network: nn.Module, batch: Sequence[Tensor]
    ) -> None:
        self._batch = [tensor.clone() for tensor in batch]
        network.zero_grad(set_to_none=True)  # so that the graph writes gradients, and adds to none
        self._loss, self._replay = recorder.record(lambda: work(network, *self._batch))
        self._gradients = [(p, p.grad) for p in network.parameters() if p.grad is not None]

    def __call__(self, batch: Sequence[Tensor]) -> Tensor:
        """Do the pass with other data: its gradients stand where they stood, the loss is fresh."""
        for place, tensor in zip(self._batch, batch, strict=True):
            place.copy_(tensor)
        self._replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        return self._loss.clone()


class CudaRecorder(Recorder):
    """Records CUDA graphs, all on one stream and in one pool of memory."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Return a context in which work goes to the stream of captures, in order with the rest."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            yield
        current.wait_stream(self._stream)

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
        """Capture work.

        Raises: RuntimeError for work that waits for the device
        """
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            result = work()
        return result, graph.replay

    def forget(self) -> None:
        """Begin a new pool of memory; the old one goes with its last graph."""
        self._pool = torch.cuda.graph_pool_handle()


def passes_of(step: str, device: torch.device) -> Passes:
    """Return what runs passes as picked: `eager`, `graph` or `compiled`."""
    if step == "graph":
        return Graphs(CudaRecorder(device))
    return Compiled() if step == "compiled" else run_eagerly


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
