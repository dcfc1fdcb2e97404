"""From a template and a task's parts to the prompt: every {name} is replaced, nothing else."""

import re
from collections.abc import Mapping

from codelutra.errors import TaskError

_NAME = re.compile(r"\{(\w+)\}")


def fill(template: str, parts: Mapping[str, str]) -> str:
    """Raises TaskError for a name that the set does not have. Text in a part is never a name."""

    def part(match: re.Match[str]) -> str:
        if match[1] not in parts:
            known = ", ".join(f"{{{name}}}" for name in parts)
            raise TaskError(f"the template names {match[0]}: this set has {known}")
        return parts[match[1]]

    return _NAME.sub(part, template)
