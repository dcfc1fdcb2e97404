"""Alerts: what went wrong in a run, where it was seen, and what to try."""

from collections.abc import Sequence

from pages.format import text
from storage.health import RaisedAlert

NO_ALERT = '<p class="faint no-alert">No alert.</p>'


def alert_list(alerts: Sequence[RaisedAlert], *, more: int = 0) -> str:
    """The newest first; `more` of them are on the Trends tab. '' without any."""
    if not alerts:
        return ""
    items = "".join(_item(raised) for raised in alerts)
    rest = f'<li class="faint">{more} more on the Trends tab</li>' if more else ""
    return f'<ul class="alerts" aria-label="Alerts">{items}{rest}</ul>'


def _item(raised: RaisedAlert) -> str:
    alert = raised.alert
    step = "" if alert.step is None else f", step {alert.step:,}"
    return (
        f'<li class="note warn" data-alert="{text(alert.kind)}">'
        f"<b>Iteration {raised.iteration}{step}:</b> {_sentence(alert.seen)} "
        f"<span><b>Try:</b> {_sentence(alert.advice)}</span></li>"
    )


def _sentence(words: str) -> str:
    return text(words if words.endswith((".", "!", "?")) else f"{words}.")
