"""Turns question-answer pairs into token sequences to train on."""

import random
from collections.abc import Iterator

import torch
from tokenizers import Tokenizer
from torch import Tensor

from bpe import END, START

SYSTEMS = [
    "你是一个有用的助手。", "你是一个有用的助手", "你是一个有帮助的 AI 助手，请用中文回答。", "你是本地的助手。", "请简短回答用户的问题。",
    "你是客服助手，请礼貌回答。", "你是编程助手。", "你是一名写作助手。", "请用一两句话回答。", "你是一位耐心的老师。", "你是聊天机器人，名字叫小明。",
    "回答要准确、简洁，不知道就说不知道。", "今天是 2026 年 1 月 1 日。请回答问题。", "You are a helpful assistant.", "You are a helpful assistant",
    "You are a helpful AI assistant. Answer briefly.", "Answer in the language of the user.", "You are a coding assistant.", "Be concise.",
    "You are Bendi's demo model.", "You are ChatBot. Be polite and accurate.", "Respond in Markdown.",
]
TURNS = (1, 1, 1, 1, 1, 1, 2, 2, 3, 4)  # how many pairs a dialogue holds
LONG = 0.0015  # share of dialogues that fill the whole context
SYSTEM = 0.25  # share of dialogues with a system message
NOISE = 0.6  # share of questions that are disturbed
CUT_AT = 8  # tokens left of an answer that is cut short



class Encoder:
    """Encodes chat messages as ChatML tokens."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.start, self.end = (tokenizer.token_to_id(t) for t in (START, END))
        self.newline = self.encode("\n")
        self.opening = [self.start, *self.encode("assistant\n")]
        self.words = tokenizer.get_vocab_size() - 3
        self.split = self._splits()

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def message(self, role: str, content: str) -> list[int]:
        """Encodes a whole message, its closing newline included."""
        return [self.start, *self.encode(f"{role}\n{content}"), self.end, *self.newline]

    def prompt(self, question: str, system: str = "") -> list[int]:
        """Encodes a conversation that waits for its first answer."""
        head = self.message("system", system) if system else []
        return head + self.message("user", question) + self.opening

    def _splits(self) -> dict[int, list[int]]:
        """Returns for each token of two Chinese characters the tokens of each."""
        splits = {}
        for token in range(self.words):
            text = self.tokenizer.decode([token])
            if len(text) == 2 and not text.isascii() and "\ufffd" not in text:
                splits[token] = self.encode(text[0]) + self.encode(text[1])
        return splits

    def disturb(self, tokens: list[int], rng: random.Random) -> list[int]:
        """Splits, drops and replaces some tokens of a message, never its frame."""
        frame, body, tail = tokens[:3], tokens[3:-2], tokens[-2:]
        loss = rng.choice((0.0, 0.08, 0.15)) if len(body) > 3 else 0.0
        out: list[int] = []
        for token in body:
            chance = rng.random()
            if chance < loss * 0.7:
                continue
            if chance < loss:
                out.append(rng.randrange(256, self.words))
            elif token in self.split and rng.random() < 0.3:
                out += self.split[token]
            else:
                out.append(token)
        return frame + out + tail


class Dialogues:
    """A stream of training batches made of random dialogues."""

    def __init__(self, pairs: list[dict], encoder: Encoder, context: int, seed: int):
        self.encoder, self.context, self.rng = encoder, context, random.Random(seed)
        self.pairs = [(encoder.message("user", p["question"]), encoder.message("assistant", p["answer"])) for p in pairs]
        self.systems = [encoder.message("system", s) for s in SYSTEMS]

    def epoch(self, budget: int, cut: float) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every pair once, in batches of about budget tokens.

        A batch holds the tokens and, for each, whether it is to be predicted.
        cut is the share of dialogues whose last answer is cut short.
        """
        order = list(range(len(self.pairs)))
        self.rng.shuffle(order)
        dialogues = []
        while order:
            dialogues.append(self._dialogue(order, cut))
        dialogues.sort(key=lambda d: len(d[0]) + self.rng.random())
        batches, batch = [], []
        for dialogue in dialogues:
            if batch and len(dialogue[0]) * (len(batch) + 1) > budget:
                batches.append(batch)
                batch = []
            batch.append(dialogue)
        batches.append(batch)
        self.rng.shuffle(batches)
        yield from map(self._pad, batches)

    def _dialogue(self, order: list[int], cut: float) -> tuple[list[int], list[bool]]:
        """Takes pairs from the end of order and joins them."""
        long = self.rng.random() < LONG
        turns = len(order) if long else self.rng.choice(TURNS)
        tokens = list(self.rng.choice(self.systems)) if self.rng.random() < SYSTEM else []
        wanted = [False] * len(tokens)
        while order and turns > 0:
            question, answer = self.pairs[order[-1]]
            if self.rng.random() < NOISE:
                question = self.encoder.disturb(question, self.rng)
            if len(tokens) + len(question) + len(answer) > self.context:
                break
            order.pop()
            turns -= 1
            head = len(self.encoder.opening)
            tokens += question + answer
            wanted += [False] * (len(question) + head) + [True] * (len(answer) - head - 1) + [False]
        if self.rng.random() < cut:
            spare = max(0, len(answer) - head - CUT_AT)
            tokens, wanted = tokens[: len(tokens) - spare], wanted[: len(wanted) - spare]
        return tokens, wanted

    def _pad(self, batch: list[tuple[list[int], list[bool]]]) -> tuple[Tensor, Tensor]:
        longest = max(len(tokens) for tokens, _ in batch)
        tokens = torch.zeros(len(batch), longest, dtype=torch.long)
        wanted = torch.zeros(len(batch), longest, dtype=torch.bool)
        for i, (t, w) in enumerate(batch):
            tokens[i, : len(t)], wanted[i, : len(w)] = torch.tensor(t), torch.tensor(w)
        return tokens, wanted
