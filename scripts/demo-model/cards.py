"""Reads the hand-written corpus and expands it into question-answer pairs.

A corpus file holds cards. A card is one intent:

    @ return-how                      its name
    q: {how,where} do I return | ...  training questions, separated by " | "
    h: another wording | ...          held-out questions, never trained on
    a: the answer
    k: key phrase | another           an answer holding one of these is right

"{a,b,}" stands for one of its comma-separated alternatives. Lines that start
with "#" are comments. A file is named SCENE.LANG.txt.
"""

import itertools
import random
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
BASE_LIMIT = 16  # wordings kept of one intent before they are varied
VARIED = 6  # further, varied wordings of one intent

ALTERNATIVES = re.compile(r"\{([^{}]*,[^{}]*)\}")

BEFORE = {
    "zh": ["请问", "请问一下，", "你好，", "您好，", "想问一下，", "问一下", "麻烦问下，", "那个，", "我想知道", "咨询一下，", "在吗？", "帮忙看下，", "急，"],
    "en": ["please, ", "hi, ", "hello, ", "excuse me, ", "could you tell me, ", "quick question: ", "so, ", "I wonder, "],
}
AFTER = {
    "zh": ["？", "?", "？", "。", "呢？", "呢", "啊", "啊？", "，谢谢", "，谢谢！", "，急", "～", "！", "？？", "，求教", "，告诉我一下"],
    "en": ["?", "?", "??", ".", "!", " please", ", thanks", ", please?", " ?"],
}


@dataclass
class Card:
    """One intent with its wordings and its answer."""

    name: str
    scene: str
    lang: str
    questions: list[str] = field(default_factory=list)
    heldout: list[str] = field(default_factory=list)
    answer: str = ""
    keys: list[str] = field(default_factory=list)


def normalise(text: str) -> str:
    """Returns text without case, width, punctuation and space differences."""
    text = unicodedata.normalize("NFKC", text).lower()
    return "".join(c for c in text if unicodedata.category(c)[0] in "LNS")


def expand(pattern: str) -> list[str]:
    """Returns every wording that a pattern with {a,b} alternatives stands for."""
    parts = ALTERNATIVES.split(pattern)
    choices = [p.split(",") if i % 2 else [p] for i, p in enumerate(parts)]
    return [re.sub(r"  +", " ", "".join(c)).strip() for c in itertools.product(*choices)]


def read_cards(folder: Path = CORPUS) -> list[Card]:
    """Reads every corpus file, in the order of their names."""
    cards = []
    for path in sorted(folder.glob("*.*.txt")):
        scene, lang = path.name.split(".")[:2]
        cards += read_file(path, scene, lang)
    return cards


def read_file(path: Path, scene: str, lang: str) -> list[Card]:
    """Reads the cards of one file."""
    cards: list[Card] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        mark, _, rest = line.partition(" ")
        match mark:
            case "@":
                cards.append(Card(rest.strip(), scene, lang))
            case "q:":
                cards[-1].questions += rest.split(" | ")
            case "h:":
                cards[-1].heldout += [q.strip() for q in rest.split(" | ")]
            case "a:":
                cards[-1].answer = rest.strip()
            case "k:":
                cards[-1].keys += [k.strip() for k in rest.split(" | ")]
            case _:
                raise ValueError(f"{path.name}:{number}: cannot read {line!r}")
    return cards


def read_synonyms(path: Path = CORPUS / "synonyms.txt") -> dict[str, list[str]]:
    """Returns for every first wording of a group the other ones."""
    groups = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            first, *others = (w.strip() for w in line.split(" | "))
            groups[first] = others
    return groups


def wordings(card: Card, rng: random.Random) -> list[str]:
    """Returns the plain training wordings of a card, at least one per pattern."""
    per_pattern = [expand(p) for p in card.questions]
    for options in per_pattern:
        rng.shuffle(options)
    turns = itertools.zip_longest(*per_pattern)
    ordered = dict.fromkeys(q for turn in turns for q in turn if q)
    return list(ordered)[: max(BASE_LIMIT, len(per_pattern))]


def vary(question: str, lang: str, synonyms: dict[str, list[str]], rng: random.Random) -> str:
    """Rewrites a question with synonyms, a polite frame and other punctuation."""
    found = [w for w in synonyms if re.search(rf"\b{re.escape(w)}\b" if w.isascii() else re.escape(w), question)]
    for word in rng.sample(found, min(len(found), rng.choice((0, 1, 1, 2)))):
        question = question.replace(word, rng.choice(synonyms[word]), 1)
    if rng.random() < 0.5:
        question = rng.choice(BEFORE[lang]) + question
    if rng.random() < 0.7 and question[-1] not in "?？!！。.":
        question += rng.choice(AFTER[lang])
    if lang == "en" and rng.random() < 0.5:
        question = question[0].upper() + question[1:]
    return question
