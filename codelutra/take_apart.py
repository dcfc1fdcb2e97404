"""Takes assert-style tests apart with `ast`: the calls of a program here, the rest there.

Reads trusted text only and runs nothing. What becomes of the parts: `codelutra/asserts.py`.
"""

import ast
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

LOOPS = (
    *(ast.For, ast.While, ast.FunctionDef, ast.Lambda, ast.ClassDef),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


@dataclass(frozen=True)
class Parts:
    """`calls` for the program's process, `plan` (JSON) for the process that plays the tests.

    The calls of a recorded plan are not among them yet.
    """

    calls: tuple[str, ...]
    plan: str


@dataclass(frozen=True)
class Piece:
    """One text of tests; `targets` are the names it calls the program by, and what they mean."""

    tree: ast.Module
    targets: dict[str, str]
    is_check: bool


def take_apart(setup: str, gold: str, tests: tuple[str, ...], entry_point: str) -> Parts | None:
    """None when the tests cannot be judged outside the program's process."""
    try:
        trees = [parse(text) for text in tests]
        functions = {entry_point} if entry_point else functions_of(parse(gold))
    except (SyntaxError, ValueError):
        return None
    inputs = [tree for tree in trees if not has_assert(tree)]
    if any(any(target_calls(tree, dict.fromkeys(functions, ""))) for tree in inputs):
        return None  # np.testing.assert_equal(f(1), 2), say: a test, where inputs were expected
    pieces = [piece_of(tree, functions, entry_point) for tree in trees if has_assert(tree)]
    names = sorted({name for piece in pieces for name in called_names(piece)})
    if not pieces or not all(any(target_calls(p.tree, p.targets)) for p in pieces):
        return None
    is_written = all(map(is_straight, pieces))
    if not is_written and any(map(is_entangled, pieces)):
        return None
    calls: list[str] = []
    rewriters = [Rewriter(piece.targets, calls if is_written else None) for piece in pieces]
    plan = {
        "setup": setup,
        "gold": gold,
        "inputs": [ast.unparse(tree) for tree in inputs],
        "tests": [
            [ast.unparse(ast.fix_missing_locations(rewriter.visit(piece.tree))), piece.is_check]
            for rewriter, piece in zip(rewriters, pieces, strict=True)
        ],
        "names": names,
        "recorded": not is_written,
    }
    defined = [f"exec({ast.unparse(tree)!r})" for tree in inputs]  # as an expression
    return Parts((*defined, *calls), json.dumps(plan))


def parse(text: str) -> ast.Module:
    with warnings.catch_warnings(action="ignore"):  # odd escapes are their author's affair
        return ast.parse(text)


def functions_of(gold: ast.Module) -> set[str]:
    """Names of the gold that are no classes: an object of a class is an argument."""
    names = {node.name for node in gold.body if isinstance(node, ast.FunctionDef)}
    assigned = (node for node in gold.body if isinstance(node, ast.Assign))
    return names | {t.id for node in assigned for t in node.targets if isinstance(t, ast.Name)}


def has_assert(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(tree))


def piece_of(tree: ast.Module, functions: set[str], entry_point: str) -> Piece:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check" and node.args.args:
            return Piece(tree, {node.args.args[0].arg: entry_point}, is_check=True)
    return Piece(tree, {name: name for name in functions}, is_check=False)


def called_names(piece: Piece) -> set[str]:
    return {piece.targets[call.func.id] for call in target_calls(piece.tree, piece.targets)}  # type: ignore[attr-defined]


def target_calls(tree: ast.AST, targets: dict[str, str]) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if is_target(node, targets):
            yield node  # type: ignore[misc]


def is_target(node: ast.AST, targets: dict[str, str]) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in targets
    )


