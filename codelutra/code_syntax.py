"""How the programs of each kind of task are cut into tokens: one linear pattern a language.

Not Pygments: its lexers are quadratic on hostile text (4,000 characters of line ends with blanks
take half a second in its Python lexer). Here every alternative keeps all that it has scanned,
closed or not, so no character is read twice. Groups are repeated in an atomic group,
`(?>(?:...)*)`: the possessive quantifier that is the same loses its match in Python before 3.11.5
(gh-106052).
"""

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass

import apsw

NUMBER = r"(?P<number>(?:\d|\.\d)(?>(?:[eE][+-](?=\d)|[\w.])*))"
NAME = r"(?P<name>[^\W\d][\w$]*+|[$\#][\w$]*+)"
# Other white space (a no-break space, a form feed's cousins) is none to these languages.
SPACE = r"(?P<space>[ \t\r\n\f]++)"
LINE_END = "\r\n\u2028\u2029"
SLASH_COMMENT = rf"//[^{LINE_END}]*+"
BLOCK_COMMENT = r"/\*(?>(?:[^*]|\*(?!/))*)(?:\*/)?"
QUOTED = r"'(?>(?:[^'\\\n]|\\.)*)'?|\"(?>(?:[^\"\\\n]|\\.)*)\"?"
TRIPLE = (
    r"'''(?>(?:[^'\\]|\\.|'(?!''))*)(?:'''|\\?\Z)|"
    r'"""(?>(?:[^"\\]|\\.|"(?!""))*)(?:"""|\\?\Z)'
)

PYTHON_OPERATORS = r"\*\*=|//=|>>=|<<=|\.\.\.|\*\*|//|>>|<<|->|:=|[-+*/%@&|^<>=!]=|[^\s\w]"
SQL_OPERATORS = r"->>|\|\||->|<>|<<|>>|::|[<>=!]=|[^\s\w]"
JAVASCRIPT_OPERATORS = (
    r">>>=|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?=|===|!==|\.\.\.|=>|\+\+|--|\*\*|<<|>>|&&|\|\||\?\?"
    r"|\?\.(?!\d)|[-+*/%&|^<>=!]=|[^\s\w]"
)
JAVASCRIPT_KEYWORDS = """
    async await break case catch class const continue debugger default delete do else export
    extends false finally for function if import in instanceof let new null of return static super
    switch this throw true try typeof undefined var void while with yield
"""


@dataclass(frozen=True)
class Syntax:
    """`pattern` has a group for each type of token, and takes any character.

    `has_templates`: strings `...${code}...`.
    """

    pattern: re.Pattern[str]
    keywords: frozenset[str]
    ignores_case: bool = False
    has_templates: bool = False

    def is_keyword(self, word: str) -> bool:
        return (word.upper() if self.ignores_case else word) in self.keywords


def _pattern(comment: str, string: str, operator: str, name: str = NAME) -> re.Pattern[str]:
    groups = (
        SPACE,
        f"(?P<comment>{comment})",
        f"(?P<string>{string})",
        NUMBER,
        name,
        f"(?P<operator>{operator})",
        "(?P<text>.)",
    )
    return re.compile("|".join(groups), re.DOTALL)


SYNTAX: Mapping[str, Syntax] = {
    "python": Syntax(
        _pattern(
            rf"\#[^{LINE_END}]*+", rf"[rRbBfFuUtT]{{0,2}}(?:{TRIPLE}|{QUOTED})", PYTHON_OPERATORS
        ),
        frozenset(keyword.kwlist),
    ),
    "sql": Syntax(
        _pattern(
            rf"--[^{LINE_END}]*+|{BLOCK_COMMENT}",
            r"[xX]?'(?>(?:[^']|'')*)'?|\"(?>(?:[^\"]|\"\")*)\"?|`[^`]*+`?|\[[^\]]*+\]?",
            SQL_OPERATORS,
        ),
        frozenset(apsw.keywords),
        ignores_case=True,
    ),
    "javascript": Syntax(
        _pattern(rf"{SLASH_COMMENT}|{BLOCK_COMMENT}", QUOTED, JAVASCRIPT_OPERATORS),
        frozenset(JAVASCRIPT_KEYWORDS.split()),
        has_templates=True,
    ),
}
# A kind that nobody has described yet: words, numbers, quoted strings, no comments.
PLAIN = Syntax(_pattern(r"(?!)", QUOTED, r"[^\s\w]"), frozenset())

# A regular expression of JavaScript, where no value stands before it that could be divided.
REGEX = re.compile(
    r"/(?>(?:[^/\\\[\r\n]|\\[^\r\n]|\[(?>(?:[^\]\\\r\n]|\\[^\r\n])*)\]?)+)(?:/[a-z]*+)?"
)
TEMPLATE = re.compile(r"[`}](?>(?:[^`\\$]|\\.|\$(?!\{))*)(?:`|\$\{|\\?\Z)", re.DOTALL)
