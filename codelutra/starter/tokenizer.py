"""Builds the tokenizer: one token for each word of the language, bytes for all else.

Byte-level pre-tokenization makes it lossless; a unigram model with a fixed list
of pieces then keeps every name of words.py whole, with and without a space in
front, so that copying a name is copying one token.
"""

import re
from itertools import islice

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from codelutra.starter import words
from codelutra.starter.corpus import examples

END, PAD = "<|end|>", "<|pad|>"
NUMBERS = range(100)
SYMBOLS = (
    *"<>=&/*-:([+'\"",
    *('["', '"]', "()", "(*", "==", ">=", "<=", "+=", "--", "\n   ", "\n       "),
)
SAMPLE = 4000  # examples read to collect the words of questions and keywords


def _pieces() -> list[str]:
    names = {*words.THINGS, *words.NUMBERS, *words.CATEGORIES, *words.LABELS, *words.VALUES}
    spelled = set(SYMBOLS) | {str(n) for n in NUMBERS} | names
    spelled |= {f" {piece}" for piece in spelled}
    for example in islice(examples(seed=0), SAMPLE):
        spelled |= set(re.findall(r" ?[A-Za-z]+", example.prompt + example.completion))
    return sorted(spelled)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, always the same for the same templates and words."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    encoded = [level.pre_tokenize_str(piece) for piece in _pieces()]
    whole = sorted({parts[0][0] for parts in encoded if len(parts) == 1} - set(alphabet))
    vocabulary = [
        (PAD, 0.0),
        (END, 0.0),
        *((c, -10.0) for c in alphabet),
        *((w, -1.0) for w in whole),
    ]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    tokenizer.pre_tokenizer = level
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
