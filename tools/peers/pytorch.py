"""PyTorch's side of `astroclip bench`: towers, `eager` and, where torch.compile can, `compiled`."""

import sys

import torch
import torch.nn.functional as F

import card
import distillation
import kernels
import peer
import towers
from work import Work


# Styles are "f32", "bf16" (weights and all activations of an embedding in bf16) and "autocast" (weights in float32).


def styles_of(name, precision):
    """Training keeps weights in float32; what is embedded by frozen towers is in bf16 at best."""
    if kernels.knows(name):
        return kernels.styles_of(name, precision)
    if precision == "f32":
        return ["f32"]
    return ["bf16", "autocast"] if name.startswith("embedding") else ["autocast"]


def weights_dtype(style):
    return torch.bfloat16 if style == "bf16" else torch.float32


def autocast(style, device):
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=style == "autocast")


def weights_of(prefixes, device, dtype=torch.float32):
    return {name: value.to(dtype) for name, value in towers.random_state(1, prefixes, device).items()}


def trained(prefixes, device):
    return {name: value.requires_grad_() for name, value in weights_of(prefixes, device).items()}


def embedding(prefix, embed, inputs, style):
    """No gradient."""
    device, dtype = inputs.device, weights_dtype(style)
    state, inputs = weights_of((prefix,), device, dtype), inputs.to(dtype)

    def run(embed):
        with torch.no_grad(), autocast(style, device):
            embed(state, inputs)

    return Work(run, (embed,))


def head(name, batch, style, device):
    """A tower's head on tokens that are there."""
    is_image = "vit" in name
    prefix = "image_encoder." if is_image else "spectrum_encoder."
    embed = lambda state, x: towers.Tower(state, prefix).embed(x, residual=not is_image)
    tokens = tokens_for(batch, device)[is_image]
    if name.endswith("embedding"):
        return embedding(prefix, embed, tokens, style)
    return training(head_parts(prefix), lambda state, x: embed(state, x).square().mean(), tokens, style)


def head_parts(prefix):
    return (prefix + "cross_attention.", prefix + "mlp.")


