"""What is loaded before a program comes: the libraries of a tier, used once and kept warm."""

import contextlib
import gc
import sys
from importlib.machinery import PathFinder
from typing import Any

import encoding
import figures

COMMON = (
    "bisect calendar cmath collections collections.abc copy csv dataclasses datetime decimal enum "
    "fractions functools heapq io itertools json math operator random re statistics string "
    "textwrap typing unicodedata zoneinfo"
)
MODULES = {
    "bare": COMMON,
    "numpy": f"{COMMON} numpy numpy.fft numpy.linalg numpy.random numpy.ma",
    "pandas": f"{COMMON} numpy numpy.fft numpy.linalg numpy.random numpy.ma pandas "
    "pandas.io.formats.format pandas.io.formats.csvs pandas.io.formats.html pandas.core.strings",
}
MODULES["figures"] = MODULES["pandas"]


class WithoutPyarrow:
    """Finds what is installed but pyarrow, which starts threads: a fork must have none.

    Not None in `sys.modules`: libraries that look there take it for the module (scikit-learn).
    """

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] == "pyarrow":
            return None
        return PathFinder.find_spec(name, path, target)


def draw_seeds(text: str) -> None:
    """In a fork: chance is drawn anew where a program's text asks for it."""
    if "random" in text:
        sys.modules["random"].seed()
        if numpy := sys.modules.get("numpy"):
            numpy.random.seed()


def load_tier(tier: str) -> encoding.Encoder:
    """Imports the tier's libraries and uses them once, so that children find everything warm."""
    sys.meta_path[:] = [WithoutPyarrow if each is PathFinder else each for each in sys.meta_path]
    for name in MODULES[tier].split():
        __import__(name)
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    encoder = encoding.Encoder(numpy, pandas)
    if pandas is not None:
        namespace: dict[str, Any] = {"pd": pandas}
        exec(
            "f = pd.DataFrame({'k': ['a', 'b', 'a'], 'v': [1, 2, 3]})\n"
            "g = f.merge(f.groupby('k').v.agg(['sum', 'mean']).reset_index())\n"
            "g = g.sort_values('v').pivot_table(index='k', values='v')\n"
            "str(g)\n",
            namespace,
        )
        encoder.encode(namespace["g"])
    else:
        encoder.encode([1, 2.0, "three"])
    if tier == "figures":
        with contextlib.suppress(Exception):  # not installed, say: programs are told by themselves
            figures.load()
    gc.collect()
    gc.freeze()
    return encoder
