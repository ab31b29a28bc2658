"""scikit-learn autolog: what is logged of a fit, and that nobody can tell that it was."""

from __future__ import annotations

import copy
import inspect
import io
import math
import pickle
import subprocess
import sys
import textwrap
import threading
import types
import warnings
import zipfile

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn import cluster, decomposition, ensemble, linear_model, model_selection, naive_bayes
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from provenote.stores import live, values
from provenote.tracking import active, autolog, estimators, fits

X = np.random.default_rng(0).normal(size=(60, 3))
Y = X @ [1.0, 2.0, 3.0] + 1
LABELS = (Y > 1).astype(int)


class Run:
    """An active run as far as autolog knows it; keeps the lines a live run would hold."""

    def __init__(self, run_id="r"):
        self.id = run_id
        self.workspace = None
        self.lines = []
        self.notes = []

    def record(self, event):
        self.lines.append((values.line(event) + "\n").encode())

    def note(self, text):
        self.notes.append(text)

    def log(self, **metrics):
        self.record({"s": None, "m": metrics})

    def log_params(self, **params):
        self.record({"p": params})

    @property
    def events(self):
        return live.fold(b"".join(self.lines))


@pytest.fixture
def run(monkeypatch):
    """A run in whose scope the test stands."""
    run = Run()
    monkeypatch.setattr(active, "current", lambda: run)
    kept = []
    monkeypatch.setattr(
        "provenote.tracking.artifacts.keep_table",
        lambda place, rows, name: kept.append(rows) or {"name": name, "rows": len(rows)},
    )
    run.tables = kept
    autolog.begin(run)
    yield run
    autolog.end(run)
    assert not fits._patched


@pytest.fixture
def ended():
    """A function that ends a run and returns what it holds."""

    def end(run):
        autolog.end(run)
        return run.events

    return end


# ---------------------------------------------------------------------- what is logged


def test_a_plain_fit(run):
    Ridge(alpha=0.5).fit(X, Y)
    events = run.events
    assert events.params["estimator"] == "Ridge"
    assert events.params["alpha"] == 0.5
    assert events.params["solver"] == "auto"
    assert (events.params["training_rows"], events.params["training_columns"]) == (60, 3)
    assert events.metrics["training_score"] == pytest.approx(Ridge(alpha=0.5).fit(X, Y).score(X, Y))
    assert events.metrics["fit_time_s"] > 0
    fact = events.extra["fits"][0]
    assert (fact["class"], fact["rows"], fact["features"]) == ("sklearn.linear_model._ridge.Ridge", 60, 3)
    assert run.notes == []


def test_feature_names_are_counted(run):
    Ridge().fit(pd.DataFrame(X, columns=list("abc")), Y)
    assert run.events.extra["fits"][0]["feature_names"] == 3


def test_keywords_and_lists_are_understood(run):
    Ridge().fit(y=Y.tolist(), X=X.tolist())
    assert run.events.params["training_rows"] == 60
    assert run.events.metrics["training_score"] > 0.9


def test_a_pipeline_is_one_fit_with_its_model_named(run):
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": np.where(X[:, 2] > 0, "x", "y")})
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    prepare = ColumnTransformer([("num", numbers, ["a", "b"]), ("cat", OneHotEncoder(), ["c"])])
    make_pipeline(prepare, Ridge(alpha=2)).fit(frame, Y)
    params = run.events.params
    assert params["estimator"] == "Ridge"
    assert params["ridge__alpha"] == 2
    assert params["columntransformer__num__simpleimputer__strategy"] == "median"
    assert "columntransformer__num__simpleimputer__copy" not in params
    assert not any("object" in str(value) for value in params.values())
    assert run.events.extra["fits"][0]["estimator"] == "ColumnTransformer > Ridge"
    assert len(run.events.extra["fits"]) == 1


@pytest.mark.parametrize("jobs", [None, 2])
def test_a_search_logs_its_choice_and_its_table(run, jobs):
    grid = {"ridge__alpha": [0.1, 1.0, 10.0]}
    search = model_selection.GridSearchCV(make_pipeline(StandardScaler(), Ridge()), grid, cv=3, n_jobs=jobs)
    search.fit(X, Y)
    events = run.events
    assert events.params["search"] == "GridSearchCV"
    assert events.params["estimator"] == "Ridge"
    assert events.params["best_ridge__alpha"] == search.best_params_["ridge__alpha"]
    assert events.params["best_estimator"] == "Ridge"
    assert events.params["cv"] == 3
    assert events.metrics["best_cv_score"] == pytest.approx(search.best_score_)
    assert events.metrics["training_score"] == pytest.approx(search.score(X, Y))
    assert events.artifacts["cv_results"]["rows"] == 3
    rows = run.tables[0]
    assert [row["param_ridge__alpha"] for row in rows] == [0.1, 1.0, 10.0]
    assert "params" not in rows[0]
    assert len(events.extra["fits"]) == 1
    assert run.notes == []


