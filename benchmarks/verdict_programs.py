"""The Python workload of `benchmarks.verdicts`: small programs with a known answer and verdict.

A third needs nothing, a third numpy, a third pandas; of ten, eight are right, one is wrong and
one breaks. Every program is another text, so that none is saved by being remembered.
"""

from dataclasses import dataclass

PLAIN = [
    ("result = sum(i * i for i in range({n}) if i % 3)", "sum(i * i for i in range({n}) if i % 3)"),
    ("import re\nresult = len(re.findall('a+', 'aab' * {n}))", "{n}"),
    (
        "from collections import Counter\nresult = dict(Counter(str(2 ** {n})))",
        "{{d: str(2 ** {n}).count(d) for d in sorted(set(str(2 ** {n})))}}",
    ),
]
NUMPY = [
    ("import numpy as np\nresult = int(np.cumsum(np.arange({n}))[-1])", "sum(range({n}))"),
    (
        "import numpy as np\na = np.arange({n} * 4).reshape({n}, 4)\n"
        "result = a[a[:, 1] % 2 == 1].sum(axis=0).tolist()",
        "[sum(range(c, {n} * 4, 4)) for c in range(4)]",
    ),
    (
        "import numpy as np\nx = np.linspace(0, 1, {n})\nresult = int((x > 0.5).sum())",
        "sum(i / ({n} - 1) > 0.5 for i in range({n}))",
    ),
]
PANDAS = [
    (
        "import pandas as pd\ndf = pd.DataFrame({{'k': [i % 3 for i in range({n})], "
        "'v': range({n})}})\nresult = df.groupby('k')['v'].sum().tolist()",
        "[sum(range(k, {n}, 3)) for k in range(3)]",
    ),
    (
        "import pandas as pd\na = pd.DataFrame({{'k': range({n}), 'x': range({n})}})\n"
        "b = pd.DataFrame({{'k': range(0, {n}, 2), 'y': 1}})\n"
        "result = int(a.merge(b, on='k')['x'].sum())",
        "sum(range(0, {n}, 2))",
    ),
    (
        "import pandas as pd\ns = pd.Series(range({n}))\n"
        "result = s[s % 2 == 0].rolling(2).mean().dropna().astype(int).tolist()",
        "[i + 1 for i in range(0, {n} - 2, 2)]",
    ),
]
KINDS = {"plain": PLAIN, "numpy": NUMPY, "pandas": PANDAS}
PER_KIND = 20


@dataclass(frozen=True)
class Case:
    kind: str
    source: str
    expected: object
    verdict: str  # known beforehand; every method must find it


def python_cases(seed: int) -> list[Case]:
    """PER_KIND programs of each kind; another seed gives other texts of the same cost."""
    cases = []
    for kind, forms in KINDS.items():
        for place in range(PER_KIND):
            source, expected = forms[place % len(forms)]
            n = 40 + place + seed % 20
            text = source.format(n=n) + f"\nlabel = {seed * PER_KIND + place}"
            answer = eval(expected.format(n=n))
            cases.append(Case(kind, *spoilt(text, answer, place % 10)))
    # Mixed as a batch of samples would be; each kind's server is kept busy in turn.
    return [case for place in range(PER_KIND) for case in cases[place::PER_KIND]]


def spoilt(text: str, answer: object, place: int) -> tuple[str, object, str]:
    """Of ten programs the ninth answers wrongly; the tenth breaks, in one of two ways."""
    if place == 8:
        return text + "\nresult = [result, 'extra']", answer, "wrong_result"
    if place == 9 and len(text) % 2:
        return text + "\nresult = (", answer, "syntax_error"
    if place == 9:
        return text + "\nresult = result['absent']['key']", answer, "runtime_error"
    return text, answer, "correct"
