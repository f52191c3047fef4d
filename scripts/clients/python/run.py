"""What the checks of every client share."""

import asyncio
import inspect
import sys
import traceback


def failure(kind, call):
    """Returns the error of class kind that call raises."""
    try:
        call()
    except kind as err:
        return err
    raise AssertionError(f"succeeded, want {kind.__name__}")


def main(checks: type):
    """Makes the checks that are the public methods of a class, one after the other.

    Each prints a line; the exit status is 1 when one failed.
    """
    if len(sys.argv) != 2:
        print(f"usage: {sys.argv[0]} BASE_URL", file=sys.stderr)
        sys.exit(2)
    made = checks(sys.argv[1])
    failed = 0
    for name, check in vars(checks).items():
        if name.startswith("_"):
            continue
        try:
            result = check(made)
            if inspect.iscoroutine(result):
                asyncio.run(result)
            print(f"ok {name}", flush=True)
        except Exception:
            failed = 1
            print(f"FAILED {name}: {traceback.format_exc()}", flush=True)
    sys.exit(failed)