def test_a_search_over_estimators_names_the_chosen_one(run):
    pipeline = make_pipeline(StandardScaler(), Ridge())
    grid = {"ridge": [Ridge(), linear_model.Lasso(alpha=100)]}
    model_selection.GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    assert run.events.params["best_estimator"] == "Ridge"
    assert run.events.params["best_ridge"] == "Ridge"
    assert {row["param_ridge"] for row in run.tables[0]} == {"Ridge", "Lasso"}


def test_a_search_without_refit_and_with_several_scores(run):
    scoring = ["r2", "neg_mean_squared_error"]
    model_selection.GridSearchCV(Ridge(), {"alpha": [1, 2]}, scoring=scoring, refit=False, cv=2).fit(X, Y)
    assert "training_score" not in run.events.metrics
    assert len(run.tables[0]) == 2
    assert run.notes == []


def test_a_random_search_over_distributions(run):
    from scipy.stats import loguniform

    grid = {"alpha": loguniform(1e-3, 10)}
    model_selection.RandomizedSearchCV(Ridge(), grid, n_iter=4, cv=2, random_state=0).fit(X, Y)
    params = run.events.params
    assert params["n_iter"] == 4
    assert "0x" not in str(params)
    assert len(run.tables[0]) == 4


def test_iterations_and_what_a_model_chose_itself(run):
    linear_model.LassoCV(cv=3).fit(X, Y)
    assert run.events.params["best_alpha"] > 0
    assert run.events.metrics["n_iter"] >= 1


def test_several_iterations_count_by_the_largest(run):
    model = linear_model.LogisticRegression().fit(X, LABELS)
    assert run.events.metrics["n_iter"] == model.n_iter_.max()


def test_later_fits_are_numbered(run):
    for alpha in (1, 2, 3):
        Ridge(alpha=alpha).fit(X, Y)
    params = run.events.params
    assert (params["alpha"], params["fit2.alpha"], params["fit3.alpha"]) == (1, 2, 3)
    assert {"training_score", "fit2.training_score", "fit3.training_score"} <= set(run.events.metrics)


def test_beyond_the_limit_fits_are_counted(run, ended):
    models = [Ridge(alpha=n).fit(X, Y) for n in range(autolog.LIMIT + 3)]
    events = ended(run)
    assert f"fit{autolog.LIMIT}.alpha" in events.params
    assert f"fit{autolog.LIMIT + 1}.alpha" not in events.params
    assert events.extra["fits_total"] == len(models)
    assert "13 fits" in run.notes[0]


def test_the_same_object_fitted_again_goes_on(run):
    forest = ensemble.RandomForestRegressor(2, warm_start=True, random_state=0)
    for trees in (2, 4, 6):
        forest.set_params(n_estimators=trees).fit(X, Y)
    events = run.events
    assert len(events.series["training_score"]) == 3
    assert events.params["n_estimators"] == 6
    assert len(events.extra["fits"]) == 1
    assert events.extra["fits"][0]["prefix"] == ""


def test_partial_fits_are_summed_up(run, ended):
    model = naive_bayes.GaussianNB()
    for part in range(3):
        model.partial_fit(X[part * 20 : part * 20 + 20], LABELS[part * 20 : part * 20 + 20], classes=[0, 1])
    events = ended(run)
    fact = events.extra["fits"][0]
    assert (fact["calls"], fact["rows"], fact["method"]) == (3, 60, "partial_fit")
    assert len(events.series["fit_time_s"]) == 1
    assert "training_score" not in events.metrics
    assert len(events.extra["fits"]) == 1


def test_a_transformer_alone_is_no_model(run):
    scaled = StandardScaler().fit_transform(X)
    decomposition.PCA(2).fit(scaled)
    ColumnTransformer([("s", StandardScaler(), [0])]).fit_transform(X)
    CountVectorizer().fit(["one two", "two three"])
    make_pipeline(StandardScaler(), decomposition.PCA(2)).fit_transform(X)
    assert run.events.params == {}
    Ridge().fit(scaled, Y)
    assert run.events.params["estimator"] == "Ridge"


