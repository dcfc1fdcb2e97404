"""Keys and values that grow a block at a time, where transformers' own copies them at each token.

Like a StaticCache the model reads the whole block, whose empty end its mask hides.
"""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

BLOCK = 16  # tokens; half of it is read in vain, on average
FIT = ("_can_compile_fullgraph", "_supports_attention_backend")  # of a PreTrainedModel


def new_cache(model: Any) -> DynamicCache:
    """For one batch. Layers of another kind (a sliding window) stay as transformers makes them."""
    cache = DynamicCache(config=model.config)
    # A model that takes a StaticCache, and masks as transformers does, takes ours: not one with
    # position biases of its own, such as BLOOM.
    if all(getattr(model, name, False) for name in FIT):
        cache.layers = [
            RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
        ]
    return cache


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types here
    """`keys` and `values` are (batch, heads, room, head size), of which `length` are in use."""

    length = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        new = key_states.shape[-2]
        room, end = self._room(new), self.length + new
        if not self.is_initialized:  # a prompt as it is: its copies get room at the first token
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
        else:
            self.keys, self.values = _grown(self.keys, room), _grown(self.values, room)
            self.keys[:, :, self.length : end] = key_states
            self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys, self.values

    def _room(self, new: int) -> int:
        """Tokens there is room for once `new` ones are in."""
        if not self.is_initialized:
            return new
        end, room = self.length + new, int(self.keys.shape[-2])
        return room if end <= room else -(-end // BLOCK) * BLOCK

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._room(query_length), 0

    def get_seq_length(self) -> int:
        return self.length


def _grown(states: torch.Tensor, room: int) -> torch.Tensor:
    missing = room - states.shape[-2]
    # Zeros, as what is hidden still counts: nothing times a NaN is one.
    return torch.nn.functional.pad(states, (0, 0, 0, missing)) if missing else states
