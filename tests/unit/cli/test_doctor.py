"""The rates that `doctor` shows cost little on any processor."""

import pytest

from thumbnet.cli import doctor


@pytest.mark.parametrize(
    ("rate", "size", "sides"),
    [
        (1e12, 2048, [128, 256, 512, 1024] + [2048] * 5),
        (1.7e8, 2048, [128, 256] + [256] * 5),  # bf16 where the processor has none
        (1e6, 2048, [128] + [128] * 5),
        (1e12, 64, [64] * 5),
    ],
)
def test_the_matrices_grow_while_a_product_is_quick(
    monkeypatch: pytest.MonkeyPatch, rate: float, size: int, sides: list[int]
) -> None:
    tried: list[int] = []

    def product_s(side: int, dtype: object) -> float:
        tried.append(side)
        return 2 * side**3 / rate

    monkeypatch.setattr(doctor, "_product_s", product_s)
    assert doctor._matrix_rate(size, None) == pytest.approx(rate / 1e9)
    assert tried == sides
