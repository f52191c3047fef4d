"""The network: a small Qwen2-style decoder, written out in full.

Names of the weights follow llama.cpp, so that the export is a plain copy.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    """The sizes of the network."""

    vocab: int
    width: int = 256
    layers: int = 4
    heads: int = 8
    kv_heads: int = 4
    hidden: int = 384
    context: int = 2048
    rope_base: float = 10_000.0
    epsilon: float = 1e-6

    @property
    def head(self) -> int:
        return self.width // self.heads


class Lora(nn.Module):
    """A linear layer whose low-rank addition can be trained by itself."""

    def __init__(self, size_in: int, size_out: int, bias: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size_out, size_in) * 0.02)
        self.bias = nn.Parameter(torch.zeros(size_out)) if bias else None
        self.lora_a: nn.Parameter | None = None
        self.lora_b: nn.Parameter | None = None
        self.scale = 0.0

    def adapt(self, rank: int, alpha: float) -> None:
        """Adds a low-rank part that starts as zero, and freezes the rest."""
        size_out, size_in = self.weight.shape
        self.lora_a = nn.Parameter(torch.randn(rank, size_in) / math.sqrt(size_in))
        self.lora_b = nn.Parameter(torch.zeros(size_out, rank))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight, self.bias)
        if self.lora_a is not None:
            y = y + F.linear(F.linear(x, self.lora_a), self.lora_b) * self.scale
        return y


class Block(nn.Module):
    """One decoder layer: attention, then a gated feed-forward part."""

    def __init__(self, c: Config, dropout: float):
        super().__init__()
        self.c, self.dropout = c, dropout
        self.attn_norm = nn.RMSNorm(c.width, c.epsilon)
        self.attn_q = Lora(c.width, c.width, bias=True)
        self.attn_k = Lora(c.width, c.kv_heads * c.head, bias=True)
        self.attn_v = Lora(c.width, c.kv_heads * c.head, bias=True)
        self.attn_output = Lora(c.width, c.width)
        self.ffn_norm = nn.RMSNorm(c.width, c.epsilon)
        self.ffn_gate = Lora(c.width, c.hidden)
        self.ffn_up = Lora(c.width, c.hidden)
        self.ffn_down = Lora(c.hidden, c.width)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], past: list | None) -> Tensor:
        x = x + F.dropout(self.attend(self.attn_norm(x), rope, past), self.dropout, self.training)
        h = self.ffn_norm(x)
        h = self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return x + F.dropout(h, self.dropout, self.training)

    def attend(self, x: Tensor, rope: tuple[Tensor, Tensor], past: list | None) -> Tensor:
        """Attends to x and, when decoding, to what is kept in past."""
        batch, length, _ = x.shape
        q = rotate(self.attn_q(x).view(batch, length, self.c.heads, -1).transpose(1, 2), rope)
        k = rotate(self.attn_k(x).view(batch, length, self.c.kv_heads, -1).transpose(1, 2), rope)
        v = self.attn_v(x).view(batch, length, self.c.kv_heads, -1).transpose(1, 2)
        if past is not None:
            if past:
                k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
            past[:] = k, v
        groups = self.c.heads // self.c.kv_heads
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
        return self.attn_output(y.transpose(1, 2).reshape(batch, length, -1))


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Turns the halves of each head against each other by position (NEOX order)."""
    cos, sin = rope
    left, right = x.chunk(2, -1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)


class Model(nn.Module):
    """The whole network, with input and output sharing one embedding."""

    def __init__(self, c: Config, dropout: float = 0.0):
        super().__init__()
        self.c, self.dropout = c, dropout
        self.token_embd = nn.Embedding(c.vocab, c.width)
        nn.init.normal_(self.token_embd.weight, std=0.02)
        self.blk = nn.ModuleList(Block(c, dropout) for _ in range(c.layers))
        for block in self.blk:
            for layer in block.attn_output, block.ffn_down:
                nn.init.normal_(layer.weight, std=0.02 / math.sqrt(2 * c.layers))
        self.output_norm = nn.RMSNorm(c.width, c.epsilon)
        angles = torch.outer(torch.arange(c.context).float(), c.rope_base ** (-torch.arange(0, c.head, 2).float() / c.head))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, tokens: Tensor, start: int = 0, past: list[list] | None = None) -> Tensor:
        """Returns the last hidden state of every token; start is the first position."""
        span = slice(start, start + tokens.shape[1])
        rope = self.cos[span], self.sin[span]
        x = F.dropout(self.token_embd(tokens), self.dropout, self.training)
        for i, block in enumerate(self.blk):
            x = block(x, rope, past[i] if past is not None else None)
        return self.output_norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores every token of the vocabulary."""
        return F.linear(hidden, self.token_embd.weight)

    def adapters(self) -> dict[str, Lora]:
        """Returns the layers that an adapter may change, by name."""
        return {name: m for name, m in self.named_modules() if isinstance(m, Lora)}

    def adapt(self, rank: int, alpha: float) -> None:
        """Freezes the network and adds a trainable adapter."""
        self.requires_grad_(False)
        for layer in self.adapters().values():
            layer.adapt(rank, alpha)

    @torch.inference_mode()
    def greedy(self, prompts: list[list[int]], stop: int, limit: int) -> list[list[int]]:
        """Continues each prompt with its most likely tokens, without the stop token."""
        answers: list[list[int]] = [[] for _ in prompts]
        by_length: dict[int, list[int]] = {}
        for i, prompt in enumerate(prompts):
            by_length.setdefault(len(prompt), []).append(i)
        for length, members in by_length.items():
            past: list[list] = [[] for _ in self.blk]
            tokens, position = torch.tensor([prompts[i] for i in members]), 0
            open_ = set(members)
            while open_ and position < length + limit:
                hidden = self(tokens, position, past)
                position += tokens.shape[1]
                tokens = self.logits(hidden[:, -1:]).argmax(-1)
                for i, token in zip(members, tokens[:, 0].tolist()):
                    if i in open_ and token != stop:
                        answers[i].append(token)
                    else:
                        open_.discard(i)
        return [answer[:limit] for answer in answers]
