"""A step of DINOv2 in plain PyTorch, written from its description: what `training step dinov2` measures."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F

from work import Work

# `skipped`: the share of the samples that skip each branch of a block.
VIT_S = SimpleNamespace(dim=384, depth=12, heads=6, side=144, local=60, prototypes=65536, skipped=0.3)
VIT_L = SimpleNamespace(dim=1024, depth=24, heads=16, side=144, local=60, prototypes=65536, skipped=0.0)
PATCH, LOCAL_CROPS = 12, 8
STUDENT_TEMPERATURE, TEACHER_TEMPERATURE, MOMENTUM = 0.1, 0.07, 0.992


def make_small():
    """Sizes for a rehearsal."""
    for size in (VIT_S, VIT_L):
        size.__dict__.update(dim=64, depth=2, heads=2, side=48, local=24, prototypes=512)


class Block(torch.nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = torch.nn.LayerNorm(dim, 1e-6), torch.nn.LayerNorm(dim, 1e-6)
        self.qkv, self.proj = torch.nn.Linear(dim, 3 * dim), torch.nn.Linear(dim, dim)
        self.fc1, self.fc2 = torch.nn.Linear(dim, 4 * dim), torch.nn.Linear(4 * dim, dim)
        self.gamma1, self.gamma2 = (torch.nn.Parameter(torch.full((dim,), 1e-5)) for _ in range(2))

    def attend(self, x):
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)) * self.gamma1

    def mix(self, x):
        return self.fc2(F.gelu(self.fc1(self.norm2(x)))) * self.gamma2

    def forward(self, x, kept=None):
        if kept is None:
            x = x + self.attend(x)
            return x + self.mix(x)
        for index, branch in zip(kept, (self.attend, self.mix)):
            x = torch.index_add(x, 0, index, branch(x[index]), alpha=len(x) / len(index))
        return x


class Vit(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.side = size.side // PATCH
        self.embed = torch.nn.Linear(3 * PATCH * PATCH, size.dim)
        self.cls, self.mask = (torch.nn.Parameter(torch.zeros(1, 1, size.dim)) for _ in range(2))
        self.positions = torch.nn.Parameter(0.02 * torch.randn(1, 1 + self.side**2, size.dim))
        self.blocks = torch.nn.ModuleList(Block(size.dim, size.heads) for _ in range(size.depth))
        self.norm = torch.nn.LayerNorm(size.dim, 1e-6)

    def positions_of(self, side):
        if side == self.side:
            return self.positions
        grid = self.positions[:, 1:].unflatten(1, (self.side, -1)).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=(side, side), mode="bicubic")
        return torch.cat([self.positions[:, :1], grid.flatten(2).transpose(1, 2)], 1)

    def forward(self, images, mask=None, kept=None):
        """Class tokens and patch tokens; `kept` has two lists of samples for each block."""
        side = images.shape[-1] // PATCH
        patches = images.unflatten(3, (side, PATCH)).unflatten(2, (side, PATCH)).permute(0, 2, 4, 1, 3, 5)
        x = self.embed(patches.reshape(len(images), side * side, -1))
        if mask is not None:
            x = torch.where(mask[..., None], self.mask.to(x.dtype), x)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.positions_of(side)
        for i, block in enumerate(self.blocks):
            x = block(x) if kept is None else block(x, kept[i])
        x = self.norm(x)
        return x[:, 0], x[:, 1:]


class Head(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        linear, gelu = torch.nn.Linear, torch.nn.GELU
        self.mlp = torch.nn.Sequential(linear(size.dim, 2048), gelu(), linear(2048, 2048), gelu(), linear(2048, 256))
        self.prototypes = torch.nn.Parameter(torch.randn(size.prototypes, 256) / 16)
        self.length = torch.nn.Parameter(torch.ones(size.prototypes, 1))

    def forward(self, x):
        return F.linear(F.normalize(self.mlp(x), dim=-1), F.normalize(self.prototypes, dim=-1) * self.length)


class Network(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.backbone, self.head = Vit(size), Head(size)


def cross_entropy(logits, targets):
    return -(targets * F.log_softmax(logits.float() / STUDENT_TEMPERATURE, -1)).sum(-1)


def targets_of(logits, centre):
    """The teacher's probabilities, and what its centre moves towards."""
    logits = logits.float()
    return ((logits - centre) / TEACHER_TEMPERATURE).softmax(-1), logits.mean(0)