def test_clusters_and_outliers_without_a_target(run):
    cluster.KMeans(2, n_init=1, random_state=0).fit_predict(X)
    cluster.DBSCAN().fit_predict(X)
    ensemble.IsolationForest(n_estimators=5).fit_predict(X)
    events = run.events
    assert [fact["estimator"] for fact in events.extra["fits"]] == ["KMeans", "DBSCAN", "IsolationForest"]
    assert "training_score" in events.metrics
    assert run.notes == []


def test_folds_of_a_cross_validation_are_not_the_users_fits(run):
    model_selection.cross_val_score(Ridge(), X, Y, cv=3)
    model_selection.cross_validate(Ridge(), X, Y, cv=3, n_jobs=2)
    model_selection.learning_curve(Ridge(), X, Y, cv=2)
    assert run.events.params == {}


def test_fits_inside_other_fits_do_not_count(run):
    ensemble.VotingRegressor([("a", Ridge()), ("b", linear_model.Lasso())]).fit(X, Y)
    ensemble.BaggingRegressor(Ridge(), n_estimators=3, n_jobs=2).fit(X, Y)
    ensemble.RandomForestRegressor(4, n_jobs=2).fit(X, Y)  # its trees are fitted in threads
    ensemble.StackingClassifier([("nb", naive_bayes.GaussianNB())], cv=2).fit(X, LABELS)
    assert [fact["estimator"] for fact in run.events.extra["fits"]] == [
        "VotingRegressor",
        "BaggingRegressor",
        "RandomForestRegressor",
        "StackingClassifier",
    ]


def test_a_transformed_target_is_seen_through(run):
    TransformedTargetRegressor(Ridge(alpha=3), transformer=StandardScaler()).fit(X, Y)
    assert run.events.params["estimator"] == "Ridge"
    assert run.events.params["regressor__alpha"] == 3


def test_the_score_of_many_rows_is_sampled_and_marked(run, monkeypatch):
    monkeypatch.setattr(estimators, "SCORE_ROWS", 20)
    model = Ridge().fit(pd.DataFrame(X), pd.Series(Y))
    events = run.events
    chosen = np.arange(20) * 60 // 20
    assert events.metrics["training_score"] == pytest.approx(model.score(pd.DataFrame(X[chosen]), Y[chosen]))
    assert events.extra["marks"] == {"training_score": "on 20 of 60 rows"}
    assert (events.extra["fits"][0]["score_rows"], events.extra["fits"][0]["rows"]) == (20, 60)


def test_the_score_is_on_ten_thousand_rows_at_most(run):
    rows = 25_000
    wide = np.arange(rows, dtype=float).reshape(-1, 1)
    Ridge().fit(wide, wide[:, 0])
    assert run.events.extra["marks"] == {"training_score": "on 10,000 of 25,000 rows"}


def test_sampling_draws_no_random_number(run, monkeypatch):
    monkeypatch.setattr(estimators, "SCORE_ROWS", 20)
    before = np.random.get_state()[1].copy()
    Ridge().fit(X, Y)
    assert (np.random.get_state()[1] == before).all()


def test_weights_of_the_fit_count_in_its_score(run):
    weights = np.linspace(0.1, 5, 60)
    model = linear_model.LogisticRegression().fit(X, LABELS, sample_weight=weights)
    assert run.events.metrics["training_score"] == pytest.approx(
        model.score(X, LABELS, sample_weight=weights)
    )


def test_data_overwritten_by_the_fit_is_not_scored(run):
    linear_model.LinearRegression(copy_X=False).fit(X.copy(), Y)
    assert "training_score" not in run.events.metrics
    assert "fit_time_s" in run.events.metrics


def test_long_and_odd_values_are_cut(run):
    class Odd(RegressorMixin, BaseEstimator):
        def __init__(self, big=None, thing=None, function=None, nan=math.nan, pair=(1, 2), many=()):
            self.big, self.thing, self.function, self.nan, self.pair = big, thing, function, nan, pair
            self.many = many

        def fit(self, X, y=None):
            return self

        def predict(self, X):
            return np.zeros(len(X))

    Odd(big=np.arange(10_000), thing=object(), function=np.log1p, many=list(range(10**6))).fit(X, Y)
    params = run.events.params
    assert len(params["big"]) <= estimators.TEXT
    assert params["thing"] == "builtins.object"
    assert params["nan"] == "nan"
    assert params["pair"] == [1, 2]
    assert params["many"].startswith("1000000 items: [0, 1, 2")
    assert "log1p" in params["function"]
    assert run.notes == []


