"""Adaptive attacks on the scoreboard, replayed on the plain board and on the Ladder.

    python benchmarks/bench_ladder.py --record
    python benchmarks/bench_ladder.py --only climb --record

A team whose network scores 60 % learns from the scores it is shown which of its doubtful answers to
change to its second guess. What that gains on the public images beyond the private ones is the gap.

blind: every entry changes a random half of the doubtful answers. What raised the score more often
    than not, whatever the network thinks of it, is changed.
regress: the same entries. A linear regression on all scores shown, with the network's own odds as
    prior, says which changes are worth making.
rise: as regress, and made for the Ladder: the first entries are wrong almost everywhere, and each
    next one takes back a few errors, so that it beats the best and is answered.
climb: as rise, on networks of about 45 % with synthetic logits and errors in common, and learns
    from every entry, also where the best score is only shown again; see ladder_climb.py. The gap is
    that of the answers it believes in after its last entry.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladder_climb import Variant, climb, draw_guesses
from record import keep, table
from thumbnet.challenge.ladder import Ladder, Plain, Scorer
from thumbnet.challenge.split import choose_public

NUM_IMAGES, NUM_CLASSES, NUM_DOUBTFUL = 10_000, 200, 2_000
PUBLIC_SHARE = 0.3
NUM_PUBLIC = round(PUBLIC_SHARE * NUM_IMAGES)
CHECKPOINTS = (84, 360, 1_080)  # entries: 7, 30 and 90 days at one each two hours
PACES = (1.0, 1.5, 2.0, 3.0)  # steps of the Ladder that an entry of `rise` aims to gain
BOARDS: dict[str, Scorer] = {
    "exact": Plain(0.0),
    "rounded to 0.1": Plain(0.001),
    "rounded to 0.5": Plain(0.005),
    "rounded to 1": Plain(0.01),
    "rounded to 2": Plain(0.02),
    "Ladder 0.5": Ladder(0.005),
    "Ladder 1": Ladder(0.01),
    "Ladder 2": Ladder(0.02),
}

CLIMBS = (  # entries, variant
    (50, Variant(2, 2_500, 0.3)),
    (50, Variant(2, 5_000, 1.0)),
    (50, Variant(3, 5_000, 0.3)),
    (84, Variant(2, 2_500, 0.3)),
    (84, Variant(2, 5_000, 1.0)),
    (84, Variant(3, 5_000, 0.3)),
    (500, Variant(2, 5_000, 0.3)),
)
CLIMBED = ("Ladder 0.5", "Ladder 1", "Ladder 2")

Floats = NDArray[np.float64]
Changes = NDArray[np.bool_]  # which doubtful answers are changed to the second guess


@dataclass(frozen=True)
class Network:
    """What a calibrated network says of the hidden images, and what is true of them.

    `gain`: what changing a doubtful answer adds, -1, 0 or 1. `first`, `second`: what the network
    gives its two guesses. Of the other images, surest first: `sure` is what it gives the first
    guess, `sure_hits` whether that is a right answer on a public image.

    Shapes: public, gain, first, second (U,), U doubtful images; sure, sure_hits (N - U,)
    """

    public_score: float
    private_score: float
    public: NDArray[np.bool_]
    gain: Floats
    first: Floats
    second: Floats
    sure: Floats
    sure_hits: NDArray[np.bool_]

    def public_with(self, changes: NDArray[Any]) -> NDArray[Any]:
        """The exact public score with these changes; of many at once where they are rows."""
        return (
            self.public_score + changes.astype(np.float64) @ (self.gain * self.public) / NUM_PUBLIC
        )

    def gap_change(self, changes: Changes) -> float:
        """By how much these changes raise the public score more than the private one."""
        public = float(self.gain @ (changes & self.public)) / NUM_PUBLIC
        return public - float(self.gain @ (changes & ~self.public)) / (NUM_IMAGES - NUM_PUBLIC)


def draw_network(seed: int) -> Network:
    """Draw a network that gets right 40 % of what it gives 40 %, and 60 % of all."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(NUM_CLASSES), NUM_IMAGES // NUM_CLASSES)
    is_public = choose_public(labels, PUBLIC_SHARE, seed)
    first = rng.uniform(0.2, 1.0, NUM_IMAGES)
    second = np.minimum(first, (1 - first) * rng.uniform(0.1, 0.6, NUM_IMAGES))
    drawn = rng.random(NUM_IMAGES)
    right, second_right = drawn < first, (drawn >= first) & (drawn < first + second)
    order = np.argsort(first - second)
    doubtful, rest = order[:NUM_DOUBTFUL], order[NUM_DOUBTFUL:]
    rest = rest[np.argsort(-first[rest])]
    return Network(
        public_score=float(right[is_public].mean()),
        private_score=float(right[~is_public].mean()),
        public=is_public[doubtful],
        gain=second_right[doubtful].astype(np.float64) - right[doubtful],
        first=first[doubtful],
        second=second[doubtful],
        sure=first[rest],
        sure_hits=is_public[rest] & right[rest],
    )


