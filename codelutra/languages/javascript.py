"""JavaScript for the command line, run by Node.js: reads stdin, prints to stdout."""

import re

from codelutra.languages.language import CommandLanguage
from codelutra.sandbox import Command

# As Node itself decides (--experimental-detect-module): CommonJS, or a module where that fails.
CHECK = """
const vm = require("vm"), file = process.argv[1], source = require("fs").readFileSync(file, "utf8");
const body = source.replace(/^#!.*/, "");
try {
  vm.compileFunction(body, ["exports", "require", "module", "__filename", "__dirname"],
    {filename: file});
} catch (error) {
  if (!/import|export|await/.test(error.message)) throw error;
  new vm.SourceTextModule(body, {identifier: file});
}
"""

OPENING = re.compile(
    r"""//|/\*|\#!|[({\[;] | ["']use\ strict["']
    | (?:const|var|function|class|import|export|async|return|throw|await)\b
    | let\ +(?:[{\[]|[\w$]+\ *(?:[^\w\s]|$|of\b|in\b))
    | (?:if|for|while|switch)\ *\( | for\ +await\b | (?:try|do|else)\ *\{
    | [\w$.]+(?:[\[(]|\ *(?:[-+*/%&|^]|\*\*|<<|>>|\?\?|&&|\|\|)?=(?!=))  # f(x), x[0], x = 1, x += 1
    """,
    re.VERBOSE,
)


class JavaScript(CommandLanguage):
    kind = "javascript"
    fences = frozenset({"javascript", "js", "node", "mjs", "cjs"})
    opening = OPENING
    command = Command(
        interpreter="node",
        run=(
            "--experimental-detect-module",
            "--no-warnings",
            "--max-old-space-size={memory_mb}",
            "{program}",
        ),
        check=("--experimental-vm-modules", "--no-warnings", "-e", CHECK, "{program}"),
        program="program.js",
        error=r"^((?:Uncaught )?\w*(?:Error|Exception)\b.*|FATAL ERROR: .*)$",
        install="install Node.js 20.10 or newer",
        environment=(("OPENSSL_CONF", "/dev/null"), ("NO_COLOR", "1"), ("UV_USE_IO_URING", "0")),
    )


LANGUAGE = JavaScript()
