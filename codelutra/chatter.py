"""The talk around bare code in an answer: lines that are unmistakably prose, and no others.

A broken program has to stay broken, since its syntax error counts. So a line goes only when it has
the shape of a sentence and cannot begin a program, and in doubt the whole text is the program.
"""

import re

from codelutra.languages import Language

# Words with spaces and a little punctuation between them, and a sentence's end. Possessive
# quantifiers and atomic groups never go back: a long line costs one pass.
_WORD = r"\w++(?>(?:['’-]\w++)*)"
_SENTENCES = re.compile(rf"{_WORD}(?>(?:[,.!?]? +{_WORD})*)[.:!?]++")


def begins_program(text: str, language: Language) -> bool:
    """Does the first line that is not empty begin a program, and is it no sentence?"""
    if language.opening is None:
        return False
    line = text.lstrip().partition("\n")[0].rstrip()
    return bool(language.opening.match(line)) and not _is_sentence(line)


def without_chatter(text: str, language: Language) -> str:
    """The program alone where it is clear where it begins or ends; '' when all is prose."""
    if language.opening is None:
        return text
    lines = text.split("\n")
    start = next((n for n, line in enumerate(lines) if not _is_talk(line, language)), None)
    if start is None:
        return ""
    first = lines[start]
    if not "".join(lines[:start]).strip():
        start = 0
    elif first[:1].isspace():
        return text  # the sentence may be a header with a slip, and this its body
    if not language.opening.match(first.lstrip()):
        return text
    end = len(lines)
    while _is_talk(lines[end - 1], language):
        end -= 1
    if lines[end:] and lines[end].strip():
        end = len(lines)  # no empty line parts the program from the prose
    return "\n".join(lines[start:end]).rstrip()


def _is_talk(line: str, language: Language) -> bool:
    """Is the line empty or unmistakably prose?"""
    line = line.strip()
    if not line:
        return True
    patterns = (language.opening, language.clause)
    return _is_sentence(line) and not any(p and p.match(line) for p in patterns)


def _is_sentence(line: str) -> bool:
    """A capital, then small letters; three words or more, or an exclamation mark."""
    has_capital = line[:1].isupper() and not line[1:2].isupper()
    is_long = line.count(" ") >= 2 or line.endswith("!")
    return has_capital and is_long and bool(_SENTENCES.fullmatch(line))