def learn(network: Network, tried: Floats, scores: Floats, noise: Floats) -> Changes:
    """Return the changes whose mean gain is above 0, given the scores of random ones.

    The linear-Gaussian posterior, by its dual: one equation an entry.

    Shapes: tried (T, U); scores (T,), less what they would be without changes; noise (T, T) the
        covariance of what the scores hold besides
    """
    mean = PUBLIC_SHARE * (network.second - network.first)
    variance = PUBLIC_SHARE * (network.first + network.second) - mean**2
    design = tried / NUM_PUBLIC
    weighted = design * variance
    weights = np.linalg.solve(weighted @ design.T + noise, scores - design @ mean)
    return mean + weighted.T @ weights > 0


def rounding_noise(scorer: Scorer, count: int) -> Floats:
    """Return the covariance that rounding adds: uniform errors, independent."""
    step = scorer.step if isinstance(scorer, Ladder) else getattr(scorer, "rounding", 0.0)
    return np.eye(count) * (step**2 / 12 + 1e-12)


def regress(network: Network, seed: int, scorer: Scorer, blind: bool = False) -> list[float]:
    """Play the attack `regress`, or `blind`; return the change of the gap at each checkpoint.

    The entry at a checkpoint is what the entries before it taught; the first is the network's own.
    """
    rng = np.random.default_rng([seed, 1])
    tried = (rng.random((max(CHECKPOINTS) - 1, NUM_DOUBTFUL)) < 0.5).astype(np.float64)
    tried[0] = 0.0
    shown, best = np.empty(len(tried)), None
    for entry, value in enumerate(network.public_with(tried).tolist()):
        shown[entry] = scorer.show(value, best)
        best = shown[entry] if best is None else max(best, shown[entry])
    noise = rounding_noise(scorer, len(tried)) + rounding_noise(scorer, 1)[0, 0]  # of the first
    changes = []
    for num in CHECKPOINTS:
        past = slice(1, num - 1)
        if blind:
            learned = (tried[past] - 0.5).T @ (shown[past] - shown[past].mean()) > 0
        else:
            learned = learn(network, tried[past], shown[past] - shown[0], noise[past, past])
        changes.append(network.gap_change(learned))
    return changes


def rise(network: Network, seed: int, scorer: Ladder, pace: float) -> list[float]:
    """Play the attack `rise`; return the change of the gap at each checkpoint.

    From nought to the network's own score there are as many answers as the Ladder has steps,
    however many entries are allowed.
    """
    rng = np.random.default_rng([seed, 2])
    lost = np.concatenate([[0], np.cumsum(network.sure_hits)]) / NUM_PUBLIC
    expected = np.concatenate([[0.0], np.cumsum(network.sure)]) * PUBLIC_SHARE / NUM_PUBLIC
    own = float(np.concatenate([network.sure, network.first]).mean())
    stride = pace * scorer.step * NUM_PUBLIC / PUBLIC_SHARE / network.sure.mean()
    tried: list[Changes] = []
    heights: list[tuple[int, float]] = []  # how many sure answers were spoilt, and what was shown
    changes, spoilt, best, answered = list[float](), float(len(network.sure)), 0.0, True
    for entry in range(1, max(CHECKPOINTS) + 1):
        if entry in CHECKPOINTS:
            depth = np.array([height[0] for height in heights])
            shown = np.array([height[1] for height in heights])
            both = np.minimum(depth[:, None], depth[None, :])  # spoilt in both entries
            drift = both * PUBLIC_SHARE * (1 - PUBLIC_SHARE) / NUM_PUBLIC**2
            noise = drift + own * (1 - own) / NUM_PUBLIC + rounding_noise(scorer, len(depth))
            learned = learn(network, np.array(tried, float), shown - own + expected[depth], noise)
            changes.append(network.gap_change(learned))
        spoilt = max(0.0, spoilt - (stride if answered else stride / 4))
        change = rng.random(NUM_DOUBTFUL) < 0.5
        value = scorer.show(float(network.public_with(change)) - lost[int(spoilt)], best)
        answered = value > best
        if answered:
            best = value
            tried.append(change)
            heights.append((int(spoilt), value))
    return changes


