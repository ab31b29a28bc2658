"""Fixtures for every test: an isolated home, and small projects of Git and DVC."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# How long an example takes says nothing on a busy machine; a failing example is printed to be run again.
hypothesis.settings.register_profile("steady", deadline=None, print_blob=True)
hypothesis.settings.load_profile("steady")

# Started in the background by a shell, we would ignore Ctrl-C, and so would all that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

DVC_CONFIG = "[core]\n    analytics = false\n    autostage = false\n"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process, and all browsers in the same one: two at once are too slow."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return "browser" if "browser/" in file else file

    return ByFile(config, log)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home of its own: no Git identity, no SSH key, no setting of the machine."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(home / ".ipython"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))  # warm processes of this test alone
    # The commands of this environment (dvc, gto, jupyter), whether it was activated or not.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in list(os.environ):
        if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER", "PROVENOTE_", "JPY_SESSION", "SSH_AUTH_SOCK")):
            monkeypatch.delenv(name)
    return home


@pytest.fixture(autouse=True)
def _nothing_lingers(home: Path) -> Iterator[None]:
    """End the warm processes that a test's jobs left lingering."""
    yield
    if any(home.glob("provenote-warm-*")):
        from provenote.jobs import warm

        for folder in home.glob("provenote-warm-*"):
            for one in warm.lingering(folder):
                one.end()


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one project of Git and DVC, copied by `repo`."""
    root = tmp_path_factory.mktemp("template") / "project"
    root.mkdir()
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(DVC_CONFIG)
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (root / ".dvcignore").write_text("")
    (root / "a.txt").write_text("hello\n")
    environment = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(root.parent)}
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "first"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True, env=environment)
    return root


@pytest.fixture
def make_repo(_template: Path) -> Callable[[Path], Path]:
    """Return a function that makes a project (Git, DVC, one commit, an identity) at a path."""

    def make(path: Path) -> Path:
        shutil.copytree(_template, path, symlinks=True)
        for key, value in (("user.name", "Test"), ("user.email", "test@example.org")):
            subprocess.run(["git", "config", key, value], cwd=path, check=True)
        return path

    return make


@pytest.fixture
def repo(tmp_path: Path, make_repo: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project, and stand in it."""
    root = make_repo(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Forget what a process keeps while it lives (runs, reads, shells): each test starts as one would."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main  # a shell puts its own namespace there
    for name in ("provenote.stores.index", "provenote.git.trees"):
        if name in sys.modules:  # databases and repositories of projects that are gone
            sys.modules[name]._open.clear()
    active = sys.modules.get("provenote.tracking.active")
    if active is not None:
        for kept in (active._active, active._guests, active._reads):
            kept.clear()
    autolog = sys.modules.get("provenote.tracking.autolog")
    if autolog is not None and autolog._sessions:  # of a run that a test left open: estimators stay wrapped
        autolog._sessions.clear()
        autolog.fits.unwatch()
    capture = sys.modules.get("provenote.tracking.capture")
    if capture is not None:
        capture._capture = None
    shells = sys.modules.get("IPython.core.interactiveshell")
    if shells is not None and shells.InteractiveShell.initialized():
        shells.InteractiveShell.clear_instance()
