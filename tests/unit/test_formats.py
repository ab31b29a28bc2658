"""Model formats: what is written can be read elsewhere, and reading trusts nothing it was not told to."""

from __future__ import annotations

import functools
import io
import os
import subprocess
import sys
import threading
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from provenote.errors import Refused, UsageError, WorldError
from provenote.registry import formats

X = np.arange(60.0).reshape(20, 3) % 7
Y = X.sum(axis=1)


class Clip(BaseEstimator, TransformerMixin):
    """A user's own transformer in a module file."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.clip(X, 0, 5)


def halve(X):
    return X / 2


@pytest.fixture
def notebook_class(monkeypatch):
    """A class as a notebook cell defines it: its module is ``__main__``, which has no file."""
    main = types.ModuleType("__main__")
    own = type("Clipper", (Clip,), {"__module__": "__main__"})
    main.Clipper = own
    monkeypatch.setitem(sys.modules, "__main__", main)
    return own


@pytest.mark.parametrize(
    "model",
    [
        Ridge(),
        make_pipeline(StandardScaler(), Ridge()),
        RandomForestRegressor(3, random_state=0),
        make_pipeline(FunctionTransformer(np.log1p), Ridge()),
        make_pipeline(Clip(), FunctionTransformer(halve), Ridge()),
    ],
    ids=["ridge", "pipeline", "forest", "log1p", "own module"],
)
def test_a_model_comes_back_with_the_same_predictions(model, tmp_path):
    model.fit(X, Y)
    written = formats.dump(model, tmp_path, "bike/demand")
    assert (written.path, written.format) == (tmp_path / "bike-demand.skops", "skops")
    assert written.class_name == f"{type(model).__module__}.{type(model).__qualname__}"
    again = formats.load_bytes(written.path.read_bytes(), written.format, written.trusted)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_the_file_is_deflated(tmp_path):
    written = formats.dump(RandomForestRegressor(20, random_state=0).fit(X, Y), tmp_path, "m")
    kinds = {member.compress_type for member in zipfile.ZipFile(written.path).infolist()}
    assert kinds == {zipfile.ZIP_DEFLATED}


def test_types_beyond_the_formats_own_are_listed(tmp_path):
    forest = formats.dump(RandomForestRegressor(3).fit(X, Y), tmp_path, "f")
    assert "sklearn.tree._tree.Tree" in forest.trusted
    own = formats.dump(make_pipeline(Clip(), Ridge()).fit(X, Y), tmp_path, "o")
    assert own.trusted == (f"{Clip.__module__}.Clip",)
    assert formats.dump(Ridge().fit(X, Y), tmp_path, "r").trusted == ()


def test_a_container_of_models_is_one_model(tmp_path):
    both = {"model": Ridge().fit(X, Y), "threshold": 0.3}
    written = formats.dump(both, tmp_path, "both")
    assert formats.load_bytes(written.path.read_bytes(), "skops", written.trusted)["threshold"] == 0.3


def test_a_class_of_the_notebook_is_refused_with_its_fix(notebook_class, tmp_path):
    with pytest.raises(UsageError) as caught:
        formats.dump(make_pipeline(notebook_class(), Ridge()).fit(X, Y), tmp_path, "m")
    line = caught.value.line
    assert "Clipper is defined in the notebook itself" in line
    assert "Move Clipper into a module file and import it" in line
    assert "\n" not in line
    assert not list(tmp_path.iterdir())


def test_a_class_of_a_script_is_refused_with_the_scripts_name(notebook_class, tmp_path):
    sys.modules["__main__"].__file__ = "/somewhere/train.py"
    with pytest.raises(UsageError, match=r"Clipper is defined in the script train\.py"):
        formats.dump(notebook_class().fit(X), tmp_path, "m")


def test_a_lambda_is_refused_with_its_fix(tmp_path):
    model = make_pipeline(FunctionTransformer(lambda x: x + 1), Ridge()).fit(X, Y)
    with pytest.raises(UsageError, match="lambda.*move it into a module file and import it"):
        formats.dump(model, tmp_path, "m")


def test_a_class_made_in_a_function_is_refused(tmp_path):
    class Local(Clip):
        pass

    with pytest.raises(UsageError, match="Local is defined inside a function"):
        formats.dump(Local().fit(X), tmp_path, "m")


@pytest.mark.parametrize(
    "passenger",
    [(n for n in range(3)), threading.Lock(), io.StringIO("x"), functools.partial(open, "x")],
    ids=["generator", "lock", "stream", "partial"],
)
def test_what_cannot_be_read_again_is_refused_when_written(passenger, tmp_path):
    model = Ridge().fit(X, Y)
    model.passenger_ = passenger
    try:
        written = formats.dump(model, tmp_path, "m")
    except UsageError as error:
        assert "Ridge" in error.line
        assert "\n" not in error.line
    else:  # kept after all: then it must come back
        assert formats.load_bytes(written.path.read_bytes(), "skops", written.trusted).passenger_ is not None


def test_a_lock_and_a_generator_are_refused(tmp_path):
    for passenger in ((n for n in range(3)), threading.Lock()):
        model = Ridge().fit(X, Y)
        model.passenger_ = passenger
        with pytest.raises(UsageError, match="cannot keep this Ridge"):
            formats.dump(model, tmp_path, "m")


def test_a_type_that_was_not_approved_is_refused_by_name(tmp_path):
    written = formats.dump(make_pipeline(Clip(), Ridge()).fit(X, Y), tmp_path, "m")
    with pytest.raises(Refused, match=rf"{Clip.__module__}\.Clip.*not trust"):
        formats.load_bytes(written.path.read_bytes(), "skops", ())
    with pytest.raises(Refused, match=r"Clip"):
        formats.load_bytes(written.path.read_bytes(), "skops", ("sklearn.tree._tree.Tree",))


def test_a_hostile_function_does_not_come_in_with_an_approved_list(tmp_path):
    hostile = make_pipeline(FunctionTransformer(os.system), Ridge())
    harmless = formats.dump(make_pipeline(Clip(), Ridge()).fit(X, Y), tmp_path, "good")
    import skops.io

    content = skops.io.dumps(hostile)
    with pytest.raises(Refused, match=r"posix\.system|nt\.system"):
        formats.load_bytes(content, "skops", harmless.trusted)


def test_damaged_bytes_are_said_to_be_damaged(tmp_path):
    written = formats.dump(Ridge().fit(X, Y), tmp_path, "m")
    with pytest.raises(WorldError, match="no readable skops model"):
        formats.load_bytes(written.path.read_bytes()[:100], "skops", ())
    with pytest.raises(WorldError):
        formats.load_bytes(b"", "skops", ())


def test_a_missing_module_is_named(tmp_path):
    (tmp_path / "features_of_mine.py").write_text(
        "from sklearn.base import BaseEstimator\n"
        "class Mine(BaseEstimator):\n"
        "    def fit(self, X, y=None): return self\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        import features_of_mine

        written = formats.dump(features_of_mine.Mine(), tmp_path, "m")
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("features_of_mine", None)
    with pytest.raises(UsageError, match="features_of_mine"):
        formats.load_bytes(written.path.read_bytes(), "skops", written.trusted)


def test_a_path_stays_where_it_is(tmp_path):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"abc")
    for model in (weights, str(weights), tmp_path):
        written = formats.dump(model, tmp_path, "w")
        assert (written.path, written.format, written.trusted) == (Path(model), "file", ())
    with pytest.raises(UsageError, match="no file or folder"):
        formats.dump(tmp_path / "absent", tmp_path, "w")
    with pytest.raises(UsageError, match="takes a path"):
        formats.dump(3, tmp_path, "w", format="file")
    with pytest.raises(UsageError, match="own library"):
        formats.load_bytes(b"abc", "file", ())


def test_other_objects_are_told_to_be_saved_first(tmp_path):
    for model in (object(), np.eye(3), Ridge, {"a": 1}):
        with pytest.raises(UsageError, match=r"no model format .*run\.log_model\(path, name\)"):
            formats.dump(model, tmp_path, "m")


def test_pickle_is_not_offered():
    with pytest.raises(UsageError, match="no model format is called 'pickle'"):
        formats.load_bytes(b"", "pickle", ())


class Weights:
    """A model of a library of which we know nothing."""


class WeightsFormat:
    name = "weights"

    def accepts(self, model):
        return isinstance(model, Weights)

    def dump(self, model, folder, name):
        (folder / name).write_bytes(b"w")
        return formats.ModelFile(folder / name, self.name)

    def load_bytes(self, content, trusted):
        return Weights()


class Entry:
    """What importlib.metadata gives for one entry point."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def load(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def test_a_package_adds_a_format(monkeypatch, tmp_path):
    found = [Entry("weights", WeightsFormat), Entry("skops", WeightsFormat)]
    where = {formats.GROUP: found}
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: where[group])
    written = formats.dump(Weights(), tmp_path, "w")
    assert written.format == "weights"
    assert isinstance(formats.load_bytes(b"w", "weights", ()), Weights)
    assert formats.dump(Ridge(), tmp_path, "r").format == "skops"
    assert isinstance(formats.named("skops"), formats.SkopsFormat)


@pytest.mark.parametrize("value", [ImportError("no module named torch"), object()])
def test_a_broken_package_is_named(monkeypatch, tmp_path, value):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Entry("weights", value)])
    with pytest.raises(UsageError, match="'weights'"):
        formats.dump(Weights(), tmp_path, "w")


def test_a_full_disk_is_said(monkeypatch, tmp_path):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WorldError, match="No space left"):
        formats.dump(Ridge().fit(X, Y), tmp_path, "m")


def test_naming_the_module_imports_nothing_heavy():
    code = "import sys, provenote.registry.formats; print('sklearn' in sys.modules or 'skops' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
