"""The pretraining corpus: programs over random worlds, a known share of them wrong."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from codelutra.starter import (
    query_linked,
    query_one,
    query_two,
    science_arrays,
    science_frames,
    science_groups,
    science_masks,
)
from codelutra.starter.families import reserved
from codelutra.starter.pen import Pen
from codelutra.starter.sketch import TEMPLATES
from codelutra.starter.worlds import World, random_world

# Importing them registers their templates.
TEMPLATE_MODULES = (
    query_one,
    query_two,
    query_linked,
    science_frames,
    science_groups,
    science_masks,
    science_arrays,
)


@dataclass(frozen=True)
class Example:
    """A prompt and a program as the corpus holds it, right or wrong."""

    prompt: str
    completion: str
    template: str
    world: World
    met: tuple[str, ...]  # places where a mistake was possible
    erred: tuple[str, ...]  # places where it was made


def examples(seed: int) -> Iterator[Example]:
    """An endless corpus; the same seed gives the same examples."""
    rng = random.Random(seed)
    guard = reserved()
    names = sorted(TEMPLATES)
    while True:
        template = TEMPLATES[rng.choice(names)]
        world = random_world(rng, template.kind, guard)
        prompt, sketch = template.make(world, rng, side=rng.randrange(2))
        pen = Pen(rng)
        completion = sketch.write(pen)
        yield Example(prompt, completion, template.name, world, tuple(pen.met), tuple(pen.erred))
