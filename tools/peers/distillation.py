"""A step of DINOv2 on ViT-S/12 in plain PyTorch, written from its description: what `training step dinov2` measures."""

import torch
import torch.nn.functional as F

PATCH, DIM, DEPTH, HEADS, SIDE, LOCAL = 12, 384, 12, 6, 144, 60
LOCAL_CROPS, PROTOTYPES, SKIPPED = 8, 65536, 0.3
STUDENT_TEMPERATURE, TEACHER_TEMPERATURE, MOMENTUM = 0.1, 0.07, 0.992


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = torch.nn.LayerNorm(DIM, 1e-6), torch.nn.LayerNorm(DIM, 1e-6)
        self.qkv, self.proj = torch.nn.Linear(DIM, 3 * DIM), torch.nn.Linear(DIM, DIM)
        self.fc1, self.fc2 = torch.nn.Linear(DIM, 4 * DIM), torch.nn.Linear(4 * DIM, DIM)
        self.gamma1, self.gamma2 = (torch.nn.Parameter(torch.full((DIM,), 1e-5)) for _ in range(2))

    def attend(self, x):
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)) * self.gamma1

    def mix(self, x):
        return self.fc2(F.gelu(self.fc1(self.norm2(x)))) * self.gamma2

    def forward(self, x, kept):
        if kept is None:
            x = x + self.attend(x)
            return x + self.mix(x)
        for index, branch in zip(kept, (self.attend, self.mix)):
            x = torch.index_add(x, 0, index, branch(x[index]), alpha=len(x) / len(index))
        return x


class Vit(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Linear(3 * PATCH * PATCH, DIM)
        self.cls, self.mask = (torch.nn.Parameter(torch.zeros(1, 1, DIM)) for _ in range(2))
        self.positions = torch.nn.Parameter(0.02 * torch.randn(1, 1 + (SIDE // PATCH) ** 2, DIM))
        self.blocks = torch.nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = torch.nn.LayerNorm(DIM, 1e-6)

    def positions_of(self, side):
        if side == SIDE // PATCH:
            return self.positions
        grid = self.positions[:, 1:].unflatten(1, (SIDE // PATCH, -1)).permute(0, 3, 1, 2)
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
            x = block(x, None if kept is None else kept[i])
        x = self.norm(x)
        return x[:, 0], x[:, 1:]


class Head(torch.nn.Module):
    def __init__(self):
        super().__init__()
        linear, gelu = torch.nn.Linear, torch.nn.GELU
        self.mlp = torch.nn.Sequential(linear(DIM, 2048), gelu(), linear(2048, 2048), gelu(), linear(2048, 256))
        self.prototypes = torch.nn.Parameter(torch.randn(PROTOTYPES, 256) / 16)
        self.length = torch.nn.Parameter(torch.ones(PROTOTYPES, 1))

    def forward(self, x):
        return F.linear(F.normalize(self.mlp(x), dim=-1), F.normalize(self.prototypes, dim=-1) * self.length)


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone, self.head = Vit(), Head()


def cross_entropy(logits, targets):
    return -(targets * F.log_softmax(logits.float() / STUDENT_TEMPERATURE, -1)).sum(-1)


def koleo(x):
    x = F.normalize(x.float(), dim=-1)
    with torch.no_grad():
        products = x @ x.T
        products.fill_diagonal_(-1)
        nearest = products.argmax(1)
    return -((x - x[nearest] + 1e-8).norm(dim=-1) + 1e-8).log().mean()


def objective(networks, batch):
    student, teacher, centres = networks
    views, local, mask, index, weights, kept = batch
    objects = len(views) // 2
    with torch.no_grad():
        cls, patches = teacher.backbone(views)
        logits = [teacher.head(cls), teacher.head(patches.flatten(0, 1)[index])]
        targets = [((x.float() - c) / TEACHER_TEMPERATURE).softmax(-1) for x, c in zip(logits, centres)]
        means = [x.float().mean(0) for x in logits]
    cls, patches = student.backbone(views, mask, kept[0])
    small, _ = student.backbone(local, None, kept[1])
    pairs = 2 + 2 * LOCAL_CROPS
    by_view = targets[0].unflatten(0, (2, objects))
    swapped = by_view.flip(0).flatten(0, 1)
    dino = cross_entropy(student.head(cls), swapped).mean() * 2 / pairs
    both = by_view.sum(0).repeat(LOCAL_CROPS, 1)
    dino = dino + cross_entropy(student.head(small), both).sum() / (pairs * objects)
    ibot = (cross_entropy(student.head(patches.flatten(0, 1)[index]), targets[1]) * weights).sum() / (2 * objects)
    return dino + ibot + 0.1 * (koleo(cls[:objects]) + koleo(cls[objects:])), means


def draw(objects):
    """Images, masks of half of the large crops, and the samples that each branch keeps."""
    patches = (SIDE // PATCH) ** 2
    mask = torch.zeros(2 * objects, patches, dtype=torch.bool)
    for i in range(objects):
        share = 0.1 + 0.4 * (i + 0.5) / objects
        mask[2 * i, torch.randperm(patches)[: int(share * patches)]] = True
    counts = mask.sum(1)
    index = mask.flatten().nonzero()[:, 0]
    keep = lambda n: torch.randperm(n)[: max(int(n * (1 - SKIPPED)), 1)]
    kept = [[(keep(n), keep(n)) for _ in range(DEPTH)] for n in (2 * objects, LOCAL_CROPS * objects)]
    views, local = torch.rand(2 * objects, 3, SIDE, SIDE), torch.rand(LOCAL_CROPS * objects, 3, LOCAL, LOCAL)
    return views, local, mask, index, 1.0 / counts[index // patches], kept


def work(objects, dtype):
    """Weights, moments and teacher in float32, the forward pass under autocast."""
    student, teacher = Network(), Network()
    teacher.load_state_dict(student.state_dict())
    weights, followers = list(student.parameters()), list(teacher.parameters())
    centres = [torch.zeros(PROTOTYPES) for _ in range(2)]
    batch = draw(objects)
    optimizer = torch.optim.AdamW(weights, lr=1e-5, weight_decay=0.05, fused=True)

    def step(objective):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss, means = objective((student, teacher, centres), batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 3.0)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(followers, weights, 1 - MOMENTUM)
            for centre, mean in zip(centres, means):
                centre.lerp_(mean, 0.1)

    return objective, step
