"""PyTorch's side of `astroclip bench --against pytorch`: the same work, one call for each line on standard input.

Says `ready MODE…` when it is: `eager`, and `compiled` where torch.compile can. Each line names a mode; the answer is the
call's seconds.
"""

import argparse
import sys
import time

import torch
import torch.nn.functional as F

import towers


def embedding(embed, inputs, dtype):
    """Weights in the precision of the products; no gradient."""
    state = {name: value.to(dtype) for name, value in towers.random_state(1).items()}
    inputs = inputs.to(dtype)
    return embed, lambda embed: torch.inference_mode()(embed)(state, inputs)


def training(prefix, objective, inputs, dtype):
    """Weights and moments in float32, the forward pass under autocast."""
    state = {name: value.requires_grad_() for name, value in towers.random_state(1).items() if name.startswith(prefix)}
    optimizer = torch.optim.AdamW(state.values(), lr=1e-5, weight_decay=0.05, fused=True)

    def step(objective):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = objective(state, inputs)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(state.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return objective, step


def reconstruction_error(state, spectra):
    tokens = towers.tokens_of(spectra)
    features = towers.encode_tokens(state, tokens)
    prefix = "spectrum_encoder.backbone.head."
    return (F.linear(features, state[prefix + "weight"], state[prefix + "bias"]) - tokens).square().mean()


def work_named(name, batch, dtype):
    spectra = torch.rand(batch, towers.SPECTRUM["pixels"])
    images = torch.rand(batch, 3, towers.IMAGE["size"], towers.IMAGE["size"])
    if name == "embedding specformer":
        return embedding(towers.embed_spectra, spectra, dtype)
    if name == "embedding vit-l/12":
        return embedding(towers.embed_images, images, dtype)
    if name == "training step specformer":
        return training("spectrum_encoder.backbone", reconstruction_error, spectra, dtype)
    if name == "training step vit-l/12":
        towers.IMAGE["depth"] = 8  # as in astroclip bench: what fits in memory
        return training("image_encoder.", lambda state, x: towers.embed_images(state, x).square().mean(), images, dtype)
    raise SystemExit(f"no such work: {name}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--precision", choices=("f32", "bf16"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32

    function, run = work_named(options.work, options.batch, dtype)
    functions = {"eager": function}
    run(function)
    try:
        compiled = torch.compile(function)
        run(compiled)
        functions["compiled"] = compiled
    except Exception as error:  # no C++ compiler, an operator that cannot be compiled
        print(f"torch.compile: {error}", file=sys.stderr)
    print("ready", *functions, flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        run(functions[line.strip()])
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
