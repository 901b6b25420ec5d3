"""Every image of a batch, and every image to be judged, belongs to one rank."""

import pytest

from thumbnet.errors import RankError
from thumbnet.training.world import World, find_world, judged_by, share_of

STARTED = {
    "RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1",
    "MASTER_ADDR": "localhost", "MASTER_PORT": "29500",
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("num_images", [2, 3, 5, 7, 8, 24, 32, 33])
def test_shares_cover_a_batch_once_and_weigh_as_their_images(num_images: int, size: int) -> None:
    shares = [share_of(100, 100 + num_images, World(rank, size)) for rank in range(size)]
    working = [share for share in shares if share.weight]
    covered = [at for share in working for at in range(share.first, share.last)]
    assert covered == list(range(100, 100 + num_images))
    for share in shares:
        assert share.last - share.first >= 2
        if share.weight:
            assert share.weight == pytest.approx(size * (share.last - share.first) / num_images)
    assert sum(share.weight for share in shares) == pytest.approx(size)


def test_one_process_has_the_whole_batch() -> None:
    share = share_of(64, 96, World())
    assert (share.first, share.last, share.weight) == (64, 96, 1.0)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("num_images", [1, 249, 250, 251, 1000, 5000, 5001])
def test_ranks_judge_each_image_once_in_whole_batches(num_images: int, size: int) -> None:
    parts = [judged_by(num_images, 250, World(rank, size)) for rank in range(size)]
    assert [at for part in parts for at in range(part.start, part.stop)] == list(range(num_images))
    for part in parts:
        assert part.start % 250 == 0 or part.start == part.stop


def test_torchrun_tells_each_process_who_it_is() -> None:
    assert find_world(STARTED) == World(rank=3, size=8, local_rank=1)
    assert not find_world(STARTED).is_first


@pytest.mark.parametrize("missing", STARTED)
def test_a_process_started_otherwise_is_alone(missing: str) -> None:
    rest = {name: value for name, value in STARTED.items() if name != missing}
    assert find_world(rest) == World()
    assert find_world({}).is_first


@pytest.mark.parametrize("changed", [{"RANK": "8"}, {"RANK": "x"}, {"LOCAL_RANK": "-1"}])
def test_refuses_what_are_no_ranks(changed: dict[str, str]) -> None:
    with pytest.raises(RankError, match="are not valid ranks; start with torchrun"):
        find_world(STARTED | changed)
