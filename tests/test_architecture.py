"""Imports keep to the layers that ARCHITECTURE.md draws: no cycle, torch where it belongs."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "thumbnet"

LAYERS = (  # from the bottom; a room is a folder or a file of src/thumbnet
    {
        "effects",
        "errors",
        "live",
        "memory",
        "recipe",
        "predictions",
        "scoring",
        "significance",
        "threads",
        "version",
    },
    {"data", "augment", "models", "optim", "recipes"},
    {"build", "checkpoint", "ensemble_model", "model_folder", "runs"},
    {"training", "evaluation", "visualize", "inference"},
    {"report", "challenge", "ensembles", "export", "pictures", "search", "reproduce"},
    {"cli"},
)
LAYER_OF = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}
OPEN_TO_ALL = {"errors", "version"}
SAME_LAYER_ALLOWED = {
    ("training", "evaluation"),
    ("inference", "evaluation"),
    ("runs", "checkpoint"),
    ("model_folder", "checkpoint"),
    ("model_folder", "ensemble_model"),
    ("effects", "significance"),
    ("pictures", "report"),
}
ANY_IMPORT_ALLOWED = {"thumbnet", "thumbnet.__main__"}  # the doors of the package

FORBIDDEN = {"torchvision", "timm", "torchmetrics"}
TORCH_FREE_ROOMS = {
    "effects", "errors", "live", "memory", "recipe", "predictions", "scoring", "significance",
    "threads", "version", "data", "challenge",
}  # fmt: skip
TORCH_ALLOWED = {"thumbnet.data.loader"}

LONG_FILE, LONG_FUNCTION = 300, 50

Imports = dict[str, set[str]]  # module -> the modules and packages it imports


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, package: str, modules: set[str]) -> set[str]:
    """Name what a module imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:  # a name may be a module, or stand in one
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in modules else base)
    return found


def read_imports(root: Path) -> Imports:
    paths = {module_name(path, root): path for path in sorted(root.rglob("*.py"))}
    imports = {}
    for module, path in paths.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        imports[module] = imported(ast.parse(path.read_text()), package, set(paths))
    return imports


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "thumbnet" and len(parts) > 1 else None


def layer_violations(imports: Imports) -> list[str]:
    wrong = []
    for module, targets in imports.items():
        here = room(module)
        if module in ANY_IMPORT_ALLOWED or here is None:
            continue
        if here not in LAYER_OF:
            wrong.append(f"{module}: the room '{here}' stands in no layer")
            continue
        for target in sorted(targets):
            there = room(target)
            if there is None or there == here or there in OPEN_TO_ALL:
                continue
            if there not in LAYER_OF:
                wrong.append(f"{module} -> {target}: the room '{there}' stands in no layer")
            elif LAYER_OF[there] > LAYER_OF[here]:
                wrong.append(f"{module} -> {target}: upward")
            elif LAYER_OF[there] == LAYER_OF[here] and (here, there) not in SAME_LAYER_ALLOWED:
                wrong.append(f"{module} -> {target}: sideways")
    return wrong


def first_cycle(imports: Imports) -> list[str]:
    graph = {
        module: {target for target in targets if target in imports and target != module}
        for module, targets in imports.items()
        if module not in ANY_IMPORT_ALLOWED
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def torch_free(module: str) -> bool:
    return room(module) in TORCH_FREE_ROOMS and module not in TORCH_ALLOWED


def forbidden_imports(imports: Imports) -> list[str]:
    wrong = []
    for module, targets in imports.items():
        packages = {target.partition(".")[0] for target in targets}
        banned = FORBIDDEN | ({"torch"} if torch_free(module) else set())
        wrong += [f"{module} imports {package}" for package in sorted(packages & banned)]
    return wrong


def loads_torch(*modules: str) -> bool:
    code = f"import sys, {', '.join(modules)}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() == "True"


IMPORTS = read_imports(SOURCE)


def test_imports_go_down() -> None:
    assert layer_violations(IMPORTS) == []


def test_no_cycle() -> None:
    assert first_cycle(IMPORTS) == []


def test_no_forbidden_import() -> None:
    assert forbidden_imports(IMPORTS) == []


@pytest.mark.parametrize("module", ["thumbnet", "thumbnet.cli.main"])
def test_import_does_not_load_torch(module: str) -> None:
    assert not loads_torch(module)


def test_torch_free_modules_do_not_load_torch_through_others() -> None:
    assert not loads_torch(*sorted(filter(torch_free, IMPORTS)))


def test_print_what_grew_long(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        for path in sorted(SOURCE.rglob("*.py")):
            text, name = path.read_text(), path.relative_to(SOURCE)
            if (lines := text.count("\n")) > LONG_FILE:
                print(f"\nlong file: {name} has {lines} lines", end="")
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    if lines > LONG_FUNCTION:
                        print(f"\nlong function: {name}:{node.name} has {lines} lines", end="")


def made_up(tmp_path: Path, files: dict[str, str]) -> Imports:
    root = tmp_path / "thumbnet"
    for name, text in {"__init__.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_imports(root)


def test_an_upward_import_is_caught_even_inside_a_function(tmp_path: Path) -> None:
    imports = made_up(
        tmp_path,
        {
            "training/trainer.py": "",
            "build.py": "def build():\n    from thumbnet.training import trainer\n",
            "errors.py": "from . import build\n",
        },
    )
    assert layer_violations(imports) == [
        "thumbnet.build -> thumbnet.training.trainer: upward",
        "thumbnet.errors -> thumbnet.build: upward",
    ]


def test_a_sideways_import_is_caught_unless_allowed(tmp_path: Path) -> None:
    imports = made_up(
        tmp_path,
        {
            "data/packed.py": "import thumbnet.models.registry\nimport thumbnet.errors\n",
            "models/registry.py": "",
            "training/trainer.py": "from thumbnet.evaluation.evaluate import evaluate\n",
            "evaluation/evaluate.py": "",
            "errors.py": "",
        },
    )
    assert layer_violations(imports) == [
        "thumbnet.data.packed -> thumbnet.models.registry: sideways"
    ]


def test_an_unknown_room_is_caught(tmp_path: Path) -> None:
    imports = made_up(tmp_path, {"utils.py": "", "build.py": "from thumbnet import utils\n"})
    assert len(layer_violations(imports)) == 2


def test_a_cycle_is_caught_but_not_one_through_the_door(tmp_path: Path) -> None:
    files = {"__init__.py": "from . import build\n", "build.py": "import thumbnet\n"}
    assert first_cycle(made_up(tmp_path, files)) == []
    files |= {"models/a.py": "from .b import x\n", "models/b.py": "from .a import y\n"}
    assert {"thumbnet.models.a", "thumbnet.models.b"} <= set(first_cycle(made_up(tmp_path, files)))


def test_forbidden_imports_are_caught(tmp_path: Path) -> None:
    imports = made_up(
        tmp_path,
        {
            "data/packed.py": "from torch import Tensor\n",
            "data/loader.py": "import torch\n",
            "models/vgg.py": "def build():\n    import torchvision.models\n",
        },
    )
    assert forbidden_imports(imports) == [
        "thumbnet.data.packed imports torch",
        "thumbnet.models.vgg imports torchvision",
    ]
