"""The layout holds: the map in pyproject is what is on disk, arrows point one way, modules stay small."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import whyseg.schemas

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("schemas", "curation", "training", "ui", "data")
# Whom each part may import, besides itself.
ARROWS = {
    "schemas": set[str](),
    "curation": {"schemas", "data"},
    "training": {"schemas", "curation", "data"},
    "ui": {"schemas", "curation", "data"},
    "data": set[str](),
    "cli": {"schemas", "curation", "training", "ui", "data"},
}
GRADIO_ONLY = "ui"
LATE = {"torch", "transformers", "trl", "peft", "gradio", "datasets", "onnxruntime", "onnx", "sklearn", "skimage"}


def sources() -> list[Path]:
    folders = [ROOT / name for name in FOLDERS] + [ROOT / "src" / "whyseg" / "cli"]
    top = [ROOT / "src" / "whyseg" / "__init__.py", ROOT / "src" / "whyseg" / "__main__.py"]
    return top + sorted(path for folder in folders for path in folder.rglob("*.py"))


def module_of(path: Path) -> str:
    if path.is_relative_to(ROOT / "src"):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
    else:
        parts = ("whyseg", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in sources()}


def imports_of(tree: ast.AST) -> set[str]:
    """Return the modules that are imported; of ``from package import module`` the module, not the package."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & MODULES or {node.module}
    return found


def test_the_map_the_links_and_the_folders_agree() -> None:
    mapping = PROJECT["tool"]["setuptools"]["package-dir"]
    assert mapping == {"whyseg": "src/whyseg", **{f"whyseg.{name}": name for name in FOLDERS}}
    for name in FOLDERS:
        link = ROOT / "src" / "whyseg" / name
        assert link.is_symlink(), f"{link} should be a link to {name}: type checkers and editors see nothing else"
        assert link.resolve() == (ROOT / name).resolve()


def test_every_folder_with_modules_is_listed_as_a_package() -> None:
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    assert listed == {module_of(path) for path in sources() if path.name == "__init__.py"}


def test_arrows_point_one_way() -> None:
    wrong = []
    for path in sources():
        module = module_of(path)
        part = module.split(".")[1] if module.count(".") else "whyseg"
        for name in imports_of(ast.parse(path.read_text())):
            if name.startswith("whyseg.") and part in ARROWS:
                other = name.split(".")[1]
                if other in ARROWS and other != part and other not in ARROWS[part]:
                    wrong.append(f"{module} imports {name}")
            if name.split(".")[0] == "gradio" and part != GRADIO_ONLY:
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_imports_have_no_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for path in sources():
        tree = ast.parse(path.read_text())
        top = ast.Module(body=[n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], type_ignores=[])
        graph[module_of(path)] = (imports_of(top) & MODULES) - {module_of(path)}
    done: set[str] = set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"imports go in a circle: {' → '.join((*trail, module))}"
        if module not in done:
            for other in sorted(graph[module]):
                walk(other, (*trail, module))
            done.add(module)

    for module in sorted(graph):
        walk(module, ())


def test_modules_and_functions_stay_small() -> None:
    large = []
    scripts = sorted((ROOT / "ui" / "static").glob("*.js"))
    for path in [*sources(), *scripts]:
        lines = len(path.read_text().splitlines())
        if lines > 400:
            large.append(f"{path.relative_to(ROOT)}: {lines} lines")
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                length = node.end_lineno - node.lineno + 1
                if length > 60:
                    large.append(f"{path.relative_to(ROOT)}: {node.name} has {length} lines")
    assert large == []


@pytest.mark.parametrize("arguments", [["-c", "import whyseg"], ["-m", "whyseg", "--help"]])
def test_starting_up_imports_nothing_heavy(arguments: list[str]) -> None:
    code = "import runpy, sys; sys.argv = ['whyseg', *sys.argv[2:]]; runpy.run_module('whyseg', run_name='__main__')"
    run = ["-c", "import sys, whyseg"] if arguments[0] == "-c" else ["-c", code, *arguments[1:]]
    run[1] = "import atexit, sys; atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr)); " + run[1]
    done = subprocess.run([sys.executable, *run], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stderr.splitlines()[-1]))
    heavy = LATE | {"cv2", "sqlalchemy", "fastapi", "scipy", "pandas"}
    assert loaded & heavy == set()


def test_public_names_are_what_the_door_shows() -> None:
    shown = {
        name
        for name, thing in vars(whyseg.schemas).items()
        if not name.startswith("_") and not isinstance(thing, type(sys))
    }
    assert sorted(shown) == whyseg.schemas.__all__
    assert whyseg.schemas.__all__ == sorted(whyseg.schemas.__all__)


def test_the_project_names_no_package_that_breaks_its_environment() -> None:
    banned = ("torchvision", "timm", "sam2", "vllm", "trl[vlm]")
    # The extra of that name is asked for by name, and nothing else holds it.
    extras = [lines for name, lines in PROJECT["project"]["optional-dependencies"].items() if name != "sam2"]
    wanted = [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]
    names = {line.split(">")[0].split("=")[0].split("<")[0].strip() for line in wanted}
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert not (names | pinned) & set(banned)
