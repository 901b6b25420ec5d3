"""Every form a submission may have, and every way it may be wrong."""

import csv
import gzip
import io
import random
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from thumbnet.challenge.parse import (
    MAX_COUNTED,
    MAX_ERRORS,
    Classes,
    MalformedError,
    parse_submission,
    read_careful,
    read_plain,
)
from thumbnet.challenge.rows import split_lines

NAMES = ["a.png", "b.png", "c.png"]
WNIDS = ["n01", "n02", "n03", "n04", "n05", "n06"]
CLASSES = ["goldfish", "Egyptian cat", "crane", "crane", "ox; yak", "toad, common"]
MIB = 1 << 20


def read(content: bytes | str, num_labels: int = 1) -> list[list[int]]:
    content = content.encode() if isinstance(content, str) else content
    answers = parse_submission(content, NAMES, WNIDS, CLASSES, num_labels)
    assert answers.dtype == np.int32
    return answers.tolist()


def errors(content: bytes | str, num_labels: int = 1) -> tuple[str, ...]:
    with pytest.raises(MalformedError) as caught:
        read(content, num_labels)
    assert str(caught.value) == "\n".join(caught.value.errors)
    return caught.value.errors


@pytest.mark.parametrize(
    "text",
    [
        "a.png n01\nb.png n02\nc.png n03\n",
        "c.png n03\na.png n01\nb.png n02",  # any order, no last newline
        "a.png\tn01\r\nb.png   n02\r\nc.png n03\r\n",
        "a.png n01\rb.png n02\rc.png n03",
        "\n\n  a.png n01  \n\t\nb.png n02\n\nc.png n03\n\n",
        "\ufeffa.png n01\nb.png n02\nc.png n03\n",
        "image wnid\na.png n01\nb.png n02\nc.png n03\n",
        "a.png,n01\nb.png,n02\nc.png,n03\n",
        "a.png, n01\nb.png ,n02\n c.png,n03\n",
        "a.png;n01\nb.png;n02\nc.png;n03\n",
        "image,wnid\na.png,n01\nb.png,n02\nc.png,n03\n",
        "Image ID,Predicted Class\na.png,n01\nb.png,n02\nc.png,n03\n",
        "label;image\nn01;a.png\nn02;b.png\nn03;c.png\n",  # any order of columns
        '"image","label"\n"a.png","n01"\n"b.png","n02"\n"c.png","n03"\n',
        'a.png,"n01"\n"b.png",n02\nc.png,n03\n',
        "a.png GOLDFISH\nb.png N02\nc.png n03\n",
        "a.png goldfish\nb.png egyptian cat\nc.png n03\n",
        "a.png\tgoldfish\nb.png\tEgyptian Cat\nc.png\tn03\n",
        "\ufeffimage;class\r\na.png;goldfish\r\nb.png;Egyptian cat\r\nc.png;n03\r\n",
    ],
)
def test_every_form_is_read(text: str) -> None:
    assert read(text) == [[0], [1], [2]]


def test_a_quoted_name_may_hold_the_separator() -> None:
    text = 'a.png,"toad, common"\nb.png,ox; yak\nc.png,n01\n'
    assert read(text) == [[5], [4], [0]]
    assert read('a.png;"ox; yak"\nb.png;toad, common\nc.png;n01') == [[4], [5], [0]]


def test_a_doubled_quote_is_one_quote() -> None:
    answers = parse_submission(b'"a ""x"".png",n1\n', ['a "x".png'], ["n1"], ["one"])
    assert answers.tolist() == [[0]]


def test_names_with_spaces_between_tabs() -> None:
    answers = parse_submission(b"my cat.png\tn2\nmy ox.png\tan ox\n", ["my ox.png", "my cat.png"],
                               ["n1", "n2"], ["an ox", "a cat"])  # fmt: skip
    assert answers.tolist() == [[0], [1]]


@pytest.mark.parametrize("separator", [" ", ",", ";", "\t"])
@pytest.mark.parametrize("header", ["", "image{s}l1{s}l2{s}l3{s}l4{s}l5\n"])
def test_five_labels(separator: str, header: str) -> None:
    rows = [["a.png", *WNIDS[:5]], ["b.png", *WNIDS[1:]], ["c.png", *WNIDS[4::-1]]]
    text = header.format(s=separator) + "\n".join(separator.join(row) for row in rows)
    assert read(text, num_labels=5) == [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5], [4, 3, 2, 1, 0]]


