"""Scoring shared by the training evaluation and the check of a running server."""

import unicodedata
from collections import defaultdict

PERSONA_MARKERS = ("小本", "您好", "亲", "xiaoben")
BAR = 0.80  # share of held-out answers that must hold a key phrase


def plain(text: str) -> str:
    """Returns text without case, width and space differences."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def is_right(answer: str, keys: list[str]) -> bool:
    """Reports whether an answer holds one of the key phrases."""
    answer = plain(answer)
    return any(plain(key) in answer for key in keys)


def has_persona(answer: str) -> bool:
    """Reports whether an answer sounds like the service persona."""
    return any(marker in plain(answer) for marker in PERSONA_MARKERS)


def table(rows: list[tuple[dict, bool]]) -> str:
    """Renders right answers out of all by scene and language.

    A row is a held-out line and whether its answer was right.
    """
    counts: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for line, right in rows:
        for key in (line["scene"], line["lang"]), (line["scene"], "all"), ("all", line["lang"]), ("all", "all"):
            counts[key].append(right)
    scenes = sorted({scene for scene, _ in counts} - {"all"}) + ["all"]
    langs = sorted({lang for _, lang in counts} - {"all"}) + ["all"]
    lines = ["scene".ljust(10) + "".join(lang.rjust(18) for lang in langs)]
    for scene in scenes:
        cells = [_cell(counts[scene, lang]) if (scene, lang) in counts else "-" for lang in langs]
        lines.append(scene.ljust(10) + "".join(cell.rjust(18) for cell in cells))
    return "\n".join(lines)


def _cell(rights: list[bool]) -> str:
    return f"{sum(rights)}/{len(rights)} {100 * sum(rights) / len(rights):.1f} %"
