"""From a completion to the program it holds, and the rule by which it was found.

Nothing here mends a program: a syntax error that the model wrote is still there afterwards.
"""

import re
from dataclasses import dataclass, replace

from codelutra.chatter import begins_program, without_chatter
from codelutra.fenced_blocks import DEEPEST, fenced_blocks
from codelutra.languages import Language, language_of
from codelutra.records import ExtractionRule
from codelutra.tasks.task import Task

_THOUGHT = re.compile(r"\s*<think(?:ing)?>", re.IGNORECASE)
_THOUGHT_END = re.compile(r"</think(?:ing)?>[ \t]*", re.IGNORECASE)


@dataclass(frozen=True)
class Extraction:
    """`program` is '' when there is none; `rule` says why."""

    program: str
    rule: ExtractionRule
    has_thought: bool = False  # that was left out

    @property
    def words(self) -> str:
        """As it is stored: the rule, behind `thought ` where one was left out."""
        return f"thought {self.rule}" if self.has_thought else self.rule.value


def task_program(completion: str, task: Task) -> Extraction:
    """The program of a completion, behind the prefix that it continues."""
    found = extract_program(completion, task.kind)
    head = re.findall(r"^\s*(?:async )?def (\w+)", task.prefix, re.MULTILINE)
    if not found.program or not task.prefix:
        return found
    begins_anew = head and re.search(rf"^(?:async )?def {head[-1]}\b", found.program, re.MULTILINE)
    return found if begins_anew else replace(found, program=task.prefix + found.program)


def extract_program(completion: str, kind: str) -> Extraction:
    """The first fenced block in the task's language, else the text without talk around it.

    Thoughts go first, so that no draft in them is taken.
    """
    language = language_of(kind)
    start = _end_of_thoughts(completion, language)
    if start is None:
        return Extraction("", ExtractionRule.ENDLESS_THOUGHT)
    found = _without_thoughts(completion[start:], language)
    return replace(found, has_thought=start > 0)


def _without_thoughts(text: str, language: Language) -> Extraction:
    # In bare code a deep fence belongs to a docstring.
    is_code = begins_program(text, language)
    blocks = fenced_blocks(text, DEEPEST if is_code else None)
    if is_code and blocks and not blocks[0].word and not all(b.is_closed for b in blocks):
        # A fence without its partner: the first one ends what the prompt began.
        before = "\n".join(text.split("\n")[: blocks[0].line])
        return Extraction(_trimmed(before), ExtractionRule.BEFORE_FENCE)
    for block in blocks:
        if block.word in {"", *language.fences} and block.text.strip():
            rule = ExtractionRule.FENCED if block.is_closed else ExtractionRule.UNCLOSED_FENCE
            return Extraction(_trimmed(block.text), rule)
    if blocks:
        return Extraction("", ExtractionRule.OTHER_LANGUAGE)
    bare = _trimmed(text)
    program = without_chatter(bare, language)
    if program == bare:
        return Extraction(bare, ExtractionRule.BARE if bare else ExtractionRule.EMPTY)
    return Extraction(program, ExtractionRule.CHATTER_CUT if program else ExtractionRule.ONLY_PROSE)


def _trimmed(text: str) -> str:
    return text.strip("\n").rstrip()


def _end_of_thoughts(text: str, language: Language) -> int | None:
    """Where the answer begins: 0 without a thought, None when a thought never ends."""
    start = 0
    while opened := _THOUGHT.match(text, start):
        closed = _THOUGHT_END.search(text, opened.end())
        if closed is None:
            return None
        start = closed.end()
    if start > 0:
        return start
    # The prompt may have opened it; or else the tag is a part of the program.
    closed = _THOUGHT_END.search(text)
    return closed.end() if closed and _is_thought(text[: closed.start()], language) else 0


def _is_thought(before: str, language: Language) -> bool:
    """Is this text, which a closing tag follows, no part of a program?"""
    if begins_program(before, language):
        return False
    has_own_line = not before.rpartition("\n")[2].strip()
    return has_own_line or all(block.is_closed for block in fenced_blocks(before))