def is_straight(piece: Piece) -> bool:
    """Does every call stand outside loops, with arguments that need nothing of the test?"""
    body = piece.tree.body
    if piece.is_check:
        check = next(n for n in body if isinstance(n, ast.FunctionDef) and n.name == "check")
        body = [*(node for node in body if node is not check), *check.body]
    calls = list(outermost(body, piece.targets))
    inside = {node for call in calls for node in ast.walk(call)}
    bound = {name for part in body for name in bound_names(part, inside)}
    names = [node for part in body for node in ast.walk(part) if isinstance(node, ast.Name)]
    loops = [node for part in body for node in ast.walk(part) if isinstance(node, LOOPS)]
    return (
        all(node in inside for node in names if node.id in piece.targets)
        and not any(node.id in bound for node in names if node in inside)
        and not any(
            node in inside for loop in loops if loop not in inside for node in ast.walk(loop)
        )
    )


def outermost(body: list[ast.stmt], targets: dict[str, str]) -> Iterator[ast.Call]:
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if is_target(node, targets):
            yield node  # type: ignore[misc]
        else:
            todo += ast.iter_child_nodes(node)


def bound_names(tree: ast.AST, leave_out: set[ast.AST]) -> Iterator[str]:
    for node in ast.walk(tree):
        if node in leave_out:
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def is_entangled(piece: Piece) -> bool:
    """May an argument depend on what an earlier call gave? Then the gold's calls do not do."""
    flows = [flow for node in ast.walk(piece.tree) for flow in flows_of(node)]
    dependent = set(piece.targets)
    while (
        more := {
            name.id
            for source, target in flows
            if mentions(source, dependent)
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        }
        - dependent
    ):
        dependent |= more
    calls = target_calls(piece.tree, piece.targets)
    arguments = (a for call in calls for a in (*call.args, *(k.value for k in call.keywords)))
    return any(mentions(argument, dependent) for argument in arguments)


def mentions(tree: ast.AST, names: set[str]) -> bool:
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(tree))


def flows_of(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """What this node alone changes: pairs of a value and what it goes into."""
    if isinstance(node, ast.Assign):
        yield from ((node.value, target) for target in node.targets)
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.NamedExpr):
        if node.value is not None:
            yield node.value, node.target
    elif isinstance(node, ast.For | ast.comprehension):
        yield node.iter, node.target
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield node.value, node.value.func  # x.append(...)


class Rewriter(ast.NodeTransformer):
    """Asserts become calls that explain a failure; calls of the program, when written, replies."""

    def __init__(self, targets: dict[str, str], calls: list[str] | None) -> None:
        self.targets, self.calls = targets, calls

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        test, text = node.test, ast.unparse(self._named(node.test))
        if isinstance(test, ast.Compare) and [type(op) for op in test.ops] == [ast.Eq]:
            sides = [test.left, test.comparators[0]]
            if any(target_calls(sides[1], self.targets)) and not any(
                target_calls(sides[0], self.targets)
            ):
                sides.reverse()
            text = ast.unparse(self._named(sides[0]))
            arguments = [self.visit(side) for side in sides]
            return ast.Expr(called("_equal", *arguments, ast.Constant(text)))
        return ast.Expr(called("_holds", self._truth(test), ast.Constant(text)))

    def _truth(self, test: ast.expr) -> ast.expr:
        """An object of any type may stand for true; only its truth leaves the program's process."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return ast.UnaryOp(ast.Not(), self._truth(test.operand))
        if is_target(test, self.targets) and self.calls is not None:
            return self._reply(f"not not {ast.unparse(self._named(test))}")
        return self.visit(test)  # type: ignore[no-any-return]

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if self.calls is None or not is_target(node, self.targets):
            return self.generic_visit(node)
        return self._reply(ast.unparse(self._named(node)))

    def _reply(self, text: str) -> ast.Call:
        assert self.calls is not None
        self.calls.append(text)
        return called("_reply", ast.Constant(len(self.calls) - 1))

    def _named(self, tree: ast.expr) -> ast.expr:
        """A copy in which the program's function has its own name."""
        copy = ast.parse(ast.unparse(tree), mode="eval").body
        for call in target_calls(copy, self.targets):
            assert isinstance(call.func, ast.Name)
            call.func.id = self.targets[call.func.id]
        return copy


def called(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])
