"""The peer of bench_step.py: a plain PyTorch training script over a folder of image files.

As a tutorial has it: a Dataset that opens, resizes and normalizes an image at a time, a DataLoader
with two workers, fp32, SGD with momentum. The network itself is thumbnet's, which is no faster or
slower than another of the same layers. It prints one line of JSON.

    python benchmarks/peer_plain_torch.py IMAGES --network lenet5 --warmup 200 --steps 400

IMAGES holds a folder a class.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from thumbnet import create_model

SETTINGS = {  # of the published rows: mode, size, mean, std, batch size, outputs
    "lenet5": ("L", 28, [0.5], [0.5], 32, 200),
    "resnet18": ("RGB", 64, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 50, 1000),
}
LR = 0.001


class ImageFolder(Dataset[tuple[Tensor, int]]):
    def __init__(
        self, root: Path, mode: str, size: int, mean: list[float], std: list[float]
    ) -> None:
        folders = sorted(path for path in root.iterdir() if path.is_dir())
        self.samples = [(file, i) for i, d in enumerate(folders) for file in sorted(d.iterdir())]
        self.mode, self.size = mode, size
        self.mean = torch.tensor(mean).view(-1, 1, 1)
        self.std = torch.tensor(std).view(-1, 1, 1)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.samples[index]
        with Image.open(path) as file:
            image = file.convert(self.mode)
        if image.size != (self.size, self.size):
            image = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image)).view(self.size, self.size, -1)
        tensor = pixels.permute(2, 0, 1).float() / 255  # (H, W, C) -> (C, H, W)
        return (tensor - self.mean) / self.std, label


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("--network", choices=sorted(SETTINGS), required=True)
    parser.add_argument("--warmup", type=int, default=200, help="steps before the clock starts")
    parser.add_argument("--steps", type=int, default=400, help="steps on the clock")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    mode, size, mean, std, batch_size, outputs = SETTINGS[args.network]
    loader = DataLoader(
        ImageFolder(args.images, mode, size, mean, std),
        batch_size=batch_size,
        shuffle=True,
        num_workers=args.workers,
        pin_memory=args.device != "cpu",
    )
    device = torch.device(args.device)
    model = create_model(args.network, outputs, in_channels=1 if mode == "L" else 3).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9)

    model.train()
    step = num_images = 0
    started = perf_counter()
    while step < args.warmup + args.steps:
        for images, labels in loader:
            if step == args.warmup:
                synchronize(device)
                started, num_images = perf_counter(), 0
            images, labels = images.to(device), labels.to(device)  # noqa: PLW2901
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            step += 1
            num_images += len(labels)
            if step == args.warmup + args.steps:
                break
    synchronize(device)
    wall_s = perf_counter() - started
    print(json.dumps({"images_per_s": num_images / wall_s, "wall_s": wall_s, "loss": loss.item()}))


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