def koleo(x):
    x = F.normalize(x.float(), dim=-1)
    with torch.no_grad():
        products = x @ x.T
        products.fill_diagonal_(-1)
        nearest = products.argmax(1)
    return -((x - x[nearest] + 1e-8).norm(dim=-1) + 1e-8).log().mean()


def objective(networks, batch, targets_of, cross_entropy):
    student, teacher, centres = networks
    views, local, mask, index, weights, kept = batch
    objects = len(views) // 2
    crops, small_crops = len(views), len(local)
    with torch.no_grad():
        cls, patches = teacher.backbone(views)
        logits = teacher.head(torch.cat([cls, patches.flatten(0, 1)[index]]))
        targets, means = zip(*(targets_of(x, c) for x, c in zip(logits.split([crops, len(index)]), centres)))
    cls, patches = student.backbone(views, mask, kept[0])
    small, _ = student.backbone(local, None, kept[1])
    logits = student.head(torch.cat([cls, small, patches.flatten(0, 1)[index]]))
    of_large, of_small, of_patches = logits.split([crops, small_crops, len(index)])
    pairs = 2 + 2 * LOCAL_CROPS
    by_view = targets[0].unflatten(0, (2, objects))
    swapped = by_view.flip(0).flatten(0, 1)
    dino = cross_entropy(of_large, swapped).mean() * 2 / pairs
    both = by_view.sum(0).repeat(LOCAL_CROPS, 1)
    dino = dino + cross_entropy(of_small, both).sum() / (pairs * objects)
    ibot = (cross_entropy(of_patches, targets[1]) * weights).sum() / (2 * objects)
    return dino + ibot + 0.1 * (koleo(cls[:objects]) + koleo(cls[objects:])), means


def draw(size, objects, device):
    """Images, masks of half of the large crops, and the samples that each branch keeps."""
    patches = (size.side // PATCH) ** 2
    mask = torch.zeros(2 * objects, patches, dtype=torch.bool)
    for i in range(objects):
        share = 0.1 + 0.4 * (i + 0.5) / objects
        mask[2 * i, torch.randperm(patches)[: int(share * patches)]] = True
    counts = mask.sum(1)
    index = mask.flatten().nonzero()[:, 0]
    weights = 1.0 / counts[index // patches]
    keep = lambda n: torch.randperm(n)[: max(int(n * (1 - size.skipped)), 1)].to(device)
    kept = [None, None]
    if size.skipped > 0:
        kept = [[(keep(n), keep(n)) for _ in range(size.depth)] for n in (2 * objects, LOCAL_CROPS * objects)]
    images = lambda count, side: torch.rand(count, 3, side, side, device=device)
    large, small = images(2 * objects, size.side), images(LOCAL_CROPS * objects, size.local)
    return large, small, mask.to(device), index.to(device), weights.to(device), kept


def work(size, objects, device, autocast):
    """Weights, moments and teacher in float32, the forward pass under autocast."""
    networks, step = stepping(size, objects, device, autocast)
    whole = lambda networks, batch: objective(networks, batch, targets_of, cross_entropy)
    return Work(step, (whole,))


def work_by_parts(size, objects, device, autocast):
    """The same where blocks are compiled one by one, and what is done with logits: three passes of 24 blocks in one
    piece would compile for minutes."""
    networks, step = stepping(size, objects, device, autocast)
    blocks = [block for network in networks[:2] for block in network.backbone.blocks]
    run = lambda *parts: step(lambda networks, batch: objective(networks, batch, *parts))
    return Work(run, (targets_of, cross_entropy), tuple(blocks))


def stepping(size, objects, device, autocast):
    student, teacher = Network(size).to(device), Network(size).to(device)
    teacher.load_state_dict(student.state_dict())
    teacher.requires_grad_(False)
    weights, followers = list(student.parameters()), list(teacher.parameters())
    centres = [torch.zeros(size.prototypes, device=device) for _ in range(2)]
    networks = student, teacher, centres
    batch = draw(size, objects, device)
    optimizer = torch.optim.AdamW(weights, lr=1e-5, weight_decay=0.05, fused=True)

    def step(objective):
        with autocast():
            loss, means = objective(networks, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 3.0)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(followers, weights, 1 - MOMENTUM)
            for centre, mean in zip(centres, means):
                centre.lerp_(mean, 0.1)

    return networks, step
