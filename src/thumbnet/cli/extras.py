"""What optional packages a command takes, and how to get them."""

from importlib.util import find_spec

from thumbnet.errors import RecipeError, ThumbnetError


def needs(what: str, extra: str, *modules: str, error: type[ThumbnetError] = RecipeError) -> None:
    """Refuse to go on where a package of an extra is not installed.

    Raises: `error`, naming what is missing and the command that installs it
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        it = "it" if len(missing) == 1 else "them"
        raise error(
            f"{what} takes {', '.join(missing)}; install {it}: pip install 'thumbnet[{extra}]'"
        )
