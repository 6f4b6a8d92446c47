"""What the scripts that `astroclip bench --against` runs share: their options, and calls that are timed one by one."""

import argparse
import sys
import time


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--package", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--precision", choices=("f32", "bf16"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def serve(modes):
    """Says `ready MODE…`. Each line of standard input names a mode; the answer is the seconds of a call of it."""
    print("ready", *modes, flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        modes[line.strip()]()
        print(time.perf_counter() - start, flush=True)
