"""Training: the dual loss on TRL and PEFT, in a child process of its own."""

from codelutra.training.phase import train_adapter

__all__ = ["train_adapter"]
