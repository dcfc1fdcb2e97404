"""Numbers and words as people read them; nothing that a model wrote becomes markup."""

import pytest

from codelutra.records import VerdictKind
from pages.format import VERDICTS, chip, duration, interval, percent, points, text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0.2, "under 1 s"),
        (8.4, "8 s"),
        (125, "2 min 05 s"),
        (2040, "34 min"),
        (12000, "3 h 20 min"),
    ],
)
def test_a_duration_is_rounded_to_what_a_person_plans_with(seconds, words):
    assert duration(seconds) == words


def test_shares_are_shown_in_percent():
    assert percent(0.3425) == "34.2%"
    assert percent(None) == interval(None, 0.5) == "–"
    assert interval(0.3, 0.391) == "30.0 to 39.1"
    assert points(-0.025) == "-2.5 points"


def test_every_verdict_has_a_look_of_its_own():
    assert set(VERDICTS) == set(VerdictKind)
    assert len({look.colour for look in VERDICTS.values()}) == len(VERDICTS)
    assert len({look.pattern for look in VERDICTS.values()}) == len(VERDICTS)


def test_markup_is_escaped():
    assert text("<script>") == "&lt;script&gt;"
    assert "<i>" not in chip("<i>")