# ---------------------------------------------------------------------- the user's own keys


def test_the_users_keys_win_whichever_came_first(run):
    run.log_params(alpha="mine")
    run.log(training_score=0.5)
    Ridge(alpha=1).fit(X, Y)
    run.log_params(solver="also mine")
    run.log(fit_time_s=7)
    events = run.events
    assert (events.params["alpha"], events.params["solver"]) == ("mine", "also mine")
    assert (events.metrics["training_score"], events.metrics["fit_time_s"]) == (0.5, 7)
    assert events.series["training_score"] == [(0, 0.5)]


def test_the_mark_of_our_score_is_not_put_on_the_users(run, monkeypatch):
    monkeypatch.setattr(estimators, "SCORE_ROWS", 20)
    Ridge(alpha=1).fit(X, Y)
    Ridge(alpha=2).fit(X, Y)
    run.log(training_score=0.5)
    assert run.events.extra["marks"] == {"fit2.training_score": "on 20 of 60 rows"}


# ---------------------------------------------------------------------- nobody can tell


def every_estimator():
    from sklearn.utils import all_estimators

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [cls for _, cls in all_estimators()]


def test_signatures_are_the_same():
    before = {}
    for cls in every_estimator():
        methods = [getattr(cls, name, None) for name in fits.METHODS]
        before[cls] = {
            m.__name__: (m.__qualname__, inspect.signature(m)) for m in methods if inspect.isfunction(m)
        }
    assert len(before) > 100
    run = Run()
    autolog.begin(run)
    try:
        for cls, methods in before.items():
            for name, (qualified, signature) in methods.items():
                method = getattr(cls, name)
                assert inspect.isfunction(method)
                assert (method.__qualname__, inspect.signature(method)) == (qualified, signature)
        assert str(inspect.signature(Ridge().fit)) == "(X, y, sample_weight=None)"
    finally:
        autolog.end(run)


def test_every_class_gets_its_own_methods_back():
    classes = {base for cls in every_estimator() for base in cls.__mro__}
    before = {cls: dict(cls.__dict__) for cls in classes}
    run = Run()
    autolog.begin(run)
    assert Ridge.__dict__["fit"] is not before[Ridge]["fit"]
    autolog.end(run)
    for cls, attributes in before.items():
        for name in (*fits.METHODS, "__init_subclass__"):
            assert cls.__dict__.get(name) is attributes.get(name), f"{cls}.{name}"


def test_a_fit_returns_what_it_returned(run):
    class Strange(BaseEstimator):
        def fit(self, X, y=None):
            return "something"

        def predict(self, X):
            return X

    assert Strange().fit(X) == "something"
    model = Ridge()
    assert model.fit(X, Y) is model
    plain = cluster.KMeans(2, n_init=1, random_state=0).fit_predict(X)
    autolog.end(run)
    assert (cluster.KMeans(2, n_init=1, random_state=0).fit_predict(X) == plain).all()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, StopIteration, SystemExit, GeneratorExit])
def test_a_fit_raises_what_it_raised(run, kind):
    thrown = kind("mine")

    class Broken(BaseEstimator):
        def fit(self, X, y=None):
            raise thrown

        def predict(self, X):
            return X

    with pytest.raises(kind) as caught:
        Broken().fit(X)
    assert caught.value is thrown
    assert run.events.params["estimator"] == "Broken"
    assert run.events.metrics == {}
    Ridge().fit(X, Y)  # and the next one counts again
    assert "fit2.training_score" in run.events.metrics


