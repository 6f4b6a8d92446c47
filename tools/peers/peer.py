"""What the scripts that `astroclip bench --against` runs share: their options, and calls that are timed one by one."""

import argparse
import sys
import time


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--package", required=True)
    parser.add_argument("--precision", choices=("f32", "bf16"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--work")
    parser.add_argument("--batch", type=int)
    # On a card, where works and batches come by standard input (card.py).
    parser.add_argument("--device")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--compile-mode", choices=("default", "max-autotune"), default="default")
    parser.add_argument("--small", action="store_true")
    return parser.parse_args()


def serve(modes):
    """Says `ready MODE…`. Each line of standard input names a mode; the answer is the seconds of a call of it."""
    print("ready", *modes, flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        modes[line.strip()]()
        print(time.perf_counter() - start, flush=True)
