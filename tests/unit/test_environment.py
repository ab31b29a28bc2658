"""The environment of a run: the lock, its file, the facts beside it and what was imported."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib import metadata

import pytest

from provenote.errors import UsageError
from provenote.tracking import environment, imports


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages that is the whole search path."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", ["", str(folder)])
    return folder


def install(folder, name, version, **direct):
    path = folder / f"{name}-{version}.dist-info"
    path.mkdir()
    if direct:
        (path / "direct_url.json").write_text(json.dumps(direct))
    return path


def lines(locked):
    return [line for line in locked.text.splitlines() if not line.startswith("#")]


def test_the_lock_of_this_environment_names_what_metadata_names():
    locked = environment.lock()
    known = {}
    for distribution in metadata.distributions(path=list(environment.this().path)):
        known.setdefault(environment.normalized(distribution.metadata["Name"]), distribution.version)
    assert dict(locked.packages) == known


def test_the_lock_is_sorted_and_named_by_its_digest(site):
    install(site, "zope.interface", "6.1")
    install(site, "Scikit_Learn", "1.9.1")
    locked = environment.lock()
    assert lines(locked) == ["scikit-learn==1.9.1", "zope-interface==6.1"]
    assert locked.text.startswith("# provenote environment 1\n# python ")
    assert locked.sha256 == hashlib.sha256(locked.text.encode()).hexdigest()
    assert locked.python == ".".join(map(str, sys.version_info[:3]))


def test_equal_environments_have_equal_locks_wherever_they_stand(tmp_path, monkeypatch):
    made = []
    for place in ("here", "there"):
        folder = tmp_path / place
        folder.mkdir()
        install(folder, "numpy", "2.4.6")
        install(folder, "mine", "0.1", url=f"file://{folder}", dir_info={"editable": True})
        monkeypatch.setattr(sys, "path", [str(folder)])
        made.append(environment.lock())
    assert made[0].sha256 == made[1].sha256
    assert str(tmp_path) not in made[0].text


def test_what_no_index_gave_is_said(site):
    install(site, "edited", "1", url="file:///home/ada/edited", dir_info={"editable": True})
    vcs = {"vcs": "git", "commit_id": "abc123"}
    install(site, "forked", "2", url="https://token:secret@host.example/forked", vcs_info=vcs)
    archive = {"hashes": {"sha256": "00ff"}}
    install(site, "wheel", "3", url="file:///tmp/wheel-3-py3-none-any.whl", archive_info=archive)
    install(site, "folder", "4", url="file:///tmp/folder", dir_info={})
    install(site, "page", "5", url="https://host.example/page-5.whl", archive_info={})
    assert lines(environment.lock()) == [
        "edited==1  # editable",
        "folder==4  # local",
        "forked==2  # git+https://host.example/forked@abc123",
        "page==5  # https://host.example/page-5.whl",
        "wheel==3  # local, sha256 00ff",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 3, "dir_info": 4}', '{"vcs_info": {}, "url": "x"}'])
def test_a_damaged_direct_url_is_no_reason_to_fail(site, text):
    (install(site, "odd", "1") / "direct_url.json").write_text(text)
    assert lines(environment.lock())[0].startswith("odd==1")


def test_installing_and_removing_are_seen(site):
    first = environment.lock()
    assert environment.lock() is first
    path = install(site, "new", "1")
    second = environment.lock()
    assert lines(second) == ["new==1"]
    path.rmdir()
    assert environment.lock().sha256 == first.sha256


def test_the_first_on_the_search_path_counts(site, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    install(site, "twice", "1")
    install(other, "twice", "2")
    monkeypatch.setattr(sys, "path", [str(site), str(other), str(tmp_path / "absent")])
    assert lines(environment.lock()) == ["twice==1"]


def test_old_kinds_of_installation_are_named(site):
    (site / "egg-1.5-py3.11.egg-info").write_text("")
    (site / "developed.egg-info").mkdir()
    (site / "developed.egg-info" / "PKG-INFO").write_text("Name: developed\nVersion: 0.3\n")
    (site / "nothing.egg-info").mkdir()
    install(site, "~roken", "9")
    assert lines(environment.lock()) == ["developed==0.3", "egg==1.5"]


def test_the_users_own_folder_is_not_searched(tmp_path, monkeypatch):
    install(tmp_path, "unpacked", "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path)])
    assert lines(environment.lock()) == []


def test_another_python_is_asked(tmp_path):
    assert environment.lock(sys.executable).sha256 == environment.lock().sha256
    with pytest.raises(UsageError, match="cannot be asked for its packages"):
        environment.lock(tmp_path / "python")
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no\n")
    broken.chmod(0o755)
    with pytest.raises(UsageError, match="broken"):
        environment.lock(broken)


def test_one_file_is_kept_for_each_environment(site, tmp_path):
    locked = environment.lock()
    path = environment.keep(locked, tmp_path)
    assert path == tmp_path / "environments" / f"{locked.sha256}.txt"
    assert path.read_text() == locked.text
    before = path.stat().st_mtime_ns
    assert environment.keep(locked, tmp_path) == path
    assert path.stat().st_mtime_ns == before


def test_a_home_that_cannot_be_written_is_no_error(site, tmp_path):
    (tmp_path / "environments").write_text("a file stands here")
    assert not environment.keep(environment.lock(), tmp_path).exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_facts_name_threads_and_seed(monkeypatch):
    for name in environment._THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    facts = environment.facts()
    assert facts["threads"] == {"OMP_NUM_THREADS": "3"}
    assert facts["cpus"] >= 1
    assert json.dumps(facts)


def test_facts_name_the_libraries_and_the_gpu_driver(monkeypatch, tmp_path):
    pytest.importorskip("sklearn.base")
    assert environment.facts(libraries=True)["blas"]
    version = tmp_path / "version"
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 2024\nGCC\n")
    monkeypatch.setattr(environment, "_GPU_DRIVER", str(version))
    assert environment.facts()["gpu_driver"] == "535.183.01"
    version.write_text("something else\n")
    assert environment.facts()["gpu_driver"] == "something else"


@pytest.mark.parametrize("seed", ["0", "7", "random"])
def test_facts_name_the_seed_in_force(seed):
    code = "from provenote.tracking import environment; print(environment.facts()['hash_seed'])"
    answer = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == seed


def test_imported_distributions_are_named_by_their_own_names(tmp_path):
    import sklearn  # noqa: F401
    import yaml  # noqa: F401

    locked = environment.lock()
    imports._tables.clear()
    imports._seen.clear()
    found = imports.imported(locked, tmp_path)
    assert {"scikit-learn", "pyyaml", "pytest"} <= set(found)
    assert set(found) <= set(locked.packages)
    assert "papermill" not in found or "papermill" in sys.modules


def test_the_table_of_modules_is_kept_and_a_damaged_one_made_anew(tmp_path):
    import yaml  # noqa: F401

    locked = environment.lock()
    imports._tables.clear()
    imports._seen.clear()
    first = imports.imported(locked, tmp_path)
    kept = tmp_path / "environments" / f"{locked.sha256}.modules.json"
    assert json.loads(kept.read_text())["yaml"] == "pyyaml"
    for damaged in ("{", "[1]"):
        kept.write_text(damaged)
        imports._tables.clear()
        imports._seen.clear()
        assert imports.imported(locked, tmp_path) == first


def test_modules_are_found_without_top_level_txt(tmp_path):
    path = tmp_path / "odd-1.dist-info"
    path.mkdir()
    assert imports._modules(str(path)) == set()
    (path / "RECORD").write_text(
        "odd/__init__.py,sha256=x,1\nodd/inner/__init__.py,,\nsingle.py,,\n_fast.cpython-311-x86_64-linux-gnu.so,,\n"
        "odd-1.dist-info/RECORD,,\n../../bin/odd,,\n"
    )
    assert imports._modules(str(path)) == {"odd", "single", "_fast"}
    (path / "top_level.txt").write_text("odd\n")
    assert imports._modules(str(path)) == {"odd"}


def test_the_packages_that_cells_name_are_found(tmp_path):
    locked = environment.lock()
    cells = [
        "%load_ext provenote\nimport numpy as np, os\nfrom sklearn.linear_model import Ridge",
        "if True:\n    %matplotlib inline\n    import yaml",
        "from . import mine\nimport nothing_of_that_name",
        "this is no Python",
        "!pip list",
    ]
    expected = {"numpy", "pyyaml", "scikit-learn"}
    assert set(imports.named(cells, locked, tmp_path)) == expected & set(locked.packages)
