"""Measures a running Bendi server on the held-out questions of the demo model.

Needs only the standard library. Prints the share of right answers by scene and
language, the wrong ones, and how visible the persona of the pro route is.
Exits with 3 when a figure is below the bar.
"""

import argparse
import json
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from score import BAR, has_persona, is_right, table

HELDOUT = Path(__file__).parent.parent.parent / "models" / "demo" / "heldout.jsonl"
PERSONA_BAR = 0.80  # share of answers on the service questions that must differ and sound like the persona


def ask(url: str, key: str, question: str) -> str:
    """Returns the server's answer to one question."""
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 120}
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["choices"][0]["message"]["content"]


def ask_all(url: str, args: argparse.Namespace, lines: list[dict]) -> list[str]:
    """Returns the answers to all questions, in their order."""
    with ThreadPoolExecutor(args.parallel) as pool:
        return list(pool.map(lambda line: ask(url, args.key, line["question"]), lines))


def report_base(lines: list[dict], answers: list[str]) -> bool:
    """Prints the accuracy and reports whether it reaches the bar."""
    rows = [(line, is_right(answer, line["keys"])) for line, answer in zip(lines, answers)]
    for (line, right), answer in zip(rows, answers):
        if not right:
            print(f"wrong {line['id']}: {line['question']!r} -> {answer!r}, wanted {' | '.join(line['keys'])!r}")
    share = sum(right for _, right in rows) / len(rows)
    print(table(rows))
    print(f"held-out answers with a key phrase: {share:.1%} (bar {BAR:.0%})")
    return share >= BAR


def report_persona(lines: list[dict], plain: list[str], styled: list[str]) -> bool:
    """Prints how visible the persona is and reports whether it is enough."""
    differ = [a != b for a, b in zip(plain, styled)]
    marked = list(map(has_persona, styled))
    service = [i for i, line in enumerate(lines) if line["scene"] == "service"]
    shown = [differ[i] and marked[i] for i in service]
    rows = [(lines[i], is_right(styled[i], lines[i]["keys"])) for i in service]
    print(f"pro answers that differ: {sum(differ)}/{len(differ)}, with a persona marker: {sum(marked)}/{len(marked)}")
    print(f"before the adapter, with a persona marker: {sum(map(has_persona, plain))}/{len(plain)}")
    print("pro answers to the service questions that are right:\n" + table(rows))
    share = sum(shown) / len(shown)
    print(f"service answers that differ and have a persona marker: {share:.1%} (bar {PERSONA_BAR:.0%})")
    return share >= PERSONA_BAR


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base-url", default="http://127.0.0.1:8080/v1/chat", help="route of the plain demo model")
    parser.add_argument("--pro-url", default="http://127.0.0.1:8080/v1/chat/pro", help="route with the adapter; empty to leave it out")
    parser.add_argument("--key", default="", help="API key, where the server wants one")
    parser.add_argument("--heldout", type=Path, default=HELDOUT, help="questions to ask")
    parser.add_argument("--parallel", type=int, default=4, help="requests at a time")
    args = parser.parse_args()
    lines = [json.loads(line) for line in args.heldout.read_text(encoding="utf-8").splitlines()]
    try:
        plain = ask_all(args.base_url, args, lines)
        good = report_base(lines, plain)
        if args.pro_url:
            good &= report_persona(lines, plain, ask_all(args.pro_url, args, lines))
    except OSError as err:
        print(f"evaluate: {err}", file=sys.stderr)
        return 1
    return 0 if good else 3


if __name__ == "__main__":
    raise SystemExit(main())
