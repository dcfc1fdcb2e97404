"""Prefix-shared log-probabilities: the sequences of one task are run as one tree of tokens.

Pairs of one task share its long prompt, and its completions often begin alike. Every token that
several sequences share up to there is run once: a tree whose nodes attend to their ancestors alone
(a 4-D mask) at the position they have in their sequence. A causal model gives each node the very
hidden state that it has in the plain sequence, so log-probabilities and gradients are the same.
"""

import types
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

IGNORED = -100  # the label of a position that is not scored


class _Tree:
    """The nodes of one task: token, depth and ancestors of each, and the label that it scores.

    A node predicts one token. Where a path branches, each further branch gets a copy of the node
    before it, which no other node attends to.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.depths: list[int] = []
        self.parents: list[int] = []
        self.labels: list[int] = []
        self._children: dict[tuple[int, int], int] = {}
        self._scorers: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def add(self, tokens: Sequence[int], first_scored: int) -> list[int]:
        """Add a path; the nodes that score its tokens from `first_scored` on."""
        node, scorers = -1, []
        for depth, token in enumerate(tokens):
            if depth >= first_scored and node >= 0:
                scorers.append(self._scorer(node, token))
            step = (node, token)
            if step not in self._children:
                self._children[step] = self._append(token, depth, node)
            node = self._children[step]
        return scorers

    def _scorer(self, node: int, label: int) -> int:
        edge = (node, label)
        if edge not in self._scorers:
            if self.labels[node] != IGNORED:  # it scores another branch already
                node = self._append(self.tokens[node], self.depths[node], self.parents[node])
            self.labels[node] = label
            self._scorers[edge] = node
        return self._scorers[edge]

    def _append(self, token: int, depth: int, parent: int) -> int:
        self.tokens.append(token)
        self.depths.append(depth)
        self.parents.append(parent)
        self.labels.append(IGNORED)
        return len(self.tokens) - 1

    def visible(self) -> np.ndarray:
        """(nodes, nodes): whether a row's node attends to a column's; a parent comes first."""
        seen = np.zeros((len(self), len(self)), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] = seen[parent]
            seen[node, node] = True
        return seen


@dataclass(frozen=True)
class PackedTrees:
    """Trees of several tasks, packed into rows of one length. Shapes: (rows, length) unless said.

    `scored_by` (scored tokens,): the flat node that scores each scored token of the batch, in
    row-major order of the batch's own labels.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    attention_mask: torch.Tensor  # (rows, 1, length, length), True: may attend
    shift_labels: torch.Tensor
    scored_by: torch.Tensor
    num_nodes: int  # without the padding of rows


def pack(
    input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
) -> PackedTrees:
    """Trees of a right-padded batch, all (batch, length); labels are IGNORED outside completions.

    Sequences share a tree where the tokens before their first label are the same.
    """
    trees: dict[tuple[int, ...], _Tree] = {}
    paths: list[tuple[_Tree, list[int]]] = []
    lengths = attention_mask.sum(dim=1).tolist()
    scored = labels != IGNORED
    starts = scored.int().argmax(dim=1).tolist()
    for row, length, start in zip(input_ids.tolist(), lengths, starts, strict=True):
        tree = trees.setdefault(tuple(row[:start]), _Tree())
        paths.append((tree, tree.add(row[:length], start)))
    return _rows(list(trees.values()), paths, input_ids.device)


def _rows(
    trees: list[_Tree], paths: list[tuple[_Tree, list[int]]], device: torch.device
) -> PackedTrees:
    """First fit, longest first: no row is longer than the largest tree."""
    length = max(map(len, trees))
    used: list[int] = []
    places: dict[int, tuple[int, int]] = {}  # id of a tree -> its row and first column
    for tree in sorted(trees, key=len, reverse=True):
        row = next((r for r, n in enumerate(used) if n + len(tree) <= length), len(used))
        if row == len(used):
            used.append(0)
        places[id(tree)] = (row, used[row])
        used[row] += len(tree)
    shape = (len(used), length)
    ids, positions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    labels = np.full(shape, IGNORED, dtype=np.int64)
    mask = np.broadcast_to(np.eye(length, dtype=bool), (len(used), length, length)).copy()
    for tree in trees:
        row, first = places[id(tree)]
        span = slice(first, first + len(tree))
        ids[row, span], positions[row, span] = tree.tokens, tree.depths
        labels[row, span] = tree.labels
        mask[row, span, span] = tree.visible()
    scored_by = [
        places[id(tree)][0] * length + places[id(tree)][1] + node
        for tree, nodes in paths
        for node in nodes
    ]
    return PackedTrees(
        input_ids=torch.from_numpy(ids).to(device),
        position_ids=torch.from_numpy(positions).to(device),
        attention_mask=torch.from_numpy(mask[:, None]).to(device),
        shift_labels=torch.from_numpy(labels).to(device),
        scored_by=torch.tensor(scored_by, device=device),
        num_nodes=sum(used),
    )


class PrefixSharing:
    """Makes `model(..., labels=..., fused_lm_head=True)` run trees instead of sequences.

    `model` has TRL's fused LM head (`add_fused_lm_head`); the output has the shapes that it would
    have without. Any other call is left as it is, and all of them while `is_on` is False.
    `stock_tokens` of sequences were asked for so far, `run_tokens` were run for them.
    """

    def __init__(self, model: Any) -> None:
        self.is_on = True
        self._plain = model.forward
        model.forward = types.MethodType(lambda _, *args, **kw: self._forward(*args, **kw), model)
        self.reset()

    def reset(self) -> None:
        self.stock_tokens = self.run_tokens = 0

    def _forward(self, *args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        given = {name for name, value in kwargs.items() if value is not None}  # PEFT adds Nones
        if not fused_lm_head or args or given - _BATCH:
            return self._plain(*args, fused_lm_head=fused_lm_head, **kwargs)
        tokens = int(kwargs["attention_mask"].sum())
        self.stock_tokens += tokens
        if not self.is_on:
            self.run_tokens += tokens
            return self._plain(*args, fused_lm_head=fused_lm_head, **kwargs)
        trees = pack(kwargs["input_ids"], kwargs["attention_mask"], kwargs["labels"])
        self.run_tokens += trees.num_nodes
        output = self._plain(
            input_ids=trees.input_ids,
            attention_mask=trees.attention_mask,
            position_ids=trees.position_ids,
            shift_labels=trees.shift_labels,
            fused_lm_head=True,
        )
        return _unpacked(output, trees, kwargs["labels"][:, 1:] != IGNORED)


_BATCH = {"input_ids", "attention_mask", "labels", "use_cache"}


def _unpacked(output: Any, trees: PackedTrees, scored: torch.Tensor) -> Any:
    """Each per-token field back in the shape of `scored`, (batch, length - 1); zero elsewhere."""
    shape = trees.shift_labels.shape
    for field in fields(output):
        value = getattr(output, field.name)
        if isinstance(value, torch.Tensor) and value.shape == shape:
            picked = value.reshape(-1)[trees.scored_by]
            whole = picked.new_zeros(scored.shape).masked_scatter(scored, picked)
            setattr(output, field.name, whole)
    output.label_mask = scored
    return output
