"""The two towers in plain PyTorch, written from their description: functions of a state dict with the published names.

Nothing here comes from the program that it is compared with, nor from the published code.
"""

import math

import torch
import torch.nn.functional as F

IMAGE = dict(size=144, patch=12, width=1024, depth=24, heads=16, chunks=4)
SPECTRUM = dict(pixels=7781, window=20, stride=10, width=768, depth=6, heads=6, positions=800)
EMBEDDING = 1024
HEAD_HEADS = 4


def make_small():
    """Sizes for a rehearsal."""
    global EMBEDDING
    IMAGE.update(size=48, width=64, depth=2, heads=2, chunks=1)
    SPECTRUM.update(pixels=781, width=64, depth=2, heads=2)
    EMBEDDING = 64


def shapes():
    """The names and shapes of the published two-tower file's tensors."""
    d, p = IMAGE["width"], IMAGE["patch"]
    b = "image_encoder.backbone."
    yield b + "cls_token", (1, 1, d)
    yield b + "pos_embed", (1, (IMAGE["size"] // p) ** 2 + 1, d)
    yield b + "mask_token", (1, d)
    yield b + "patch_embed.proj.weight", (d, 3, p, p)
    yield b + "patch_embed.proj.bias", (d,)
    for i in range(IMAGE["depth"]):
        c = b + f"blocks.{i // (IMAGE['depth'] // IMAGE['chunks'])}.{i}."
        yield from affine(c + "norm1", d)
        yield from linear(c + "attn.qkv", d, 3 * d)
        yield from linear(c + "attn.proj", d, d)
        yield c + "ls1.gamma", (d,)
        yield from affine(c + "norm2", d)
        yield from linear(c + "mlp.fc1", d, 4 * d)
        yield from linear(c + "mlp.fc2", 4 * d, d)
        yield c + "ls2.gamma", (d,)
    yield from affine(b + "norm", d)
    yield from head("image_encoder.", d)

    d, f = SPECTRUM["width"], SPECTRUM["window"] + 2
    b = "spectrum_encoder.backbone."
    yield from linear(b + "data_embed", f, d)
    yield b + "position_embed.weight", (SPECTRUM["positions"], d)
    for i in range(SPECTRUM["depth"]):
        c = b + f"blocks.{i}."
        yield from affine(c + "layernorm1", d)
        yield from linear(c + "attention.attention", d, 3 * d)
        yield from linear(c + "attention.projection", d, d)
        yield from affine(c + "layernorm2", d)
        yield from linear(c + "mlp.encoder", d, 4 * d)
        yield from linear(c + "mlp.decoder", 4 * d, d)
    yield from affine(b + "final_layernorm", d)
    yield from linear(b + "head", d, f)
    yield from head("spectrum_encoder.", d)


def affine(name, width):
    yield name + ".weight", (width,)
    yield name + ".bias", (width,)


def linear(name, fan_in, fan_out):
    yield name + ".weight", (fan_out, fan_in)
    yield name + ".bias", (fan_out,)


def head(prefix, tokens):
    e, a = EMBEDDING, prefix + "cross_attention."
    yield a + "query", (1, 1, e)
    if tokens == e:
        yield a + "multihead_attn.in_proj_weight", (3 * e, e)
    else:
        yield a + "multihead_attn.q_proj_weight", (e, e)
        yield a + "multihead_attn.k_proj_weight", (e, tokens)
        yield a + "multihead_attn.v_proj_weight", (e, tokens)
    yield a + "multihead_attn.in_proj_bias", (3 * e,)
    yield from linear(a + "multihead_attn.out_proj", e, e)
    yield from affine(a + "layernorm", e)
    yield from linear(prefix + "mlp.encoder", e, 4 * e)
    yield from linear(prefix + "mlp.decoder", 4 * e, e)


def random_state(seed, prefixes=("",), device="cpu"):
    """Weights in which every tensor matters: an ignored or transposed one shows. Of those with such a prefix."""
    generator = torch.Generator(device).manual_seed(seed)
    state = {}
    for name, shape in shapes():
        if not name.startswith(prefixes):
            continue
        values = torch.randn(shape, generator=generator, device=device)
        if "norm" in name and name.endswith("weight"):
            values = 1.0 + 0.1 * values
        elif name.endswith("gamma"):
            values = 0.3 + 0.1 * values
        elif len(shape) == 1:
            values = 0.1 * values
        elif name.endswith("weight") and "position" not in name:
            values = values / math.sqrt(math.prod(shape[1:]))
        else:
            values = 0.5 * values
        state[name] = values
    return state


def attention(q, k, v, heads):
    split = lambda x: x.unflatten(-1, (heads, -1)).transpose(1, 2)
    return F.scaled_dot_product_attention(split(q), split(k), split(v)).transpose(1, 2).flatten(2)


class Tower:
    def __init__(self, state, prefix):
        self.state, self.prefix = state, prefix

    def tensor(self, name):
        return self.state[self.prefix + name]

    def linear(self, name, x):
        return F.linear(x, self.tensor(name + ".weight"), self.tensor(name + ".bias"))

    def norm(self, name, x, epsilon):
        return F.layer_norm(x, x.shape[-1:], self.tensor(name + ".weight"), self.tensor(name + ".bias"), epsilon)

    def embed(self, tokens, residual):
        a = "cross_attention.multihead_attn."
        if self.prefix + a + "in_proj_weight" in self.state:
            weights = self.tensor(a + "in_proj_weight").chunk(3)
        else:
            weights = [self.tensor(a + f"{part}_proj_weight") for part in "qkv"]
        biases = self.tensor(a + "in_proj_bias").chunk(3)
        query = self.tensor("cross_attention.query").expand(tokens.shape[0], -1, -1)
        q, k, v = (F.linear(x, w, b) for x, w, b in zip((query, tokens, tokens), weights, biases))
        x = self.linear(a + "out_proj", attention(q, k, v, HEAD_HEADS))[:, 0]
        x = self.norm("cross_attention.layernorm", x, 1e-5)
        y = self.linear("mlp.decoder", F.gelu(self.linear("mlp.encoder", x)))
        return x + y if residual else y


def embed_images(state, images):
    """[B, 3, 144, 144] in 0..1 → [B, 1024]; as the alignment calls the tower, without class token and positions."""
    return Tower(state, "image_encoder.").embed(encode_images(state, images), residual=False)


def encode_images(state, images):
    tower = Tower(state, "image_encoder.")
    weight, bias = tower.tensor("backbone.patch_embed.proj.weight"), tower.tensor("backbone.patch_embed.proj.bias")
    x = F.conv2d(images, weight, bias, stride=IMAGE["patch"]).flatten(2).transpose(1, 2)
    for i in range(IMAGE["depth"]):
        c = f"backbone.blocks.{i // (IMAGE['depth'] // IMAGE['chunks'])}.{i}."
        q, k, v = tower.linear(c + "attn.qkv", tower.norm(c + "norm1", x, 1e-6)).chunk(3, -1)
        x = x + tower.tensor(c + "ls1.gamma") * tower.linear(c + "attn.proj", attention(q, k, v, IMAGE["heads"]))
        y = F.gelu(tower.linear(c + "mlp.fc1", tower.norm(c + "norm2", x, 1e-6)))
        x = x + tower.tensor(c + "ls2.gamma") * tower.linear(c + "mlp.fc2", y)
    return tower.norm("backbone.norm", x, 1e-6)


def tokens_of(spectra):
    """[B, 7781] → [B, 778, 22]: standardised windows behind one token of mean and deviation."""
    mean, deviation = spectra.mean(1, keepdim=True), spectra.std(1, keepdim=True).clamp_min(0.2)
    windows = ((spectra - mean) / deviation).unfold(1, SPECTRUM["window"], SPECTRUM["stride"])
    scale = torch.cat([(mean - 2) / 2, (deviation - 2) / 8], 1)
    return torch.cat([F.pad(scale[:, None], (0, SPECTRUM["window"])), F.pad(windows, (2, 0))], 1)


def encode_tokens(state, tokens):
    tower = Tower(state, "spectrum_encoder.backbone.")
    x = tower.linear("data_embed", tokens) + tower.tensor("position_embed.weight")[: tokens.shape[1]]
    for i in range(SPECTRUM["depth"]):
        c = f"blocks.{i}."
        q, k, v = tower.linear(c + "attention.attention", tower.norm(c + "layernorm1", x, 1e-5)).chunk(3, -1)
        x = x + tower.linear(c + "attention.projection", attention(q, k, v, SPECTRUM["heads"]))
        y = F.gelu(tower.linear(c + "mlp.encoder", tower.norm(c + "layernorm2", x, 1e-5)))
        x = x + tower.linear(c + "mlp.decoder", y)
    return tower.norm("final_layernorm", x, 1e-5)


def embed_spectra(state, spectra):
    """[B, 7781] → [B, 1024]."""
    return Tower(state, "spectrum_encoder.").embed(encode_tokens(state, tokens_of(spectra)), residual=True)


class ResNet18(torch.nn.Module):
    """He et al. 2016: [B, 3, H, W] → [B, 512], the mean feature before the last layer."""

    class Block(torch.nn.Module):
        def __init__(self, fan_in, fan_out, stride):
            super().__init__()
            self.conv1, self.conv2 = convolution(fan_in, fan_out, 3, stride), convolution(fan_out, fan_out, 3, 1)
            changes = stride != 1 or fan_in != fan_out
            self.shortcut = convolution(fan_in, fan_out, 1, stride) if changes else torch.nn.Identity()

        def forward(self, x):
            return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))

    def __init__(self):
        super().__init__()
        blocks, fan_in = [], 64
        for stage, width in enumerate((64, 128, 256, 512)):
            blocks += [self.Block(fan_in, width, 2 if stage else 1), self.Block(width, width, 1)]
            fan_in = width
        self.stem, self.blocks = convolution(3, 64, 7, 2), torch.nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(F.max_pool2d(F.relu(self.stem(x)), 3, 2, 1)).mean((2, 3))


def convolution(fan_in, fan_out, window, stride):
    convolution = torch.nn.Conv2d(fan_in, fan_out, window, stride, window // 2, bias=False)
    return torch.nn.Sequential(convolution, torch.nn.BatchNorm2d(fan_out))