def tokens_for(batch, device):
    """Of spectra and of images."""
    spectra = (towers.SPECTRUM["pixels"] - towers.SPECTRUM["window"]) // towers.SPECTRUM["stride"] + 2
    images = (towers.IMAGE["size"] // towers.IMAGE["patch"]) ** 2
    return (
        torch.rand(batch, spectra, towers.SPECTRUM["width"], device=device),
        torch.rand(batch, images, towers.IMAGE["width"], device=device),
    )


def training(prefixes, objective, inputs, style):
    state = trained(prefixes, inputs.device)
    return stepping(state, list(state.values()), objective, inputs, style)


def stepping(model, weights, objective, inputs, style):
    """Steps of objective(model, inputs): weights and moments in float32, the forward pass under autocast."""
    update = updating(weights, 1.0)

    def run(objective):
        with autocast(style, weights[0].device):
            loss = objective(model, inputs)
        loss.backward()
        update()

    return Work(run, (objective,))


def updating(weights, clip_norm):
    optimizer = torch.optim.AdamW(weights, lr=1e-5, weight_decay=0.05, fused=True)

    def update():
        torch.nn.utils.clip_grad_norm_(weights, clip_norm)
        optimizer.step()
        optimizer.zero_grad()

    return update


def resnet(images, style, trains):
    """With channels last, which it runs fastest with."""
    model = towers.ResNet18().train(trains).to(images.device, memory_format=torch.channels_last)
    images = images.to(memory_format=torch.channels_last)
    if trains:
        return stepping(model, list(model.parameters()), lambda model, x: model(x).square().mean(), images, style)
    model, images = model.to(weights_dtype(style)), images.to(weights_dtype(style))

    def run(model):
        with torch.no_grad(), autocast(style, images.device):
            model(images)

    return Work(run, (model,))


def reconstruct(state, tokens):
    prefix = "spectrum_encoder.backbone.head."
    features = towers.encode_tokens(state, tokens)
    return F.linear(features, state[prefix + "weight"], state[prefix + "bias"])


def reconstruction_error(state, spectra):
    tokens = towers.tokens_of(spectra)
    return (reconstruct(state, tokens) - tokens).square().mean()


def masked_error(state, inputs):
    """Of what was hidden and differs from zero."""
    spectra, mask = inputs
    tokens = towers.tokens_of(spectra)
    changed = (tokens * mask != 0).float()
    return ((reconstruct(state, tokens * (1 - mask)).float() - tokens).square() * changed).mean() / changed.mean()


def masked_modelling(spectra, style):
    """A span is hidden in each of six sections: 50 of 778 tokens."""
    count = tokens_for(1, "cpu")[0].shape[1]
    mask = torch.zeros(len(spectra), count, 1, device=spectra.device)
    for section in range(6):
        mask[:, section * (count // 6) :][:, : count * 50 // 778] = 1
    state = trained(("spectrum_encoder.backbone.",), spectra.device)
    return stepping(state, list(state.values()), masked_error, (spectra, mask), style)


def contrastive(state, tokens):
    """The published loss of both heads' embeddings."""
    spectra, images = (
        F.normalize(towers.Tower(state, prefix).embed(x, residual).float(), dim=-1, eps=1e-3)
        for prefix, x, residual in zip(("spectrum_encoder.", "image_encoder."), tokens, (True, False))
    )
    logits = 15.5 * spectra @ images.T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def alignment(spectra, images, from_cache, style):
    """Heads train on tokens of frozen towers, which are in bf16 where products are."""
    device = spectra.device
    dtype = torch.float32 if style == "f32" else torch.bfloat16
    frozen = weights_of(("spectrum_encoder.backbone.", "image_encoder.backbone."), device, dtype)
    state = trained(head_parts("spectrum_encoder.") + head_parts("image_encoder."), device)
    update = updating(list(state.values()), 1.0)
    inputs = [x.to(dtype) for x in (spectra, images)]
    cached = [x.to(dtype) for x in tokens_for(len(spectra), device)] if from_cache else None

    def encode(spectra, images):
        return towers.encode_tokens(frozen, towers.tokens_of(spectra)), towers.encode_images(frozen, images)

    def run(encode, loss_of):
        with torch.no_grad():
            tokens = cached or encode(*inputs)
        with autocast(style, device):
            loss = loss_of(state, tokens)
        loss.backward()
        update()

    return Work(run, (encode, contrastive))


def work_named(name, batch, style, device):
    if kernels.knows(name):
        return kernels.work_named(name, style, device)
    spectra = torch.rand(batch, towers.SPECTRUM["pixels"], device=device)
    images = torch.rand(batch, 3, towers.IMAGE["size"], towers.IMAGE["size"], device=device)
    if name == "embedding specformer":
        return embedding("spectrum_encoder.", towers.embed_spectra, spectra, style)
    if name == "embedding vit-l/12":
        return embedding("image_encoder.", towers.embed_images, images, style)
    if name == "training step specformer":
        return training(("spectrum_encoder.backbone",), reconstruction_error, spectra, style)
    if name == "training step specformer, masked modelling":
        return masked_modelling(spectra, style)
    if name == "training step vit-l/12":
        towers.IMAGE["depth"] = 8  # as in astroclip bench: what fits in memory
        return training(("image_encoder.",), lambda state, x: towers.embed_images(state, x).square().mean(), images, style)
    if name == "training step dinov2, vit-s/12":
        return distillation.work(distillation.VIT_S, batch, device, lambda: autocast(style, device))
    if name == "training step dinov2, vit-l/12":
        return distillation.work_by_parts(distillation.VIT_L, batch, device, lambda: autocast(style, device))
    if name.startswith("pairs: training the heads on "):
        return alignment(spectra, images, name.endswith("cached tokens"), style)
    if name.startswith("head "):
        return head(name, batch, style, device)
    if name.endswith("resnet-18"):
        return resnet(images, style, name.startswith("training"))
    raise SystemExit(f"no such work: {name}")


def main():
    options = peer.options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.small:
        towers.make_small()
        distillation.make_small()
        kernels.make_small()
    if options.device:
        card.serve(options, styles_of, work_named)
        return
    # Of an embedding the weights are in bf16, too, and training is under autocast.
    style = options.precision
    if style == "bf16" and "train" in options.work:
        style = "autocast"
    work = work_named(options.work, options.batch, style, torch.device("cpu"))
    work.eager()
    modes = {"eager": work.eager}
    try:
        compiled = work.compiled()
        compiled()
        modes["compiled"] = compiled
    except Exception as error:  # no C++ compiler, an operator that cannot be compiled
        print(f"torch.compile: {error}", file=sys.stderr)
    peer.serve(modes)


if __name__ == "__main__":
    main()
