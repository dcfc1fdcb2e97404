"""What the server of phase children has loaded before it forks; importing it is its effect."""

import os

# Threads that spin while they wait starve whatever shares the cores: two phases side by side
# were ten times slower than one after the other. Read when the library is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# CUDA does not survive a fork; this way of asking for it leaves it untouched.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")

import torch

if not torch.cuda.is_available():
    import peft  # noqa: F401

    import codelutra.generation.transformers_backend  # noqa: F401