def replay(seeds: Sequence[int]) -> dict[tuple[str, str], Floats]:
    """Play every attack on every board.

    Returns: by attack and board, (seeds, checkpoints)
    """
    networks = [draw_network(seed) for seed in seeds]
    done: dict[tuple[str, str], Floats] = {}

    def play(attack: str, board: str, run: Callable[[Network, int], list[float]]) -> None:
        done[attack, board] = np.array([run(*pair) for pair in zip(networks, seeds, strict=True)])

    for board, scorer in BOARDS.items():
        play("blind", board, partial(regress, scorer=scorer, blind=True))
        play("regress", board, partial(regress, scorer=scorer))
        if isinstance(scorer, Ladder):
            for pace in PACES:
                play(f"rise by {pace:g}", board, partial(rise, scorer=scorer, pace=pace))
    return done


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="how many networks [20]")
    parser.add_argument("--only", choices=["climb", "others"], help="play these only")
    parser.add_argument("--climbers", type=int, default=8, help="networks that climb [8]")
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    args = parser.parse_args()
    texts, lines = list[str](), list[dict[str, Any]]()
    for only, show in (("others", partial(show_others, args.seeds)),
                       ("climb", partial(show_climbs, args.climbers))):  # fmt: skip
        if args.only in (None, only):
            text, measured = show()
            print(f"{text}\n")
            texts.append(text)
            lines += measured
    if args.record:
        keep("ladder", "\n\n".join(texts), lines, seed=0)


def show_others(num_networks: int) -> tuple[str, list[dict[str, Any]]]:
    """Play all attacks but climb; return the page's part and the lines to record."""
    done = replay(range(num_networks))
    lines, cells = list[dict[str, Any]](), list[list[str]]()
    for (attack, board), changes in sorted(done.items(), key=lambda item: item[0][0]):
        points = 100 * changes
        mean, error = points.mean(axis=0), points.std(axis=0, ddof=1) / num_networks**0.5
        figures = {
            f"gap_change_{num}": {"mean": round(mean[i], 3), "error": round(error[i], 3),
                                  "max": round(points[:, i].max(), 3)}
            for i, num in enumerate(CHECKPOINTS)
        }  # fmt: skip
        what = f"{attack}, {board}"
        lines.append({"what": what, "figures": {**figures, "seeds": num_networks}})
        cells.append(
            [attack, board, *(f"{m:+.2f} ± {e:.2f}" for m, e in zip(mean, error, strict=True))]
        )
    columns = ["attack", "board (points)", *(f"{num:,} entries" for num in CHECKPOINTS)]
    text = (
        "Change of public minus private score since the first entry, in points; mean and its\n"
        f"standard error over {num_networks} networks.\n\n{table(columns, cells)}"
    )
    return text, lines


def show_climbs(num_networks: int) -> tuple[str, list[dict[str, Any]]]:
    """Play climb; return the page's part and the lines to record."""
    networks = [draw_guesses(index, PUBLIC_SHARE) for index in range(num_networks)]
    lines, cells = list[dict[str, Any]](), list[list[str]]()
    for num_entries, variant in CLIMBS:
        row = [f"{num_entries}", str(variant)]
        for name in CLIMBED:
            board = BOARDS[name]
            assert isinstance(board, Ladder)
            gains = [climb(each, seed, board, num_entries, variant)
                     for seed, each in enumerate(networks)]  # fmt: skip
            points = 100 * np.array(gains)
            mean, error = points.mean(), points.std(ddof=1) / num_networks**0.5
            row.append(f"{mean:+.2f} ± {error:.2f}")
            figures = {"mean": round(mean, 3), "error": round(error, 3),
                       "max": round(points.max(), 3), "entries": num_entries,
                       "seeds": num_networks}  # fmt: skip
            lines.append({"what": f"climb, {name}, {variant}", "figures": figures})
        cells.append(row)
    top1 = [f"{100 * each.right[:, 0].mean():.1f}" for each in networks]
    text = (
        f"Attack climb, planned for so many entries, on {num_networks} networks: synthetic logits "
        f"of {NUM_IMAGES:,}\nimages and {NUM_CLASSES} classes, half of the noise shared, top-1 "
        f"{min(top1)} to {max(top1)} %. Change of public\nminus private score, in points; mean "
        "and its standard error. The\nnetworks' errors are correlated, so the true error may be "
        f"larger.\n\n{table(['entries', 'variant', *CLIMBED], cells)}"
    )
    return text, lines


if __name__ == "__main__":
    main()
