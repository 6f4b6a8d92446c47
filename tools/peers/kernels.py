"""Products and attention of the towers' blocks, and the update, by PyTorch's own kernels: rows of `astroclip bench` on a card."""

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

import towers
from work import Work

# Objects, tokens, heads and the width of a head.
BLOCKS = {"specformer": (128, 778, 6, 128), "vit": (256, 145, 16, 64), "crops of 26 tokens": (512, 26, 16, 64)}
# Widths of what a product reads and writes, in widths of a token.
PRODUCTS = {"qkv": (1, 3), "projection": (1, 1), "mlp in": (1, 4), "mlp out": (4, 1)}


def make_small():
    BLOCKS.update({name: (2, min(size[1], 26), 2, 32) for name, size in BLOCKS.items()})


def knows(name):
    return name.startswith(("linear ", "attention ", "clip + adamw "))


def styles_of(name, precision):
    return ["bf16", "bf16 by cuDNN"] if name.startswith("attention ") and precision == "bf16" else [precision]


def work_named(name, style, device):
    dtype = torch.float32 if style == "f32" else torch.bfloat16
    random = lambda *shape: torch.rand(*shape, device=device, dtype=dtype) - 0.5
    if name.startswith("clip + adamw "):
        return update(device)
    of_tower, _, gradient = name.partition(", ")
    kind, of_tower = of_tower.split(" ", 1)
    tower = next(each for each in BLOCKS if of_tower.startswith(each))
    if kind == "attention":
        return attention(BLOCKS[tower], random, gradient, style.endswith("cuDNN"))
    return product(BLOCKS[tower], of_tower.removeprefix(tower + " "), random, gradient)


def product(size, name, random, gradient):
    batch, tokens, heads, width = size
    rows, (fan_in, fan_out) = batch * tokens, (n * heads * width for n in PRODUCTS[name])
    x, weight, bias, dy = random(rows, fan_in), random(fan_out, fan_in), random(fan_out), random(rows, fan_out)
    if gradient == "input gradient":
        return Work(lambda: dy @ weight)
    if gradient == "weight gradient":
        return Work(lambda: (dy.T @ x, dy.sum(0)))
    return Work(lambda: F.linear(x, weight, bias))


def attention(size, random, gradient, by_cudnn):
    batch, tokens, heads, width = size
    # Heads as they lie in the q-k-v product.
    q, k, v = random(batch, tokens, 3, heads, width).requires_grad_(bool(gradient)).permute(2, 0, 3, 1, 4)
    dy = random(batch, tokens, heads, width).transpose(1, 2)

    def attend():
        if not by_cudnn:
            return F.scaled_dot_product_attention(q, k, v)
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            return F.scaled_dot_product_attention(q, k, v)

    if not gradient:
        return Work(attend)
    y = attend()
    return Work(lambda: torch.autograd.grad(y, (q, k, v), dy, retain_graph=True))


def update(device):
    weights = list(towers.random_state(1, ("image_encoder.",), device).values())
    gradients = [torch.rand_like(weight) - 0.5 for weight in weights]
    optimizer = torch.optim.AdamW(weights, lr=1e-5, weight_decay=0.05, fused=True)

    def run():
        for weight, gradient in zip(weights, gradients):
            weight.grad = gradient
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()

    return Work(run)
