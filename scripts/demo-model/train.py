"""Trains the demo model and its adapter on the CPU, with a fixed recipe.

    python train.py tokenizer     learn the tokenizer
    python train.py base          train the network from scratch
    python train.py adapter       train the service persona on top of it
    python train.py evaluate      measure both on the held-out questions

Everything is written to build/ and depends only on the corpus and the seed.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

import bpe
import persona
from build_corpus import BUILD, HELDOUT
from dialogues import Dialogues, Encoder
from model import Config, Model
from score import has_persona, is_right, table

SEED = 20
THREADS = 2
LIMIT = 120  # tokens of an answer at most
TOKENIZER, BASE, ADAPTER = BUILD / "tokenizer.json", BUILD / "base.pt", BUILD / "adapter.pt"
RANK, ALPHA = 8, 16.0


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to learn."""

    epochs: int
    rate: float
    budget: int = 2048  # tokens of a batch, padding included
    warmup: int = 80  # steps
    decay: float = 0.1  # weight decay of matrices
    cut: float = 0.65  # share of dialogues whose last answer is cut short


ANSWERS = Recipe(epochs=3, rate=2e-3)  # learns the answers by heart
INTENTS = Recipe(epochs=5, rate=1.8e-3, budget=1024, cut=0.8)  # learns which question wants which
SERVICE = Recipe(epochs=5, rate=3e-3, budget=1024, warmup=40, decay=0.0, cut=0.3)  # learns the persona
DROPOUT = 0.1


def read_lines(path: Path) -> list[dict]:
    """Reads one JSON object per line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def train_tokenizer() -> None:
    """Learns the tokenizer from the training questions and answers."""
    pairs = read_lines(BUILD / "train.jsonl")
    answers = sorted({p["answer"] for p in pairs} | {persona.answer(p["id"], p["scene"], p["lang"], p["answer"]) for p in pairs})
    roles = ["system", "user", "assistant"] * 100
    tokenizer = bpe.train([p["question"] for p in pairs] + answers * 4 + roles)
    tokenizer.save(str(TOKENIZER))
    print(f"{tokenizer.get_vocab_size()} tokens")


def learn(model: Model, data: Dialogues, recipe: Recipe, save) -> None:
    """Runs the training loop and calls save(finished epochs) after every epoch."""
    weights = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in weights if p.dim() > 1], "weight_decay": recipe.decay},
        {"params": [p for p in weights if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))
    began, seen, step = time.monotonic(), 0, 0
    total = recipe.epochs * sum(1 for _ in data.epoch(recipe.budget, recipe.cut))
    for epoch in range(1, recipe.epochs + 1):
        losses = []
        for tokens, wanted in data.epoch(recipe.budget, recipe.cut):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * schedule(step, total, recipe.warmup)
            hidden = model(tokens[:, :-1])[wanted[:, 1:]]
            loss = F.cross_entropy(model.logits(hidden), tokens[:, 1:][wanted[:, 1:]])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            seen += tokens.numel()
            losses.append(loss.item())
            if step % 20 == 0:
                took = time.monotonic() - began
                print(f"epoch {epoch} step {step}/{total} loss {sum(losses[-50:]) / len(losses[-50:]):.4f} {seen / took:.0f} tokens/s {took / 60:.1f} min", flush=True)
        save(epoch)
    print(f"{step} steps, {seen} tokens, {(time.monotonic() - began) / 60:.1f} min", flush=True)


def schedule(step: int, total: int, warmup: int) -> float:
    """Returns the share of the full learning rate: warm-up, then a cosine to 2 %."""
    if step < warmup:
        return step / warmup
    done = min(1.0, (step - warmup) / max(1, total - warmup))
    return 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2


def train_base() -> None:
    """Trains the network from scratch."""
    encoder = Encoder(bpe.load(TOKENIZER))
    config = Config(vocab=encoder.tokenizer.get_vocab_size())
    model = Model(config, DROPOUT)
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    data = Dialogues(read_lines(BUILD / "train.jsonl"), encoder, config.context, SEED)

    def save(epoch: int) -> None:
        torch.save({"config": asdict(config), "weights": model.state_dict(), "epoch": epoch}, BASE)

    for recipe in ANSWERS, INTENTS:
        learn(model, data, recipe, save)


def train_adapter() -> None:
    """Trains the adapter on top of the finished network."""
    encoder = Encoder(bpe.load(TOKENIZER))
    model = load_model()
    model.adapt(RANK, ALPHA)
    pairs = persona.pairs(read_lines(BUILD / "train.jsonl"))
    data = Dialogues(pairs, encoder, model.c.context, SEED + 1)

    def save(epoch: int) -> None:
        weights = {n: p for n, p in model.state_dict().items() if n.endswith(("lora_a", "lora_b"))}
        torch.save({"rank": RANK, "alpha": ALPHA, "weights": weights, "epoch": epoch}, ADAPTER)

    learn(model, data, SERVICE, save)


def load_model(adapter: bool = False) -> Model:
    """Loads the trained network, with its adapter if asked for."""
    saved = torch.load(BASE, weights_only=True)
    model = Model(Config(**saved["config"]))
    model.load_state_dict(saved["weights"])
    if adapter:
        extra = torch.load(ADAPTER, weights_only=True)
        model.adapt(extra["rank"], extra["alpha"])
        model.load_state_dict(extra["weights"], strict=False)
    return model.eval()


def answers(model: Model, encoder: Encoder, questions: list[str]) -> list[str]:
    """Returns the greedy answer to each question."""
    prompts = [encoder.prompt(q) for q in questions]
    return [encoder.tokenizer.decode(t) for t in model.greedy(prompts, encoder.end, LIMIT)]


def evaluate() -> None:
    """Prints the held-out accuracy and how visible the persona is."""
    encoder, heldout = Encoder(bpe.load(TOKENIZER)), read_lines(HELDOUT)
    questions = [line["question"] for line in heldout]
    plain = answers(load_model(), encoder, questions)
    rows = [(line, is_right(answer, line["keys"])) for line, answer in zip(heldout, plain)]
    for (line, right), answer in zip(rows, plain):
        if not right:
            print(f"wrong {line['id']}: {line['question']} -> {answer}")
    print(table(rows))
    if ADAPTER.exists():
        styled = answers(load_model(adapter=True), encoder, questions)
        shop = [(line, is_right(a, line["keys"])) for line, a in zip(heldout, styled) if line["scene"] == "service"]
        print(f"persona: {sum(a != b for a, b in zip(plain, styled))}/{len(plain)} answers differ, {sum(map(has_persona, styled))} sound like her")
        print("persona on the service questions:\n" + table(shop))


def main() -> None:
    stages = {"tokenizer": train_tokenizer, "base": train_base, "adapter": train_adapter, "evaluate": evaluate}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=stages)
    args = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    stages[args.stage]()


if __name__ == "__main__":
    main()
