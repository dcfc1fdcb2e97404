"""Who may do what. One table for every handler; what it does not name, owners alone may call.

At a desk (127.0.0.1) whoever sits there is the owner. On a network people sign in with an account
of CODELUTRA_USERS; on a Space with Hugging Face, where everybody else may look.
"""

import hmac
import logging
import math
import os
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import gradio as gr
from starlette.requests import Request

from codelutra.errors import CodeLutraError
from codelutra.tasks import list_task_sets
from pages.shared import news

USERS = "CODELUTRA_USERS"  # name:role:password, separated by spaces or lines
CURATORS = "CODELUTRA_CURATORS"  # Hugging Face names with commas, on a Space
LOCAL = ("127.0.0.1", "localhost", "::1")
MAY_WRITE = ("admin", "write")  # roles in the organisation that owns a Space
MIN_PASSWORD = 8  # characters


class Role(IntEnum):
    VIEWER = 0  # reads
    CURATOR = 1  # decides on pairs, has programs run, compares, votes
    OWNER = 2  # starts and steers runs, imports, deletes


@dataclass(frozen=True)
class Account:
    name: str
    role: Role
    password: str


@dataclass(frozen=True)
class Visitor:
    """`name` is empty for somebody who has not signed in."""

    name: str
    role: Role


DESK = Visitor("desk", Role.OWNER)
log = logging.getLogger(__name__)
_here: ContextVar[Visitor] = ContextVar("visitor", default=DESK)  # who called the handler


class Access:
    """How visitors of this process are known; decided once, at its start."""

    def __init__(self, accounts: Mapping[str, Account], *, is_space: bool = False) -> None:
        self.accounts, self.is_space = dict(accounts), is_space

    @classmethod
    def at(cls, host: str, environ: Mapping[str, str] = os.environ) -> "Access":
        """Raises CodeLutraError where anybody on the network could do anything."""
        if environ.get("SPACE_ID"):
            if environ.get("SYSTEM") != "spaces":  # Gradio would sign everybody in as its owner
                raise CodeLutraError("on a Space, set SYSTEM=spaces: sign-in is a mock without it")
            return cls({}, is_space=True)
        accounts = accounts_of(environ.get(USERS, ""))
        if host not in LOCAL and not accounts:
            raise CodeLutraError(
                f"--host {host} opens the page to a network: set {USERS} to "
                "name:owner:password (more with spaces; roles owner, curator, viewer)"
            )
        return cls(accounts)

    @property
    def is_desk(self) -> bool:
        """Whoever reaches the page may do everything."""
        return not (self.accounts or self.is_space)

    def sign_in(self, name: str, password: str) -> bool:
        """For Gradio's login page; takes as long for a name that nobody has."""
        known = self.accounts.get(name)
        wanted = known.password if known else "\0"
        is_right = hmac.compare_digest(wanted.encode(), password.encode()) and known is not None
        if not is_right:  # people type their password as their name, too
            log.warning("sign-in refused: %s", known.name if known else "no such name")
        return is_right

    def may_look(self, request: Request) -> bool:
        """For a route of ours beside Gradio's, which asks for a name in the same way."""
        if not self.accounts:
            return True
        app = request.app
        names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
        tokens = [request.cookies[name] for name in names if name in request.cookies]
        return any(app.tokens.get(token) in self.accounts for token in tokens)

    def visitor(self, request: Any) -> Visitor:
        """Of a `gr.Request`, or of none: then nobody is known."""
        if self.is_space:
            return on_space(_userinfo(request), os.environ)
        if self.is_desk:
            return DESK
        account = self.accounts.get(getattr(request, "username", None) or "")
        return Visitor(account.name, account.role) if account else Visitor("", Role.VIEWER)


def accounts_of(setting: str) -> dict[str, Account]:
    """Raises CodeLutraError without saying a password."""
    found = {}
    for number, entry in enumerate(setting.split(), 1):
        name, role, password = [*entry.split(":", 2), "", ""][:3]
        if not name or role.upper() not in Role.__members__:
            raise CodeLutraError(
                f"{USERS}, entry {number}: write name:role:password with role owner, curator "
                "or viewer"
            )
        if len(password) < MIN_PASSWORD:
            raise CodeLutraError(
                f"{USERS}: the password of {name} needs {MIN_PASSWORD} characters or more"
            )
        found[name] = Account(name, Role[role.upper()], password)
    return found


def on_space(userinfo: Mapping[str, Any] | None, environ: Mapping[str, str]) -> Visitor:
    """By what Hugging Face says of somebody who signed in, None for nobody."""
    if not userinfo:
        return Visitor("", Role.VIEWER)
    name, author = str(userinfo.get("preferred_username", "")), environ.get("SPACE_AUTHOR_NAME", "")
    rights = {
        str(org.get("preferred_username", org.get("name", ""))): org.get("roleInOrg")
        for org in userinfo.get("orgs") or ()
    }
    if author and (name == author or rights.get(author) in MAY_WRITE):
        return Visitor(name, Role.OWNER)
    curators = {each.strip() for each in environ.get(CURATORS, "").split(",")}
    return Visitor(name, Role.CURATOR if name and name in curators else Role.VIEWER)


