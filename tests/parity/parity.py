"""Compares the full-size model with PyTorch: embeddings and gradients of ViT-L/12 and Specformer with their heads.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    cmake --build build --target parity
    venv/bin/python tests/parity/parity.py build/bin/parity experiments/astroclip.toml

Random weights go through torch.save in Lightning's layout, so reading them is compared, too. Prints the largest
difference over the largest expected magnitude, of each embedding and of the worst gradients, beside what float32 itself
costs PyTorch (its own difference from float64); ends with status 1 beyond 1e-4.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools/peers"))
import towers  # noqa: E402

TOLERANCE = 1e-4


def expected(state, inputs, dtype):
    """Embeddings and gradients by name."""
    state = {name: value.detach().clone().to(dtype).requires_grad_() for name, value in state.items()}
    found = {}
    for modality, embed in (("image", towers.embed_images), ("spectrum", towers.embed_spectra)):
        embedding = embed(state, inputs[modality].to(dtype))
        embedding.backward(inputs[modality + "_cotangent"].to(dtype))
        found[modality + "_embedding"] = embedding.detach()
    for name, value in state.items():
        if value.grad is not None:
            found["gradient." + name] = value.grad
    return found


def difference(found, wanted):
    return ((found.double() - wanted.double()).abs().max() / wanted.double().abs().max()).item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("architecture")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()

    state = towers.random_state(options.seed)
    generator = torch.Generator().manual_seed(options.seed + 1)
    draw = lambda *shape: torch.randn(shape, generator=generator)
    inputs = {
        "image": torch.rand((options.batch, 3, 144, 144), generator=generator),
        "spectrum": 3.0 + draw(options.batch, towers.SPECTRUM["pixels"]).cumsum(1) / 20,
        "image_cotangent": draw(options.batch, towers.EMBEDDING),
        "spectrum_cotangent": draw(options.batch, towers.EMBEDDING),
    }
    with tempfile.TemporaryDirectory() as folder:
        weights, given, out = (str(pathlib.Path(folder) / name) for name in ("w.ckpt", "in.safetensors", "out.safetensors"))
        torch.save({"state_dict": state, "epoch": 1, "hyper_parameters": {"embed_dim": towers.EMBEDDING}}, weights)
        save_file(inputs, given)
        subprocess.run([options.program, options.architecture, weights, given, out], check=True)
        ours = load_file(out)

    single, double = (expected(state, inputs, dtype) for dtype in (torch.float32, torch.float64))
    missing = sorted(name for name in single if name not in ours)
    # In exact arithmetic the softmax does not see a shift of all scores, so the keys' biases have no gradient.
    keys = [name for name in single if name.endswith(("attn.qkv.bias", "attention.attention.bias", "in_proj_bias"))]
    for results in (ours, single, double):
        for name in keys:
            if name in results:
                q, _, v = results[name].chunk(3)
                results[name] = torch.cat([q, v])
    rows = [(difference(ours[name], single[name]), difference(single[name], double[name]), name)
            for name in single if name not in missing]
    gradients = sorted((row for row in rows if row[2].startswith("gradient")), reverse=True)
    print(f"{'from PyTorch':>14} {'PyTorch f64':>14}")
    for ours_off, torch_off, name in [row for row in rows if row not in gradients] + gradients[:8]:
        print(f"{ours_off:14.2e} {torch_off:14.2e}  {name}")
    print(f"{len(gradients)} gradients compared, {len(missing)} missing {missing or ''}")
    return 1 if missing or max(rows)[0] > TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())
