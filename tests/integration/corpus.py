"""Notebooks whose outputs must not tell a forked kernel from a cold one: cells by the notebook's name.

A cell that begins with ``# raises`` is tagged so. What they print depends on nothing that differs from run to
run, but the names of temporary files of cells, which tests even out.
"""

# ruff: noqa: E501 - cells as people write them

from __future__ import annotations

_FRAME = "import numpy as np\nimport pandas as pd\ntable = pd.DataFrame(np.arange(60).reshape(3, 20))"

NOTEBOOKS: dict[str, list[str]] = {
    "tables": [
        _FRAME,
        "table",
        "table.describe()",
        "print(table)",
        "[pd.get_option(f'display.{name}') for name in ('max_columns', 'max_rows', 'width', 'large_repr')]",
        "pd.Series(pd.date_range('2026-01-01', periods=3, tz='Europe/Zurich'), name='when')",
        "pd.Categorical(['b', 'a', 'b'])",
        "pd.DataFrame({'x': range(100)})",
        "table.T.style.format('{:.1f}').set_uuid('t').to_html()[:200]",
    ],
    "plots": [
        "import matplotlib.pyplot as plt\nimport pandas as pd",
        "plt.get_backend(), plt.isinteractive(), plt.rcParams['figure.dpi']",
        "plt.plot([1, 3, 2]);",
        "figure, axes = plt.subplots(1, 2, figsize=(4, 2))\naxes[0].bar([1, 2], [3, 4])\nplt.show()\nprint(2)",
        "figure",
        "pd.Series([1, 3, 2]).plot(title='of pandas')",
        "pd.DataFrame({'a': [1, 2, 2]}).hist();",
        "len(plt.get_fignums())",
    ],
    "magic plots": [
        "%matplotlib inline\nimport matplotlib\nfrom matplotlib import pyplot as plt",
        "%config InlineBackend.figure_formats = ['svg']\nmatplotlib.rcParams['svg.hashsalt'] = 'x'",
        "import re\nmatplotlib.rcParams['svg.fonttype'] = 'none'\nplt.plot([1, 2]); plt.close()",
        "with plt.style.context('ggplot'):\n    print(plt.rcParams['axes.facecolor'], matplotlib.get_backend())",
        "matplotlib.use('agg'); plt.plot([2, 1]); matplotlib.get_backend()",
    ],
    "blas": [
        "import hashlib\nimport numpy as np\nfrom scipy import linalg\nfrom threadpoolctl import threadpool_info",
        "a = np.random.default_rng(0).normal(size=(400, 400))",
        "[hashlib.sha256(np.ascontiguousarray(x)).hexdigest()[:8] for x in (a @ a, *np.linalg.svd(a))]",
        "hashlib.sha256(linalg.cholesky(a @ a.T + np.eye(400))).hexdigest()",
        "sorted((i['internal_api'], i['num_threads']) for i in threadpool_info())",
        "np.zeros(3), np.float64(1.5)",
        "np.random.seed(4); np.random.normal(size=3)",
    ],
    "openmp": [
        "from sklearn.datasets import make_regression\n"
        "from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor\n"
        "from sklearn.cluster import KMeans",
        "X, y = make_regression(400, 5, random_state=0)",
        "model = HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(X, y)\nmodel",
        "round(model.score(X, y), 9)",
        "RandomForestRegressor(20, n_jobs=2, random_state=0).fit(X, y).predict(X[:2])",
        "KMeans(3, n_init=2, random_state=0).fit(X).inertia_",
    ],
    "workers": [
        "import math, os\nfrom joblib import Parallel, delayed\nfrom sklearn.linear_model import Ridge\n"
        "from sklearn.datasets import make_regression\nfrom sklearn.model_selection import cross_val_score",
        "Parallel(n_jobs=2)(delayed(math.sqrt)(i) for i in range(5))",
        "def where(i):\n    return os.path.basename(os.getcwd()), i\nParallel(n_jobs=2)(delayed(where)(i) for i in range(2))",
        "X, y = make_regression(100, 5, noise=1, random_state=0)\ncross_val_score(Ridge(), X, y, n_jobs=2)",
    ],
    "processes": [
        "import multiprocessing as mp, os, sys",
        "mp.get_start_method(), mp.current_process().name, mp.parent_process(), len(mp.active_children())",
        "with mp.get_context('fork').Pool(2) as pool:\n    print(pool.map(abs, [-1, -2]))",
        "with mp.get_context('spawn').Pool(1) as pool:\n    print(pool.map(os.path.basename, [os.getcwd()]))",
        "import concurrent.futures as cf\nwith cf.ProcessPoolExecutor(2) as pool:\n    print(list(pool.map(abs, [-3])))",
        "pid = os.fork()\nif pid == 0:\n    os._exit(7)\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])",
    ],
    "asynchronous": [
        "import asyncio",
        "await asyncio.sleep(0.01)\ntype(asyncio.get_running_loop()).__name__",
        "async def one(i):\n    await asyncio.sleep(0.01)\n    return i\nawait asyncio.gather(*(one(i) for i in range(3)))",
        "made = await asyncio.create_subprocess_exec('echo', 'from a child', stdout=-1)\n(await made.communicate())[0]",
        "# raises\nawait asyncio.wait_for(asyncio.sleep(5), 0.01)",
    ],
    "columns": [
        "import pandas as pd\nimport pyarrow as pa\nimport pyarrow.parquet as pq\nimport pyarrow.dataset as ds",
        "table = pa.table({'a': list(range(1000)), 'b': [str(i % 7) for i in range(1000)]})\n"
        "pq.write_to_dataset(table, 'parts', partition_cols=['b'], basename_template='p{i}.parquet')",
        "ds.dataset('parts', partitioning='hive').to_table().group_by('b').aggregate([('a', 'sum')]).sort_by('b')",
        "pd.DataFrame({'x': [1.5, None], 'y': ['a', 'b']}).to_parquet('t.parquet'); pd.read_parquet('t.parquet')",
        "pa.compute.sum(table['a']) if hasattr(pa, 'compute') else pa.array([1])",
    ],
    "shells": [
        "import subprocess, sys, os",
        "print(subprocess.run(['sh', '-c', 'echo out; echo err >&2; umask'], capture_output=True))",
        "!echo from the shell; pwd | xargs basename",
        "%%bash\necho $((1 + 2)); echo wrong >&2",
        "files = !ls\nsorted(files)[:1]",
        "os.system('echo by the system'); print('after')",
        "!{sys.executable} -c 'import sys, os; print(sys.flags, os.environ[\"OMP_NUM_THREADS\"])'",
        "sys.stdin.read() if sys.stdin else None",
        "%%script sh -c 'exit 3' --no-raise-error",
        "%env OMP_NUM_THREADS",
    ],
    "threads": [
        "import threading, concurrent.futures as cf",
        "def say(i):\n    print('thread', i)\nfor i in range(3):\n    t = threading.Thread(target=say, args=(i,)); t.start(); t.join()",
        "with cf.ThreadPoolExecutor(2) as pool:\n    print(list(pool.map(len, ['a', 'bb'])))",
        "threading.main_thread() is threading.current_thread(), threading.main_thread().name",
        "threading.active_count(), sorted(type(t).__name__ for t in threading.enumerate() if 'Poll' not in "
        "type(t).__name__ and '_Owner' not in type(t).__name__)",
    ],
    "warnings": [
        "import warnings\nimport numpy as np\nimport pandas as pd\nfrom sklearn.linear_model import LogisticRegression",
        "def old():\n    warnings.warn('old', DeprecationWarning)\nold()\nwarnings.warn('mind', UserWarning)",
        "np.array([1.0]) / 0",
        "X = np.random.default_rng(0).normal(size=(50, 5)) * [1, 1e3, 1e-3, 1, 9]\n"
        "LogisticRegression(max_iter=1).fit(X, X[:, 0] > 0).coef_.round(6)",
        "for one in warnings.filters:\n    print(one[0], one[1] and one[1].pattern, one[2].__name__, "
        "one[3] and one[3].pattern, one[4])",
        "import logging\nlogging.getLogger('sklearn').warning('logged'); logging.warning('by the root')",
        "[(type(h).__name__, h.level) for h in logging.getLogger().handlers], logging.getLogger().level",
    ],
    "chance": [
        "import random, hashlib\nimport numpy as np",
        "random.seed(3); random.random(), random.choice('abc')",
        "np.random.seed(3); np.random.rand(2), np.random.default_rng(3).integers(9, size=3)",
        "hash('a'), {'b', 'a', 'c'}, list(map(str, {'x', 'y', 'z'}))",
        "from sklearn.utils import check_random_state\ncheck_random_state(3).randint(1000)",
        "import tempfile, uuid\ntempfile.gettempdir(), len(uuid.uuid4().hex), tempfile.gettempprefix()",
    ],
    "displays": [
        "from IPython.display import HTML, JSON, Markdown, Image, clear_output, display, update_display",
        "display(HTML('<b>x</b>')); display(Markdown('*x*'), JSON({'a': 1}))",
        "handle = display('one', display_id='mine'); update_display('two', display_id='mine')",
        "print('gone'); clear_output(); print('stays')",
        "display({'text/plain': 'raw', 'application/x-mine': 'y'}, raw=True)",
        "1; 2",
        "_, _2 if '_2' in globals() else None, In[1][:20], len(Out)",
        "class Shown:\n    def _repr_html_(self):\n        return '<i>shown</i>'\nShown()",
        "from PIL import Image as I\nI.new('RGB', (4, 4), 'red')",
    ],
    "failures": [
        "import pandas as pd",
        "# raises\ndef f(x):\n    return 1 / x\nf(0)",
        "# raises\npd.DataFrame({'a': [1]})['b']",
        "# raises\nthis is no Python",
        "# raises\n%no_such_magic",
        "# raises\ninput('name?')",
        "# raises\nimport no_such_module",
        "# raises\nraise ExceptionGroup('g', [ValueError(1), KeyError('k')])",
        "%xmode",
        "%debug",
        "import traceback; traceback.print_stack(limit=1)",
        "raise KeyError('the end')",
        "'never'",
    ],
    "surroundings": [
        "import sys, os, signal, locale, time, gc, resource, threading",
        "sys.argv[0], sys.argv[2:], sys.flags, sys.path, sys.executable, __name__, sys.getrecursionlimit()",
        "os.path.basename(os.getcwd()), oct(os.umask(0o22)), os.getsid(0) == os.getpid() == os.getpgrp()",
        "skip = {'JPY_PARENT_PID', 'PROVENOTE_RUN', 'PROVENOTE_JOB', 'PROVENOTE_DOC', 'PROVENOTE_WARM_KERNELS'}\n"
        "{k: v for k, v in sorted(os.environ.items()) if k not in skip}",
        "[(s.name, getattr(signal.getsignal(s), '__name__', signal.getsignal(s))) for s in signal.valid_signals() "
        "if isinstance(s, signal.Signals)]",
        "signal.pthread_sigmask(signal.SIG_BLOCK, []), locale.setlocale(locale.LC_ALL), time.tzname",
        "[getattr(sys, n).encoding for n in ('stdout', 'stderr', 'stdin', '__stdout__')], sys.stdin.fileno()",
        "sorted(os.listdir('/proc/self/fd'), key=int)[:3], os.readlink('/proc/self/fd/0').partition(':')[0]",
        "resource.getrlimit(resource.RLIMIT_NOFILE), os.nice(0), sorted(os.sched_getaffinity(0))",
        "greeting",
        "get_ipython().profile_dir.location.endswith('profile_default'), get_ipython().history_manager.hist_file",
        "%who",
        "%load_ext autoreload",
        "gc.get_threshold(), gc.isenabled(), sys.getswitchinterval(), threading.stack_size()",
        "import atexit\natexit.register(lambda: open('left-atexit.txt', 'w').write('said')) and None",
        "held = open('left-open.txt', 'w')\nheld.write('kept'), open('left-cycle.txt', 'w').write('x')",
        "class Freed:\n    def __init__(self, name):\n        self.name, self.me, self.open = name, self, open\n"
        "    def __del__(self):\n        self.open(f'left-{self.name}.txt', 'w').write('freed')\n"
        "freed = Freed('object')\nown = __import__('own'); own.kept = Freed('module'); None",
        "late = threading.Thread(target=lambda: (time.sleep(0.3), open('left-thread.txt', 'w').write('late')))\n"
        "late.start()",
    ],
    "files": [
        "import own, os, yaml\nown.double(4)",
        "open('made.txt', 'w').write('x'); sorted(n for n in os.listdir() if n.endswith('.txt'))",
        "yaml.safe_dump({'b': [1, 2], 'a': None})",
        "%%writefile more.py\nvalue = 5",
        "from more import value\nvalue",
        "import importlib, more\nopen('more.py', 'w').write('value = 66')\nimportlib.reload(more).value",
        "own.__file__.rpartition('/')[2], own.__name__",
        "%run more.py\nvalue",
        "%timeit -n1 -r1 -q 1",
        "import pickle\nclass Mine: pass\npickle.loads(pickle.dumps(Mine())).__class__.__module__",
    ],
}  # fmt: skip
"""At least fifteen, each about something else."""

OWN_MODULE = "import pandas as pd\n\n\ndef double(x):\n    return int(pd.Series([x]).sum() * 2)\n"
STARTUP = "greeting = 'from the profile'\n"
