"""Does a round still learn when almost nothing is correct? `python -m benchmarks.low_yield`

The starter with noise on its weights, so that under 5 % of its first samples are correct; three
iterations with the product's defaults.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.claims import Claim, finish
from codelutra.config import MODEL_DEFAULTS, STARTER, RefineConfig, home
from codelutra.evaluation import correct_tasks, gain_on_both
from codelutra.loop import refine
from codelutra.low_yield import first_yield
from codelutra.models import resolve_model
from codelutra.progress import ProgressBar
from codelutra.run_folder import RunFolder
from codelutra.summary import yield_funnel
from codelutra.tasks import load_tasks, select_tasks

NOISE = 0.47  # of each matrix's standard deviation


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the training tasks")
    parser.add_argument("--noise", type=float, default=NOISE, help="0 leaves the starter as it is")
    parser.add_argument("--out", type=Path, help="where the run is kept")
    options = parser.parse_args()
    out = options.out or home() / "benchmarks" / ("low-yield" + "-quick" * options.quick)
    model = weakened(out / "model", options.noise)
    limit = 130 if options.quick else 0
    settings = {**MODEL_DEFAULTS[STARTER], "iterations": 3, "tasks": STARTER}
    config = RefineConfig.for_model(model, **settings, max_train=limit)
    with ProgressBar() as bar:
        run = RunFolder(out / "run", config, bar.report)
        refine(run, select_tasks(load_tasks(STARTER), config))
    first = report(run)
    base, last = (correct_tasks(run.samples(number, "heldout")) for number in (0, 3))
    gain, low, high = gain_on_both(base, last)
    print(f"gain {100 * gain:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}], n = {len(base)}")
    return finish(
        [
            Claim("low_yield_first_samples", first, ceiling=0.05),
            Claim("low_yield_gain_points_low", 100 * low, floor=0.0),
        ]
    )


def report(run: RunFolder) -> float:
    """Print a line an iteration; the yield of the first one's first samples."""
    print("round  held-out pass@1 [95 %]   correct first samples   tasks with both  pairs  samples")
    yields = []
    for number in range(run.config.iterations + 1):
        scores = run.scores(number)
        assert scores
        low, high = scores.ci95
        line = f"{number or 'base':>5}  {scores.pass_at_1:6.1%} [{low:.1%}, {high:.1%}]"
        if number:
            samples = run.samples(number, "train")
            yields.append(first_yield(samples, run.config.sampling) or 0.0)
            funnel = yield_funnel(samples, run.pairs(number) or [], None)
            line += f"{yields[-1]:>20.1%}{funnel['tasks_with_both']:>18}"
            line += f" of {funnel['tasks']}{funnel['pairs']:>7}{funnel['samples']:>9}"
        print(line)
    return yields[0]


def weakened(folder: Path, noise: float) -> str:
    """The starter with noise on every matrix, from a fixed seed."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not (folder / "config.json").exists():
        model = AutoModelForCausalLM.from_pretrained(resolve_model(STARTER), dtype=torch.float32)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.dim() > 1:
                    spread = noise * weight.std()
                    weight += spread * torch.randn(weight.shape, generator=generator)
        AutoTokenizer.from_pretrained(resolve_model(STARTER)).save_pretrained(folder)
        model.save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    sys.exit(main())