def _userinfo(request: Any) -> Mapping[str, Any] | None:
    session = getattr(getattr(request, "request", request), "session", None) or {}
    info = session.get("oauth_info") or {}
    if info.get("expires_at", math.inf) < time.time():  # the cookie lives longer than the sign-in
        return None
    found = info.get("userinfo")
    return found if isinstance(found, dict) else None


# Every handler by its name; handlers of one name have one role. Those that do more for some ask
# `require` themselves.
ROLES: dict[str, Role] = {
    name: role
    for role, names in {
        Role.VIEWER: (
            "compare.api:comparison compare.batch:poll compare.form:_wire.<locals>.on_pick "
            "compare.form:_wire.<locals>.on_task compare.form:_wire.<locals>.on_tasks "
            "compare.tab:poll compare.tab:render.<locals>.on_history "
            "compare.tab:render.<locals>.on_make compare.tab:render.<locals>.on_words "
            "downloads:render_downloads.<locals>.write "
            "pair_api:list_pairs pair_api:pair pair_bulk:preview pair_files:export_pairs "
            "pair_files:pair_import pair_files:poll pair_files:wire.<locals>.forget "
            "pair_files:wire.<locals>.on_make pairs:render.<locals>.<lambda> "
            "pairs:render.<locals>.on_event pairs:render.<locals>.on_filter "
            "pairs:render.<locals>.on_run refine:_wire.<locals>.<lambda> "
            "refine:_wire.<locals>.click refine:_wire.<locals>.on_renew refine:clone "
            "refine_api:list_runs refine_api:run_status shell:build.<locals>.open_address "
            "shell:build.<locals>.open_compare shell:build.<locals>.open_pairs "
            "shell:build.<locals>.open_refine shell:build.<locals>.open_tasks "
            "shell:build.<locals>.open_trends "
            "start_form:_follow.<locals>.refresh start_form:_widgets.<locals>.<lambda> "
            "start_form:choose_model start_form:choose_preset start_form:load_file "
            "tasks:check_status tasks:render.<locals>.<lambda> tasks:render.<locals>.click "
            "tasks:render.<locals>.show_imported tasks:render.<locals>.tick tasks:task_sets "
            "trends:alerts trends:show trends:show_lately "
            "trends:training trends:trend what_changed:changes "
            "what_changed:wire_changes.<locals>.click "
            "what_changed:wire_changes.<locals>.pick.<locals>.picked"
        ),
        Role.CURATOR: (
            "compare.api:compare compare.tab:_wire.<locals>.on_ask "
            "compare.tab:render.<locals>.on_event pair_api:review_pair "
            "pair_bulk:wire.<locals>.carry_out pair_files:wire.<locals>.on_give "
            "tasks:check_tasks tasks:render.<locals>.on_act"
        ),
        Role.OWNER: (
            "compare.batch:wire.<locals>.on_start compare.batch:wire.<locals>.on_stop "
            "refine:_wire.<locals>.on_act refine:_wire.<locals>.save "
            "refine:render.<locals>.<lambda> refine_api:start_run "
            "task_import:render.<locals>.<lambda>"
        ),
    }.items()
    for name in names.split()
}
# Of the sign-in button, when the page is opened: whether to say "sign in" or "sign out".
OF_GRADIO = {"gradio.components.login_button:LoginButton._check_login_status": Role.VIEWER}


class GuardedBlocks(gr.Blocks):
    """Every event comes through `process_api`, whether by a button, a timer or the API."""

    access: Access = Access({})
    live: Any  # what open pages ask for beside the events

    async def process_api(self, block_fn: Any, *args: Any, **kwargs: Any) -> Any:
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        request = kwargs.get("request", args[2] if len(args) > 2 else None)
        request = request[0] if isinstance(request, list) else request
        needed = (OF_GRADIO | ROLES).get(name_of(function.fn), Role.OWNER)
        token = _here.set(self.access.visitor(request))
        try:
            require(needed)
            return await super().process_api(block_fn, *args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:  # the page's door: Gradio would print it as it is, a line a line
            log.exception("%s failed", name_of(function.fn))
            raise gr.Error(str(error) or type(error).__name__, print_exception=False) from error
        finally:
            _here.reset(token)
            if needed > Role.VIEWER:  # it has changed something, which everybody is to see
                news.forget()


def require(role: Role) -> None:
    """For a handler that does more for some: raises where its caller is no `role`."""
    visitor = _here.get()
    if visitor.role < role:
        who = f"{visitor.name} is a {visitor.role.name.lower()}" if visitor.name else "Sign in"
        needed = "an owner" if role is Role.OWNER else f"a {role.name.lower()}"
        raise gr.Error(f"{who}: this is for {needed}.", print_exception=False)


def caller() -> Visitor:
    """Who called the handler."""
    return _here.get()


def require_for_set(name: str) -> None:
    """A set by its name is everybody's to see; the path of a file is for who owns the machine."""
    if name not in list_task_sets():
        require(Role.OWNER)


def known_name() -> str:
    """The caller's, where people sign in; empty at a desk, where they say who they are."""
    visitor = _here.get()
    return "" if visitor is DESK else visitor.name


def name_of(handler: Any) -> str:
    """`refine:clone`, `compare.tab:poll`: the module below pages, and the function in it."""
    handler = getattr(handler, "func", handler)  # of a partial
    return f"{handler.__module__.removeprefix('pages.')}:{handler.__qualname__}"
