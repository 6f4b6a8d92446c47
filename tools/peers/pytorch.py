"""PyTorch's side of `astroclip bench`: towers, `eager` and, where torch.compile can, `compiled`."""

import sys

import torch
import torch.nn.functional as F

import distillation
import peer
import towers


def embedding(embed, inputs, dtype):
    """Weights in the precision of the products; no gradient."""
    state = {name: value.to(dtype) for name, value in towers.random_state(1).items()}
    inputs = inputs.to(dtype)
    return embed, lambda embed: torch.inference_mode()(embed)(state, inputs)


def head(name, batch, dtype):
    """A tower's head on tokens that are there."""
    is_image = "vit" in name
    prefix = "image_encoder." if is_image else "spectrum_encoder."
    tokens = torch.rand(batch, *((144, towers.IMAGE["width"]) if is_image else (778, towers.SPECTRUM["width"])))
    embed = lambda state, x: towers.Tower(state, prefix).embed(x, residual=not is_image)
    if name.endswith("embedding"):
        return embedding(embed, tokens, dtype)
    parts = (prefix + "cross_attention.", prefix + "mlp.")
    return training(parts, lambda state, x: embed(state, x).square().mean(), tokens, dtype)


def training(prefix, objective, inputs, dtype):
    state = {name: value.requires_grad_() for name, value in towers.random_state(1).items() if name.startswith(prefix)}
    return stepping(state, list(state.values()), objective, inputs, dtype)


def stepping(model, weights, objective, inputs, dtype):
    """Steps of objective(model, inputs): weights and moments in float32, the forward pass under autocast."""
    optimizer = torch.optim.AdamW(weights, lr=1e-5, weight_decay=0.05, fused=True)

    def step(objective):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = objective(model, inputs)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return objective, step


def resnet(images, dtype, trains):
    """With channels last, which it runs fastest with."""
    model = towers.ResNet18().train(trains).to(memory_format=torch.channels_last)
    images = images.to(memory_format=torch.channels_last)
    if trains:
        return stepping(model, list(model.parameters()), lambda model, x: model(x).square().mean(), images, dtype)
    model, images = model.to(dtype), images.to(dtype)
    embed = lambda model, x: model(x)
    return embed, lambda embed: torch.inference_mode()(embed)(model, images)


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
    if name.startswith("training step dinov2"):
        return distillation.work(batch, dtype)
    if name.startswith("head "):
        return head(name, batch, dtype)
    if name.endswith("resnet-18"):
        return resnet(images, dtype, name.startswith("training"))
    raise SystemExit(f"no such work: {name}")


def main():
    options = peer.options()
    torch.set_num_threads(options.threads)
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32

    function, run = work_named(options.work, options.batch, dtype)
    run(function)
    modes = {"eager": lambda: run(function)}
    try:
        compiled = torch.compile(function)
        run(compiled)
        modes["compiled"] = lambda: run(compiled)
    except Exception as error:  # no C++ compiler, an operator that cannot be compiled
        print(f"torch.compile: {error}", file=sys.stderr)
    peer.serve(modes)


if __name__ == "__main__":
    main()
