"""Read what the inner layers of a network put out, without touching the network."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from thumbnet.errors import RecipeError, did_you_mean


@contextmanager
def taps(model: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Yield a dict that each forward pass fills with the outputs of the named submodules.

    The tensors are part of the graph, so gradients with respect to them can be asked for. A
    submodule that runs twice in one pass leaves its last output. All hooks go at exit.

    Args:
        names: as in `model.named_modules()`, such as "layer1.0"
    Raises: RecipeError for a name the model does not have
    Example:
        with taps(model, ["layer4"]) as outputs:
            logits = model(images)
        outputs["layer4"].shape
    """
    modules = {name: module for name, module in model.named_modules() if name}
    outputs: dict[str, Tensor] = {}
    with ExitStack() as hooks:
        for name in names:
            if name not in modules:
                raise RecipeError(
                    f"the model has no layer '{name}'{did_you_mean(name, modules)}; "
                    f"its top layers: {', '.join(top for top, _ in model.named_children())}"
                )
            hooks.enter_context(modules[name].register_forward_hook(_recorder(name, outputs)))
        yield outputs


def _recorder(
    name: str, outputs: dict[str, Tensor]
) -> Callable[[nn.Module, tuple[object, ...], Tensor], Tensor]:
    def record(_module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> Tensor:
        outputs[name] = output
        return output.clone()  # the layers behind may write in place; what was read must not change

    return record
