"""What may be done with a pair, as HTML: decisions, their keys, the editor."""

from codelutra.reviews import VETO_REASONS
from codelutra.tasks import Task
from pages.format import text
from storage.pair_models import PreferencePair

ACTIONS = (  # name, key, what it does
    ("keep", "k", "Keep"), ("veto", "v", "Veto"), ("flip", "f", "Flip"), ("skip", "s", "Skip"),
    ("undo", "u", "Undo"), ("edit", "e", "Edit"), ("rerun", "r", "Re-run"),
)  # fmt: skip
MOVES = (("next", "n", "Next"), ("back", "p", "Previous"))
MAX_EDITED = 100_000  # characters of a program that can be edited here


def actions(pair: PreferencePair, *, can_run: bool) -> str:
    cannot = {"rerun"} if not can_run else set()
    cannot |= {"edit"} if not can_run or pair.state == "flipped" else set()
    buttons = "".join(
        f'<button class="act" data-do="{name}"{" disabled" if name in cannot else ""}>{label} '
        f'<kbd data-key-of="{name}">{key}</kbd></button>'
        for name, key, label in ACTIONS
    )
    moves = "".join(
        f'<button class="act quiet" data-do="{name}">{label} <kbd data-key-of="{name}">{key}</kbd>'
        "</button>"
        for name, key, label in MOVES[::-1]
    )
    reasons = "".join(
        f'<button class="act" data-do="veto" data-reason="{name.value}">{label} <kbd>{place}</kbd>'
        "</button>"
        for place, (name, label) in enumerate(VETO_REASONS.items(), start=1)
    )
    return (
        f'<div class="acts" role="toolbar" aria-label="Decide">{buttons}<span class="gap"></span>'
        f'{moves}</div><div class="acts reasons" data-reasons hidden role="toolbar" '
        f'aria-label="Why this pair is vetoed"><span>Veto, because:</span>{reasons}'
        '<input type="text" data-note placeholder="a note, if you like" aria-label="Note">'
        "</div>"
        '<div class="acts under"><button class="link" data-do="quarantine">Quarantine this task'
        '</button><button class="link" data-do="keys">Keys <kbd>?</kbd></button></div>'
        f"{_keys()}"
    )


def _keys() -> str:
    """The keys, which may be changed; the browser remembers them."""
    rows = "".join(
        f'<label>{label}<input type="text" maxlength="1" size="2" data-key-for="{name}" '
        f'value="{key}" aria-label="Key for {label}"></label>'
        for name, key, label in (*ACTIONS, *MOVES)
    )
    return (
        f'<div class="keys" data-keys hidden>{rows}<p class="faint">1 to {len(VETO_REASONS)} veto '
        "with that reason, g opens the gold, ? these keys, Escape closes. Keys rest while you type."
        "</p></div>"
    )


def editor(pair: PreferencePair, task: Task | None) -> str:
    """Hidden until asked for. What is typed is kept by the browser until it was run."""
    is_long = max(len(pair.chosen), len(pair.rejected)) > MAX_EDITED
    if task is None or is_long or pair.state == "flipped":
        return ""
    sides = "".join(
        f'<label>{role.capitalize()}<textarea data-edit="{role}" spellcheck="false" rows="8" '
        f'aria-label="{role.capitalize()} program">\n{text(getattr(pair, role))}</textarea></label>'
        f'<button class="act" data-do="try" data-side="{role}">Run, and take it as {role} if it is '
        f"{'correct' if role == 'chosen' else 'incorrect'}</button>"
        for role in ("chosen", "rejected")
    )
    return f'<div class="editor" data-editor hidden>{sides}</div>'