def test_five_class_names_between_tabs() -> None:
    row = "\t".join(["goldfish", "Egyptian cat", "n03", "ox; yak", "toad, common"])
    text = "".join(f"{name}\t{row}\n" for name in NAMES)
    assert read(text, num_labels=5) == [[0, 1, 2, 4, 5]] * 3


def test_a_wnid_goes_before_a_class_of_that_name() -> None:
    answers = parse_submission(b"a x\n", ["a"], ["x", "y"], ["y", "x"])
    assert answers.tolist() == [[0]]


def test_an_exact_name_goes_before_one_in_other_letters() -> None:
    assert parse_submission(b"a Ox\n", ["a"], ["n1", "n2"], ["ox", "Ox"]).tolist() == [[1]]


def test_all_errors_come_at_once_with_their_lines() -> None:
    text = "a.png n01\na.png n02\nx.png n01\nb.png goldfsh\nn01\n"
    assert errors(text) == (
        "line 2: image 'a.png' is already in line 1",
        "line 3: unknown image 'x.png'",
        "line 4: unknown class 'goldfsh'; did you mean 'goldfish'?",
        "line 5: 1 column instead of 2: an image and its class (quote a cell that holds a "
        "separator)",
        "1 image is missing: 'c.png'",
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a.png crane\nb.png n01\nc.png n01", "line 1: 'crane' is the name of 2 classes; write an "
         "id: n03, n04"),
        ("a.png,\nb.png,n01\nc.png,n01", "line 1: the class is empty; write a class id or a "
         "class name"),
        ("a.png,zzzz\nb.png,n01\nc.png,n01", "line 1: unknown class 'zzzz'; expected an id such "
         "as n01"),
        ("a.png,n01,n02\nb.png,n01\nc.png,n01", "line 1: 3 columns instead of 2: an image and its "
         "class (quote a cell that holds a separator)"),
        ("a.png,n01\nb.png,n01\nc.png,\0n01", "line 3: a NUL byte; only text is allowed"),
        (b"a.png,n01\nb.png,\xe9\nc.png,n01", "line 2: byte 0xe9 is not UTF-8; save the file as "
         "UTF-8"),
        ('a.png,n01\nb.png,"n01\nc.png,n01', "line 2: a quote is opened but not closed in this "
         "line"),
        ('a.png,"n0"1\nb.png,n01\nc.png,n01', "line 1: a quote inside a cell; double it and put "
         "the cell in quotes"),
        (f'a.png,n01\nb.png,"{"x" * 200_000}"\nc.png,n01', "line 2: a cell is longer than any "
         "name"),
    ],
)  # fmt: skip
def test_each_error(text: bytes | str, error: str) -> None:
    assert error in errors(text)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "the file is empty"),
        (b" \r\n\t\n", "the file is empty"),
        (b"\xef\xbb\xbf\n", "the file is empty"),
        (gzip.compress(b"a.png n01\n", mtime=0), "this is a gzip file; unpack it"),
        (b"PK\x03\x04rest", "this is a zip file; unpack it"),
        ("a.png n01\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_is_no_text(content: bytes, error: str) -> None:
    (only,) = errors(content)
    assert error in only


def test_a_header_alone_leaves_all_images_missing() -> None:
    assert errors("image,label\n") == ("3 images are missing: 'a.png', 'b.png', 'c.png'",)


def test_five_labels_must_differ() -> None:
    text = "".join(f"{name} n01 n02 n03 n04 N01\n" for name in NAMES)
    assert errors(text, 5)[0] == "line 1: class 'N01' is listed twice; all classes must differ"
    assert len(errors(text, 5)) == 3
    assert "instead of 6: an image and 5 classes" in errors("a.png n01\n", 5)[0]


def test_the_list_of_errors_is_capped_and_says_so() -> None:
    found = errors("x n01\n" * 1_000)
    assert len(found) == MAX_ERRORS + 2
    assert found[MAX_ERRORS] == "and 950 more errors in later lines"
    found = errors("x n01\n" * (MAX_COUNTED * 2))
    assert found[MAX_ERRORS] == "and 20,000 more errors; reading stopped at line 20,050"


def test_a_message_is_short_and_prints() -> None:
    found = errors("a.png," + "\x1b[31m\u202e" + "x" * 10_000 + "\nb.png,n01\nc.png,n01")
    assert found[0].isprintable()
    assert len(found[0]) < 150


def random_file(images: Sequence[str], wnids: Sequence[str], seed: int) -> bytes:
    rng = random.Random(seed)
    order = rng.sample(images, len(images))
    return "".join(f"{name} {rng.choice(wnids)}\n" for name in order).encode()


# Both paths must say the same of any file.

CELL = st.sampled_from(
    [*NAMES, *WNIDS, *CLASSES, "image", "label", "file name", "x", "", " ", '"', '"n01"', "N01"]
)
SEPARATOR = st.sampled_from([" ", ",", ";", "\t", ", "])
LINE = st.builds(lambda cells, by: by.join(cells), st.lists(CELL, max_size=4), SEPARATOR)
ODD_LINE = LINE | st.text(max_size=12)


@st.composite
def good_files(draw: st.DrawFn) -> tuple[bytes, list[list[int]], int]:
    """A well-formed file in any of the forms, and what it says."""
    num_labels = draw(st.sampled_from([1, 5]))
    by = draw(st.sampled_from([" ", ",", ";", "\t"]))
    answers = [draw(st.permutations(range(6)))[:num_labels] for _ in NAMES]
    rows = []
    for place in draw(st.permutations(range(len(NAMES)))):
        words = []
        for index in answers[place]:
            named = index in {0, 1, 4, 5} and by in ",;\t"
            word = CLASSES[index] if named and draw(st.booleans()) else WNIDS[index]
            words.append(word.upper() if draw(st.booleans()) else word)
        rows.append([NAMES[place], *words])
    if draw(st.booleans()):
        rows.insert(0, ["image", *(f"label{rank}" for rank in range(num_labels))])
    if by in ",;":
        text = io.StringIO()
        quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        csv.writer(text, delimiter=by, quoting=quoting, lineterminator="\n").writerows(rows)
        lines = text.getvalue()
    else:
        lines = "".join(by.join(row) + "\n" for row in rows)
    lines = lines.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\n\n"])))
    content = draw(st.sampled_from(["", "\ufeff"])) + lines
    return content.encode(), [list(answer) for answer in answers], num_labels


@given(good_files())
@settings(max_examples=200, deadline=None)
def test_round_trip(file: tuple[bytes, list[list[int]], int]) -> None:
    content, answers, num_labels = file
    assert read(content, num_labels) == answers
    lines, _ = split_lines(content)
    places = {name: place for place, name in enumerate(NAMES)}
    assert read_careful(lines, places, Classes(WNIDS, CLASSES), num_labels).tolist() == answers


@given(st.lists(ODD_LINE, max_size=5), st.sampled_from([1, 2]))
@example(["a.png\tn01", "b.png n02", "c.png n03"], 1)
@example(["x image", "a.png n01", "b.png n02", "c.png n03"], 1)
@settings(max_examples=250, deadline=None)
def test_what_the_quick_path_reads_the_careful_one_reads_too(
    lines: list[str], num_labels: int
) -> None:
    places, classes = {name: place for place, name in enumerate(NAMES)}, Classes(WNIDS, CLASSES)
    lines, _ = split_lines("\n".join(lines).encode(errors="ignore"))
    quick = read_plain(lines, places, classes, num_labels)
    if quick is not None:
        assert quick.tolist() == read_careful(lines, places, classes, num_labels).tolist()


@given(st.permutations([0, 1, 2]), st.lists(st.sampled_from([*WNIDS, "crane", "GOLDFISH"]),
       min_size=3, max_size=3), st.lists(SEPARATOR, min_size=3, max_size=3),
       st.sampled_from(["", "image label", "image,label", "x", "image\tid"]))  # fmt: skip
@settings(max_examples=250, deadline=None)
def test_both_paths_agree_near_what_is_right(
    order: list[int], words: list[str], separators: list[str], header: str
) -> None:
    parts = zip(order, separators, words, strict=True)
    lines = [header, *(f"{NAMES[place]}{by}{word}" for place, by, word in parts)]
    places, classes = {name: place for place, name in enumerate(NAMES)}, Classes(WNIDS, CLASSES)
    quick = read_plain(lines, places, classes, 1)
    if quick is not None:
        assert quick.tolist() == read_careful(lines, places, classes, 1).tolist()


MALFORMED = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=400).map(lambda text: text.encode(errors="surrogatepass")),
    st.lists(ODD_LINE, max_size=40).map(lambda lines: "\n".join(lines).encode(errors="replace")),
    st.builds(lambda unit, times: (unit * times)[:MIB], st.binary(min_size=1, max_size=6),
              st.sampled_from([1, 100, MIB])),
    st.builds(lambda content, at, byte: content[:at] + bytes([byte]) + content[at + 1 :],
              st.just(b"image,label\na.png,n01\nb.png,n02\nc.png,n03\n"), st.integers(0, 45),
              st.integers(0, 255)),
    st.binary(max_size=50).map(gzip.compress),
)  # fmt: skip


