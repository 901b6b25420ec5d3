"""Which parts of a network rest while a phase lasts."""

from torch import nn

from thumbnet.build import parameters_of


class Freezer:
    """Holds what rests of a network, to let it learn again when that is over."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._resting = list[nn.Parameter]()

    def freeze(self, model: nn.Module, names: tuple[str, ...]) -> None:
        """Have these parts rest, and what rested until now learn again."""
        if names != self._names:
            for parameter in self._resting:
                parameter.requires_grad_(True)
            parts = parameters_of(model, names)
            self._resting = [parameter for parameter in parts if parameter.requires_grad]
            for parameter in self._resting:
                parameter.requires_grad_(False)
            self._names = names
