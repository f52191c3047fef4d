"""The tokenizer: byte-level BPE whose text splitting is Qwen2's.

llama.cpp tokenises alike when the model file says "gpt2" and "qwen2".
"""

import json
import re
from collections import Counter
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
END_OF_TEXT, START, END = SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
VOCABULARY = 6400  # at most, special tokens included
ASCII_MERGES = 2200


def _tokenizer(vocab: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train(texts: list[str]) -> Tokenizer:
    """Learns a tokenizer from texts.

    Merges are learnt in three steps: Chinese characters from their bytes, the
    ASCII text by ordinary BPE, and Chinese words of two characters. Longer
    merges are left out on purpose: so small a corpus would turn whole
    sentences into tokens and leave nothing to generalise.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = _characters(texts) + _ascii(texts, alphabet) + _words(texts)
    merges = list(dict.fromkeys(merges))[: VOCABULARY - len(alphabet) - len(SPECIALS)]
    tokens = dict.fromkeys(alphabet + ["".join(pair) for pair in merges])
    tokenizer = _tokenizer({token: i for i, token in enumerate(tokens)}, merges)
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer


def _characters(texts: list[str]) -> list[tuple[str, str]]:
    """Returns the merges that build each non-ASCII character seen twice."""
    counts = Counter(c for text in texts for c in text if not c.isascii())
    merges = []
    for character in _ranked(counts, 2):
        units = _units(character)
        merges += [(units[:i], units[i]) for i in range(1, len(units))]
    return merges


def _ascii(texts: list[str], alphabet: list[str]) -> list[tuple[str, str]]:
    """Returns the merges of ordinary BPE over the ASCII stretches."""
    stretches = [s for text in texts for s in re.findall(r"[\x00-\x7f]+", text)]
    learner = _tokenizer({}, [])
    size = len(alphabet) + ASCII_MERGES
    learner.train_from_iterator(stretches, trainers.BpeTrainer(vocab_size=size, min_frequency=3, initial_alphabet=alphabet, show_progress=False))
    return [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]


def _words(texts: list[str]) -> list[tuple[str, str]]:
    """Returns the merges of frequent pairs of Chinese characters."""
    pairs = Counter(text[i : i + 2] for text in texts for i in range(len(text) - 1))
    known = Counter(c for text in texts for c in text)
    words = [w for w in _ranked(pairs, 8) if all(HAN.match(c) and known[c] > 1 for c in w)]
    return [(_units(word[0]), _units(word[1])) for word in words]


def _ranked(counts: Counter, least: int) -> list[str]:
    """Returns what was counted often enough, most frequent first."""
    return [item for item, n in sorted(counts.items(), key=lambda x: (-x[1], x[0])) if n >= least]


def _units(text: str) -> str:
    """Spells text in the byte-level alphabet."""
    return "".join(UNIT_OF[b] for b in text.encode("utf-8"))


def _byte_alphabet() -> dict[int, str]:
    """Returns the character that stands for each byte in byte-level BPE."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}


HAN = re.compile(r"[\u4e00-\u9fff]")
UNIT_OF = _byte_alphabet()


def load(path: Path) -> Tokenizer:
    """Reads a saved tokenizer."""
    return Tokenizer.from_file(str(path))