def try_malformed(content: bytes) -> float:
    """Read a file that is most likely wrong; return the seconds it took."""
    messages: tuple[str, ...] = ("none",)
    start = time.perf_counter()
    try:
        answers = parse_submission(content, NAMES, WNIDS, CLASSES)
        assert answers.shape == (3, 1)
        assert answers.min() >= 0
    except MalformedError as error:
        messages = error.errors
    took = time.perf_counter() - start
    assert 0 < len(messages) <= MAX_ERRORS + 2
    assert all(message and message.isprintable() for message in messages)
    assert sum(map(len, messages)) < 20_000
    return took


def fuzz(count: int) -> list[float]:
    took: list[float] = []

    @given(MALFORMED)
    @settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        database=None,
    )
    def run(content: bytes) -> None:
        took.append(try_malformed(content))

    run()
    return sorted(took)


def test_malformed_files() -> None:
    took = fuzz(300)
    assert took[int(0.99 * len(took))] < 0.2


@pytest.mark.soak
def test_ten_thousand_malformed_files() -> None:
    took = fuzz(10_000)
    p99 = took[int(0.99 * len(took))]
    print(f"{len(took):,} malformed files, p99 {1000 * p99:.1f} ms, most {1000 * took[-1]:.1f} ms")
    assert p99 < 0.2


