"""PyTorch's side of `astroclip bench` on a card: works are measured one after another, in each of their styles, as
`astroclip bench` measures its rows. By hand:

    echo '{"work": "embedding vit-l/12", "batch": 256}' | python pytorch.py --package pytorch --precision bf16 \\
        --threads 16 --device cuda
"""

import gc
import json
import os
import sys
import threading
import time

import torch

GROUPS = 5


def say(**values):
    print(json.dumps(values), flush=True)


class Card:
    def __init__(self, device):
        self.device = torch.device(device)
        self.is_card = self.device.type == "cuda"  # a rehearsal on the host otherwise
        if self.is_card:
            torch.cuda.init()  # before which the counters of memory refuse every device

    def synchronize(self):
        if self.is_card:
            torch.cuda.synchronize(self.device)

    def free(self):
        gc.collect()
        torch._dynamo.reset()
        if self.is_card:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def held(self):
        return torch.cuda.max_memory_reserved(self.device) if self.is_card else 0

    def seconds_of(self, call, count=1):
        start = time.perf_counter()
        for _ in range(count):
            call()
        self.synchronize()
        return time.perf_counter() - start

    def median_time(self, call, seconds):
        count = max(1, int(seconds / GROUPS / self.seconds_of(call)))
        if count > 1:
            self.seconds_of(call, count)
        return sorted(self.seconds_of(call, count) / count for _ in range(GROUPS))[GROUPS // 2]


def measure(card, make, style, options):
    """One style: compiled, or eager where that fails."""
    card.free()
    work = make()
    card.synchronize()
    call, how = work.eager, "eager"
    if work.can_be_compiled():
        try:
            compiled = work.compiled(options.compile_mode)
            first = card.seconds_of(compiled)
            call, how = compiled, f"compiled ({options.compile_mode})"
        except Exception as error:  # no C++ compiler, no Triton
            print(f"torch.compile: {error}", file=sys.stderr)
    if how == "eager":
        first = card.seconds_of(call)
    say(mode=f"{how}, {style}", seconds=card.median_time(call, options.seconds), first=first, memory=card.held())


def serve(options, styles_of, work_named):
    """Each line of standard input is a work with its batch. A result is a line, and so is the end of each work. A work
    that takes longer than the limit ends the process."""
    card = Card(options.device)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    for line in sys.stdin:
        request = json.loads(line)

        def give_up():
            say(error=f"not done within {options.limit:g} s")
            os._exit(3)

        watch = threading.Timer(options.limit, give_up)
        watch.daemon = True
        watch.start()
        for style in styles_of(request["work"], options.precision):
            try:
                make = lambda: work_named(request["work"], request["batch"], style, card.device)
                measure(card, make, style, options)
            except Exception as error:
                say(mode=style, error=f"{type(error).__name__}: {error}"[:300])
        watch.cancel()
        say(done=True)
