"""Builds the training pairs and the held-out set from the corpus, and checks both.

Writes build/train.jsonl, and heldout.jsonl beside the model files. The result
depends on nothing but the corpus files and the seed.
"""

import argparse
import json
import random
from collections import Counter
from pathlib import Path

from cards import VARIED, Card, normalise, read_cards, read_synonyms, vary, wordings
from score import is_right

HERE = Path(__file__).parent
BUILD = HERE / "build"
HELDOUT = HERE.parent.parent / "models" / "demo" / "heldout.jsonl"
SEED = 20


def training_pairs(cards: list[Card]) -> list[dict]:
    """Returns the training pairs, without any held-out or repeated wording."""
    rng = random.Random(SEED)
    synonyms = read_synonyms()
    banned = {normalise(q) for card in cards for q in card.heldout}
    seen: set[str] = set()
    pairs = []
    for card in cards:
        plain = wordings(card, rng)
        varied = [vary(rng.choice(plain), card.lang, synonyms, rng) for _ in range(VARIED)]
        for question in plain + varied:
            if question in seen or normalise(question) in banned:
                continue
            seen.add(question)
            pairs.append({"id": card.name, "scene": card.scene, "lang": card.lang, "question": question, "answer": card.answer})
    return pairs


def heldout_lines(cards: list[Card]) -> list[dict]:
    """Returns the held-out questions with what a right answer holds."""
    return [
        {"id": f"{card.name}/{i}", "question": q, "keys": card.keys, "scene": card.scene, "lang": card.lang}
        for card in cards
        for i, q in enumerate(card.heldout, 1)
    ]


def faults(cards: list[Card], pairs: list[dict], heldout: list[dict]) -> list[str]:
    """Returns what is wrong with the corpus, one line each."""
    found = [f"intent {n} is there {c} times" for n, c in Counter(card.name for card in cards).items() if c > 1]
    for card in cards:
        if not is_right(card.answer, card.keys):
            found.append(f"{card.name}: the answer holds none of its key phrases")
        others = [o.name for o in cards if o.answer != card.answer and o.lang == card.lang and is_right(o.answer, card.keys)]
        if len(others) > 1 and card.scene != "outside":
            found.append(f"{card.name}: key phrases also fit {', '.join(others)}")
    owner: dict[str, str] = {}
    for pair in pairs:
        key = normalise(pair["question"])
        if key and owner.setdefault(key, pair["id"]) != pair["id"]:
            found.append(f"{pair['id']} and {owner[key]} share the question {pair['question']!r}")
    found += [f"held-out {line['id']} is in the training set" for line in heldout if normalise(line["question"]) in owner]
    return found


def write_lines(path: Path, lines: list[dict]) -> None:
    """Writes one JSON object per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="check only, write nothing")
    args = parser.parse_args()
    cards = read_cards()
    pairs, heldout = training_pairs(cards), heldout_lines(cards)
    problems = faults(cards, pairs, heldout)
    if not args.check:
        write_lines(BUILD / "train.jsonl", pairs)
        write_lines(HELDOUT, heldout)
    for name, lines in ("training pairs", pairs), ("held-out questions", heldout):
        print(f"{len(lines)} {name}:", dict(sorted(Counter(f"{x['scene']}.{x['lang']}" for x in lines).items())))
    print(f"{len(cards)} intents, {len({x['id'].split('/')[0] for x in heldout})} with held-out questions")
    for problem in problems:
        print("fault:", problem)
    return 3 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
