"""How fast augmentation is: thumbnet's batched policy against kornia's batched operations.

    python benchmarks/bench_augment.py --record

Both sides get the same batches of packed images on the same device, in turns, and hand back floats
of the same size. `abai2019/network2` is the heaviest set of any published row here: half of the
images are mirrored, and get each of blur, crop and pad, an affine map, coarse dropout, multiply
and contrast with probability a half, in random order. Our time includes drawing the epoch's tables,
spread over its images. kornia has no wrapped or symmetric fill (its own three are drawn instead),
no coarse dropout (a mask drawn at low resolution stands in), no crop by sides (an affine map stands
in), and draws colors an image, not a channel; so it does no more than ours. Its operations take one
fill and interpolation a call: images of one order, fill and interpolation go through it together.
In `alike` it may treat a whole batch alike instead, with one order, fill and interpolation drawn
for all of its images, which is less than the row asks for; ours is the same as before. The limit,
in the same rounds: the time that copying floats of the result's size in memory takes.

A try that takes seconds: --rounds 1 --batches 4. Without --record nothing is written.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import permutations
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from record import keep, summary, table

if TYPE_CHECKING:
    from torch import Tensor

    from thumbnet.recipe import AugmentSpec

SIZE, EPOCH = 64, 100_000


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--batches", type=int, default=40, help="batches of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, help="[as many as PyTorch takes]")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    return parser.parse_args()


# -- the sets, here and there


def flip_crop() -> "tuple[tuple[AugmentSpec, ...], Any]":
    import kornia.augmentation as peer

    from thumbnet.recipe import FlipSpec, PadCropSpec

    crop = peer.RandomCrop((SIZE, SIZE), padding=4, padding_mode="reflect")
    return (FlipSpec(), PadCropSpec(pad=4)), chain(peer.RandomHorizontalFlip(p=0.5), crop)


def color() -> "tuple[tuple[AugmentSpec, ...], Any]":
    import kornia.augmentation as peer

    from thumbnet.recipe import ContrastSpec, HueSpec, MultiplySpec, SaturationSpec

    ours = MultiplySpec(), ContrastSpec(around="mean"), SaturationSpec(), HueSpec()
    return ours, chain(
        peer.RandomBrightness((0.8, 1.2), p=1),
        peer.RandomContrast((0.75, 1.5), p=1),
        peer.RandomSaturation((0.7, 1.3), p=1),
        peer.RandomHue((-0.1, 0.1), p=1),
    )


def abai2019_network2() -> "tuple[tuple[AugmentSpec, ...], Any]":
    from thumbnet.recipe import (
        AffineSpec,
        BlurSpec,
        CoarseDropoutSpec,
        ContrastSpec,
        CropPadPercentSpec,
        Fill,
        FlipSpec,
        MultiplySpec,
        RandomOrderSpec,
        SometimesSpec,
    )

    fills: tuple[Fill, ...] = ("constant", "edge", "reflect", "symmetric", "wrap")
    ops: tuple[AugmentSpec, ...] = (
        BlurSpec(sigma=(0, 2)),
        CropPadPercentSpec(percent=(-0.1, 0.2), fill=fills, fill_value=(0, 255)),
        AffineSpec(
            scale=(0.8, 1.5),
            per_axis=True,
            translate_x=(-0.2, 0.2),
            translate_y=(-0.2, 0.2),
            rotate=(-45, 45),
            shear=(-16, 16),
            interpolation=("nearest", "bilinear"),
            fill=fills,
            fill_value=(0, 255),
        ),
        CoarseDropoutSpec(p=(0.03, 0.15), size=(0.02, 0.05), per_channel=0.2),
        MultiplySpec(factor=(0.8, 1.2), per_channel=0.2),
        ContrastSpec(factor=(0.75, 1.5), per_channel=0.5),
    )
    each = tuple(SometimesSpec(ops=(op,)) for op in ops)
    flips = FlipSpec(), FlipSpec(axis="vertical", p=0.2)
    return (SometimesSpec(ops=(*flips, RandomOrderSpec(ops=each))),), peer_network2()


def network2_alike() -> "tuple[tuple[AugmentSpec, ...], Any]":
    return abai2019_network2()[0], peer_network2(alike=True)


def peer_network2(*, alike: bool = False) -> "Callable[[Tensor], Tensor]":
    """Return kornia's operations for half of the images.

    Args: alike: one order, fill and interpolation a batch, not one an image
    """
    import kornia.augmentation as peer
    import torch
    from kornia.constants import SamplePadding

    fills = [SamplePadding.ZEROS, SamplePadding.BORDER, SamplePadding.REFLECTION]
    affines = [
        peer.RandomAffine(
            45, (0.2, 0.2), (0.8, 1.5, 0.8, 1.5), (-16, 16), resample=mode, padding_mode=fill, p=0.5
        )
        for fill in fills
        for mode in ("nearest", "bilinear")
    ]
    resized = [
        peer.RandomAffine(0, (0.075, 0.075), (0.7, 1.2, 0.7, 1.2), padding_mode=fill, p=0.5)
        for fill in fills
    ]
    flips = chain(peer.RandomHorizontalFlip(p=0.5), peer.RandomVerticalFlip(p=0.2))
    blur = peer.RandomGaussianBlur((17, 17), (0.01, 2.0), p=0.5)
    color = chain(peer.RandomBrightness((0.8, 1.2), p=0.5), peer.RandomContrast((0.75, 1.5), p=0.5))

    def dropout(images: "Tensor") -> "Tensor":
        batch, channels, height, width = images.shape
        cells = torch.rand(batch, channels, 3, 3, device=images.device)
        lost = cells < torch.empty(batch, 1, 1, 1, device=images.device).uniform_(0.03, 0.15)
        lost &= torch.rand(batch, 1, 1, 1, device=images.device) < 0.5
        kept = torch.nn.functional.interpolate((~lost).float(), size=(height, width))
        return images * kept

    def one_of(
        works: "Sequence[Callable[[Tensor], Tensor]]",
    ) -> "Callable[[Tensor], Tensor]":
        """Give each image, or the whole batch, one of several works."""

        def run(images: "Tensor") -> "Tensor":
            if alike:
                return works[int(torch.randint(len(works), ()))](images)
            chosen = torch.randint(len(works), (len(images),))
            for number, work in enumerate(works):
                index = (chosen == number).nonzero()[:, 0].to(images.device)
                if len(index):
                    images = images.index_copy(0, index, work(images[index]))
            return images

        return run

    geometry, rest = chain(one_of(resized), one_of(affines)), chain(blur, dropout)
    in_order = one_of([chain(*order) for order in permutations((geometry, color, rest))])

    def run(images: "Tensor") -> "Tensor":
        images = images.permute(0, 3, 1, 2).float() / 255
        chosen = (torch.rand(len(images)) < 0.5).nonzero()[:, 0].to(images.device)
        return images.index_copy(0, chosen, in_order(flips(images[chosen])))

    return run


def chain(*ops: "Callable[[Tensor], Tensor]") -> "Callable[[Tensor], Tensor]":
    """Return operations one after the other; packed images become floats of [0, 1] first."""
    import torch

    def run(images: "Tensor") -> "Tensor":
        if images.dtype == torch.uint8:
            images = images.permute(0, 3, 1, 2).float() / 255
        for op in ops:
            images = op(images)
        return images

    return run


SETS = {
    "flip_crop": flip_crop,
    "color": color,
    "abai2019/network2": abai2019_network2,
    "abai2019/network2, alike": network2_alike,
}


# -- in turns


def compare(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Time rounds of both sides in turns; return milliseconds an image of each round."""
    import torch

    from thumbnet.augment.policy import Policy

    generator = torch.Generator().manual_seed(args.seed)
    shape = (args.batch_size, SIZE, SIZE, 3)
    batches = [
        torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).to(args.device)
        for _ in range(args.batches)
    ]
    specs, peer = SETS[name]()
    num_images = args.batches * args.batch_size
    floats = torch.ones(args.batches + 1, args.batch_size, 3, SIZE, SIZE, device=args.device)
    ours: list[float] = []
    tables: list[float] = []
    theirs: list[float] = []
    copies: list[float] = []
    for number in range(-1, args.rounds):  # one round to warm up
        torch.manual_seed(args.seed + number)
        started = perf_counter()
        policy = Policy(specs, max(EPOCH, num_images), SIZE, args.seed, number + 1)
        drawn = (perf_counter() - started) / max(EPOCH, num_images)
        moved = clock(policy, batches)
        other = clock(lambda images, _: peer(images), batches)
        copied = clock(lambda _, i: floats[-1].copy_(floats[i // args.batch_size]), batches)
        if number >= 0:
            ours.append(1000 * (moved / num_images + drawn))
            tables.append(1000 * drawn)
            theirs.append(1000 * other / num_images)
            copies.append(1000 * copied / num_images)
    return {
        "ours_ms_an_image": ours,
        "of_it_tables_ms_an_image": tables,
        "kornia_ms_an_image": theirs,
        "copy_ms_an_image": copies,
        "over_copy": [a / b for a, b in zip(ours, copies, strict=True)],
        "ratios": [b / a for a, b in zip(ours, theirs, strict=True)],
        "batch_size": args.batch_size,
    }


def clock(work: "Callable[[Tensor, int], object]", batches: "list[Tensor]") -> float:
    """Return the seconds that all batches take."""
    import torch

    started = perf_counter()
    for number, images in enumerate(batches):
        work(images, number * len(images))
    if batches[0].device.type == "cuda":
        torch.cuda.synchronize()
    return perf_counter() - started


def main() -> None:
    args = parse()
    import kornia
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    rows, lines = [], []
    for name in args.sets:
        figures = {**compare(name, args), "kornia": kornia.__version__}
        lines.append({"what": f"augmenting by {name} against kornia", "figures": figures})
        print(f"{name}: {median(figures['ratios']):.1f} times kornia", file=sys.stderr)
        rows.append(
            [
                name,
                summary(figures["ours_ms_an_image"], 4),
                summary(figures["of_it_tables_ms_an_image"], 4),
                summary(figures["kornia_ms_an_image"], 4),
                summary(figures["ratios"], 1),
                summary(figures["copy_ms_an_image"], 4),
                summary(figures["over_copy"], 1),
            ]
        )
    columns = ["set", "thumbnet, ms an image", "of it drawing", "kornia, ms an image",
               "kornia's time over ours, round by round", "copying the result, ms an image",
               "our time over the copy"]  # fmt: skip
    about = (
        f"{SIZE} px, batch {args.batch_size}, {torch.get_num_threads()} threads, {args.device}; "
        f"kornia {kornia.__version__}. {args.rounds} rounds of {args.batches} batches, both sides "
        "in turns; median (least to greatest)."
    )
    text = f"{about}\n\n{table(columns, rows)}"
    print(text)
    if args.record:
        keep("augment", text, lines, args.seed)


if __name__ == "__main__":
    main()