def test_what_fails_in_here_becomes_a_note(run):
    class Hostile(RegressorMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def predict(self, X):
            raise RuntimeError("cannot predict")

        def get_params(self, deep=True):
            raise RuntimeError("no params")

    assert isinstance(Hostile().fit(X, Y), Hostile)
    assert run.notes == ["autolog: RuntimeError: no params"]


def test_a_score_that_fails_leaves_the_rest(run):
    class Shy(RegressorMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def predict(self, X):
            raise RuntimeError("cannot predict")

    for _ in range(2):
        Shy().fit(X, Y)
    assert run.notes == ["autolog: RuntimeError: cannot predict"]
    assert {"fit_time_s", "fit2.fit_time_s"} <= set(run.events.metrics)


def test_a_run_that_cannot_be_written_does_not_stop_a_fit(run, monkeypatch):
    def full(event):
        raise OSError("disk full")

    monkeypatch.setattr(run, "record", full)
    monkeypatch.setattr(run, "note", full)
    assert Ridge().fit(X, Y).coef_.shape == (3,)


def test_a_wrong_call_fails_as_before(run):
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'y'"):
        Ridge().fit(X)
    with pytest.raises(ValueError, match="inconsistent"):
        Ridge().fit(X, Y[:5])


def test_saved_models_hold_nothing_of_ours(run):
    import skops.io

    model = make_pipeline(StandardScaler(), Ridge()).fit(X, Y)
    for content in (pickle.dumps(model), pickle.dumps(clone(model)), cloudpickle.dumps(model)):
        assert b"provenote" not in content
    archive = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    assert b"provenote" not in b"".join(archive.read(name) for name in archive.namelist())
    assert vars(copy.deepcopy(model)).keys() == vars(model).keys()
    assert pickle.loads(pickle.dumps(Ridge().fit))(X, Y).coef_.shape == (3,)


def test_a_notebook_class_pickled_by_value_works_where_we_are_not_installed(run):
    code = """
        from sklearn.base import BaseEstimator
        class Mine(BaseEstimator):
            def fit(self, X, y=None):
                self.seen_ = len(X)
                return self
    """
    main = types.ModuleType("__main__")
    sys.modules["__main__"], kept = main, sys.modules["__main__"]
    try:
        exec(textwrap.dedent(code), main.__dict__)
        content = cloudpickle.dumps(main.Mine())
    finally:
        sys.modules["__main__"] = kept
    assert main.Mine.__dict__["fit"].__wrapped__
    reader = (
        "import sys, pickle\n"
        "sys.modules['provenote'] = None\n"
        "print(pickle.loads(sys.stdin.buffer.read()).fit([1, 2, 3]).seen_)"
    )
    answer = subprocess.run([sys.executable, "-c", reader], input=content, capture_output=True, check=True)
    assert answer.stdout.strip() == b"3"


def test_metadata_routing_still_works(run):
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(scaler, Ridge().set_fit_request(sample_weight=True))
        pipeline.fit(X, Y, sample_weight=np.ones(60))

        class Weighted(ClassifierMixin, BaseEstimator):
            def fit(self, X, y, sample_weight=None):
                return self

        asked = Weighted().set_fit_request(sample_weight=True).get_metadata_routing().fit.requests
        assert asked == {"sample_weight": True}
    assert run.events.params["estimator"] == "Ridge"
    assert run.notes == []


def test_set_output_still_works(run):
    class Double(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return np.asarray(X) * 2

        def get_feature_names_out(self, names=None):
            return np.array(["a", "b", "c"], dtype=object)

    assert isinstance(Double().set_output(transform="pandas").fit_transform(X), pd.DataFrame)
    assert isinstance(StandardScaler().set_output(transform="pandas").fit_transform(X), pd.DataFrame)


def test_methods_that_are_there_at_times_only(run):
    assert not hasattr(make_pipeline(StandardScaler(), Ridge()), "fit_predict")
    pipeline = make_pipeline(StandardScaler(), cluster.KMeans(2, n_init=1))
    assert pipeline.fit_predict(X).shape == (60,)
    assert make_pipeline(StandardScaler(), decomposition.PCA(2)).fit_transform(X).shape == (60, 2)
    assert [fact["estimator"] for fact in run.events.extra["fits"]] == ["StandardScaler > KMeans"]


def test_a_class_made_later_is_seen_and_left_clean(run, ended):
    class Late(Ridge):
        def fit(self, X, y=None):
            super().fit(X, y)
            return self

    original = Late.fit.__wrapped__
    Late().fit(X, Y)
    assert [fact["estimator"] for fact in ended(run).extra["fits"]] == ["Late"]
    assert Late.__dict__["fit"] is original


def test_somebody_who_wraps_after_us_keeps_his_wrapper():
    run = Run()
    original = linear_model.Lasso.__mro__[1].__dict__["fit"]
    owner = linear_model.Lasso.__mro__[1]
    autolog.begin(run)
    ours = owner.__dict__["fit"]
    try:
        owner.fit = lambda self, *args, **more: ours(self, *args, **more)
        autolog.end(run)
        assert owner.__dict__["fit"].__name__ == "<lambda>"
        assert linear_model.Lasso().fit(X, Y).coef_.shape == (3,)
    finally:
        owner.fit = original
        autolog.end(run)


# ---------------------------------------------------------------------- scopes, threads, processes


def test_nothing_is_logged_outside_a_run(monkeypatch):
    run = Run()
    monkeypatch.setattr(active, "current", lambda: None)
    autolog.begin(run)
    try:
        Ridge().fit(X, Y)
    finally:
        autolog.end(run)
    Ridge().fit(X, Y)
    assert run.lines == []


def test_nested_runs_each_get_their_own_fits(monkeypatch):
    outer, inner = Run("outer"), Run("inner")
    stack = [outer]
    monkeypatch.setattr(active, "current", lambda: stack[-1])
    autolog.begin(outer)
    Ridge(alpha=1).fit(X, Y)
    autolog.begin(inner)
    stack.append(inner)
    Ridge(alpha=2).fit(X, Y)
    stack.pop()
    autolog.end(inner)
    Ridge(alpha=3).fit(X, Y)
    autolog.end(outer)
    assert (outer.events.params["alpha"], outer.events.params["fit2.alpha"]) == (1, 3)
    assert inner.events.params["alpha"] == 2
    assert not fits._patched


def test_ending_a_run_that_never_began_is_harmless():
    autolog.end(Run("never"))
    assert not fits._patched


def test_fits_in_two_threads_of_the_user_both_count(run):
    barrier = threading.Barrier(2)

    class Slow(Ridge):
        def fit(self, X, y=None):
            barrier.wait(10)
            return super().fit(X, y)

    threads = [threading.Thread(target=Slow(alpha=n).fit, args=(X, Y)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    params = run.events.params
    assert sorted([params["alpha"], params["fit2.alpha"]]) == [1, 2]


def test_a_forked_child_logs_nothing():
    code = """
        import os, sys
        sys.path.insert(0, "")
        import numpy as np
        from sklearn.linear_model import Ridge
        from provenote.tracking import active, autolog
        class Run:
            id = "r"; workspace = None; told = []
            def record(self, event): self.told.append(event)
            note = record
        run = Run()
        active.current = lambda: run
        autolog.begin(run)
        child = os.fork()
        if child == 0:
            Ridge().fit(np.eye(3), [1, 2, 3])
            os._exit(len(run.told))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        Ridge().fit(np.eye(3), [1, 2, 3])
        assert run.told
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_scikit_learn_imported_inside_the_run_is_seen_and_never_imported_by_us():
    code = """
        import sys
        from provenote.tracking import active, autolog, fits
        class Run:
            id = "r"; workspace = None; told = []
            def record(self, event): self.told.append(event)
            note = record
        run = Run()
        active.current = lambda: run
        autolog.begin(run)
        assert not [name for name in ("sklearn", "numpy", "pandas") if name in sys.modules]
        from sklearn.linear_model import Ridge
        import sklearn.base
        assert "provenote" not in type(sklearn.base.__spec__.loader).__module__
        assert "provenote" not in type(sklearn.base.__loader__).__module__
        Ridge().fit([[1.0], [2.0]], [1, 2])
        assert any(event.get("p", {}).get("estimator") == "Ridge" for event in run.told), run.told
        autolog.end(run)
        assert Ridge.fit.__code__.co_filename not in (autolog.__file__, fits.__file__)
        autolog.begin(run); autolog.end(run)
        assert not [finder for finder in sys.meta_path if isinstance(finder, fits._Finder)]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_a_run_without_scikit_learn_leaves_no_finder_behind():
    code = """
        import sys
        from provenote.tracking import autolog
        class Run: id = "r"
        finders = list(sys.meta_path)
        autolog.begin(Run); assert len(sys.meta_path) == len(finders) + 1
        autolog.end(Run)
        assert sys.meta_path == finders and "sklearn" not in sys.modules
        import sklearn.linear_model
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_a_missing_scikit_learn_is_missing_as_before(tmp_path):
    code = """
        import sys
        sys.path = [entry for entry in sys.path if "site-packages" not in entry] + sys.argv[1:]
        from provenote.tracking import autolog
        class Run: id = "r"
        autolog.begin(Run)
        try:
            import sklearn.base
        except ModuleNotFoundError as error:
            assert error.name == "sklearn"
        else:
            raise AssertionError("it is there")
        autolog.end(Run)
    """
    import provenote

    # installed as a wheel, the package stands beside scikit-learn: seen alone through a link, it does not
    (tmp_path / "provenote").symlink_to(provenote.__path__[0])
    subprocess.run([sys.executable, "-S", "-c", textwrap.dedent(code), str(tmp_path)], check=True)
