"""The example plugin, installed beside the library in a virtual environment of its own, as a stranger's would be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
ECHO = ROOT / "examples" / "unified-train-echo"


class Environment:
    """A virtual environment that borrows what is not installed in it from the one that the tests run in."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=os.name != "nt")
        config = {"base": str(folder), "platbase": str(folder)}
        scheme = sysconfig.get_preferred_scheme("prefix")
        self.bin = Path(sysconfig.get_path("scripts", scheme, config))
        self.packages = Path(sysconfig.get_path("purelib", scheme, config))
        # What is installed here comes first. `addsitedir` follows the `.pth` files there too.
        borrowed = "".join(f"import site; site.addsitedir({path!r})\n" for path in _site_packages())
        (self.packages / "borrowed.pth").write_text(borrowed)

    def install(self, project: Path) -> None:
        """Install a project as pip would, without a look at a package index where the build backend is at hand."""
        options = ["--no-deps", "--quiet", "--disable-pip-version-check", *_without_isolation()]
        self._done([sys.executable, "-m", "pip", "--python", str(self.python), "install", *options, str(project)])

    @property
    def python(self) -> Path:
        return self.bin / ("python.exe" if os.name == "nt" else "python")

    def run(self, *arguments: str) -> str:
        """The output of Python with these arguments."""
        return self._done([str(self.python), *arguments])

    def script(self, name: str, *arguments: str) -> str:
        """The output of an installed command."""
        return self._done([str(self.bin / name), *arguments])

    def _done(self, command: list[str]) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_", "PYTEST"))}
        done = subprocess.run(command, cwd=self.packages, env=kept, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


def _site_packages() -> list[str]:
    paths = sysconfig.get_paths()
    return list(dict.fromkeys([paths["purelib"], paths["platlib"]]))


def _without_isolation() -> list[str]:
    try:
        import hatchling
    except ImportError:  # pip fetches it, as it did for this library
        return []
    return ["--no-build-isolation"] if hatchling else []


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("echo")
    environment = Environment(folder / "venv")
    environment.install(ROOT)
    environment.install(ECHO)
    return environment


def test_the_plugin_is_found_and_listed(installed: Environment) -> None:
    """Its entry point makes it one of the providers, in Python and on the command line."""
    code = "from unified_train import plugins; print(plugins.__file__, *plugins.installed())"
    home, *slugs = installed.run("-c", code).split()
    assert Path(home).is_relative_to(installed.packages)
    assert slugs == ["alibaba", "echo", "novita", "scenario"]
    told: dict[str, Any] = json.loads(installed.script("unified-train", "providers", "--json"))
    assert told["echo"]["generation"]["max_per_call"] == 10


def test_the_plugin_is_loaded_by_name_alone(installed: Environment) -> None:
    """A client for it imports no other provider."""
    code = (
        "import sys; from unified_train import Client; Client('echo').close();"
        "print(*sorted(name for name in sys.modules if name.startswith('unified_train_')))"
    )
    assert installed.run("-W", "error", "-c", code).split() == ["unified_train_echo"]


def test_the_plugin_passes_its_own_tests(installed: Environment, tmp_path: Path) -> None:
    """The contract holds where nothing but the installed plugin is there to be tested."""
    cache = ["-p", "no:cacheprovider", f"--basetemp={tmp_path / 'pytest'}"]
    done = installed.run("-m", "pytest", "-q", *cache, "-c", str(ECHO / "pyproject.toml"), str(ECHO / "tests"))
    assert "passed" in done
    assert "failed" not in done