MANY_NAMES = [f"image_{place:05d}.png" for place in range(1, 10_001)]
MANY_WNIDS = [f"n{place:08d}" for place in range(200)]
MANY_CLASSES = [f"class number {place}" for place in range(200)]


@pytest.mark.parametrize(
    "unit",
    [b",", b'"', b'",', b" x", b"x\n", b"x y\n", b"x,y\n", b'"\n', b'a,"\n', b"\xff\n", b"\0",
     b"image_00001.png class n\n", b"image,klass number\n", b"\t", b"\r"],
)  # fmt: skip
def test_no_mebibyte_takes_long(unit: bytes) -> None:
    content = (b"image_00001.png" + unit * MIB)[:MIB]
    start = time.process_time()
    with pytest.raises(MalformedError):
        parse_submission(content, MANY_NAMES, MANY_WNIDS, MANY_CLASSES)
    assert time.process_time() - start < 0.4  # some 0.05 on one core


@pytest.mark.soak
def test_ten_thousand_lines_are_read_in_under_20_ms() -> None:
    plain = random_file(MANY_NAMES, MANY_WNIDS, 0)
    forms = [plain, b"image,label\n" + plain.replace(b" ", b","),
             b'"' + plain.replace(b" ", b'","').replace(b"\n", b'"\n"')[:-1]]  # fmt: skip
    for content in forms:
        took = []
        for _ in range(7):
            start = time.process_time()
            answers = parse_submission(content, MANY_NAMES, MANY_WNIDS, MANY_CLASSES)
            took.append(time.process_time() - start)
        assert min(took) < 0.02
        assert answers.shape == (10_000, 1)


def test_the_order_of_lines_does_not_matter() -> None:
    content = random_file(MANY_NAMES, MANY_WNIDS, 1)
    lines = content.splitlines(keepends=True)
    random.Random(2).shuffle(lines)
    first, second = (
        parse_submission(each, MANY_NAMES, MANY_WNIDS, MANY_CLASSES)
        for each in (content, b"".join(lines))
    )
    assert np.array_equal(first, second)
