"""Files and requests that nobody thought of: no crash, no lost slot, no word of hidden labels."""

from __future__ import annotations

import random
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.challenge.conftest import DATABASES
from tests.challenge.figures import figure
from tests.challenge.site import CLASS_NAMES, HOUR, NAMES, WNIDS, Site, labels_file, open_site

API = "/api/v1"
NO_LIMIT = {
    "upload_limit": "10000000/second",
    "token_upload_limit": "10000000/second",
    "malformed_per_hour": 200,
}
VOLATILE = re.compile(rb'"(id|received|next_slot|now|at)":"[^"]*"')

cells = st.one_of(
    st.sampled_from([*NAMES[:5], *WNIDS, *CLASS_NAMES, "n09999999", "NaN", "", "=cmd", '"', "a,b"]),
    st.text(max_size=12),
)
rows = st.lists(cells, max_size=5).flatmap(
    lambda row: st.sampled_from([" ", ",", ";", "\t", "\x00"]).map(lambda mark: mark.join(row))
)
texts = st.lists(rows, max_size=8).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.join(lines))
)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
files = st.one_of(
    st.binary(max_size=200),
    st.tuples(texts, encodings).map(lambda pair: pair[0].encode(pair[1], "replace")),
    st.sampled_from(
        [
            b"",
            b"\x1f\x8b\x08" + b"\0" * 20,
            b"PK\x03\x04",
            b"a," * 50_000,
            b"\xff\xfe",
            b'"' * 3000,
            b"\n" * 10_000,
        ]
    ),
)


def nearly_right(seed: int) -> bytes:
    """Return a whole submission with a few lines spoiled."""
    draw, lines = random.Random(seed), labels_file(0.5, seed).splitlines()
    for _ in range(draw.randint(0, 3)):
        place = draw.randrange(len(lines))
        lines[place] = draw.choice([b"", lines[0], lines[place][:-1], b"x y z", b"\xff" * 9])
    draw.shuffle(lines)
    return draw.choice([b"\n", b"\r\n"]).join(lines)


def spoilt(seed: int) -> bytes:
    """Return a whole submission that is wrong in one line more."""
    return nearly_right(seed) + b"\nx y z"


def num_entries(site: Site) -> int:
    return sum(len(site.store.team_page(team).entries) for team in site.store.teams())


def written(statuses: Counter[int]) -> str:
    return ", ".join(f"{count:,} times {status}" for status, count in sorted(statuses.items()))


@contextmanager
def two_sites(folder: Path, urls: Sequence[str] = ("", "")) -> Iterator[list[Site]]:
    """Open two challenges that differ in their hidden labels and public parts alone."""
    with (
        open_site(folder / "one", seed=0, database_url=urls[0], **NO_LIMIT) as one,
        open_site(folder / "other", seed=7, database_url=urls[1], **NO_LIMIT) as other,
    ):
        for made in (one, other):
            made.add_team("blue")
        yield [one, other]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Site]]:
    with two_sites(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@pytest.fixture(params=DATABASES)
def sites_of_each(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Site]]:
    """Give two sites in databases of each kind in turn."""
    if request.param == "sqlite":
        with two_sites(tmp_path) as made:
            yield made
        return
    server = request.getfixturevalue("postgres_server")
    urls = [server.new_database() for _ in range(2)]
    with two_sites(tmp_path, urls) as made:
        yield made
    for url in urls:
        server.drop(url)


def both(sites: list[Site], path: str, content: bytes) -> list[tuple[int, bytes]]:
    for site in sites:
        site.clock.advance(timedelta(seconds=20))
    answers = [
        site.client().post(f"{API}/{path}", content=content, headers=site.bearer("blue"))
        for site in sites
    ]
    return [(answer.status_code, answer.content) for answer in answers]


def no_oracle(sites: list[Site], content: bytes) -> None:
    """Validate at both; where the file is well formed, the check must not differ either."""
    one, other = both(sites, "check", content)
    assert one == other
    assert one[0] in {200, 422}
    if one[0] == 422:
        one, other = both(sites, "submissions", content)
        assert one == other
        assert one[0] == 422


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=files)
def test_validation_tells_nothing_hidden(sites: list[Site], content: bytes) -> None:
    no_oracle(sites, content)


def test_validation_of_nearly_right_files_tells_nothing_hidden(sites: list[Site]) -> None:
    for seed in range(30):
        no_oracle(sites, nearly_right(seed))
    assert all(site.store.board().rows == () for site in sites)  # and no slot was used


def test_a_receipt_differs_in_its_score_alone(sites: list[Site]) -> None:
    """The one place where labels may show, so that the tests above would notice them."""
    one, other = both(sites, "submissions", labels_file(0.9, truth_seed=0))
    for site in sites:
        site.clock.advance(3 * HOUR)
    assert one[0] == other[0] == 201
    assert one != other
    scoreless = [
        re.sub(rb'"score":{[^}]*}', b"", VOLATILE.sub(b"", content)) for _, content in (one, other)
    ]
    assert scoreless[0] == scoreless[1]


def test_before_the_reveal_no_answer_holds_a_private_score(tmp_path: Path) -> None:
    with open_site(tmp_path) as site:
        site.add_team("blue")
        entry = site.enter("blue", 0.5).entry
        private = site.store.team_page(site.store.teams()[0], True).entries[0].private
        assert private is not None
        written = {f"{private.value}", f"{100 * private.value:.1f}"}
        client, headers = site.team_client("blue"), site.bearer("blue")
        for path in (
            *("/", "/board", "/teams/blue", "/submit", f"/submissions/{entry.id}", "/metrics"),
            *(f"{API}/{name}" for name in ("board", "challenge", "submissions")),
            f"{API}/submissions/{entry.id}",
        ):
            text = client.get(path, headers=headers).text
            assert not any(word in text for word in written), path


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_ten_thousand_malformed_files(sites_of_each: list[Site]) -> None:
    """Sent to two servers with other hidden labels, whose answers are the same byte for byte."""
    times, statuses, equal = list[float](), Counter[int](), 0
    clients = [(site, site.client(), site.bearer("blue")) for site in sites_of_each]

    @settings(
        max_examples=10_000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(content=st.one_of(files, st.integers(0).map(spoilt)))
    def run(content: bytes) -> None:
        nonlocal equal
        answers = []
        for site, client, headers in clients:
            site.clock.advance(timedelta(seconds=20))  # else only the first ones are explained
            started = perf_counter()
            answers.append(client.post(f"{API}/submissions", content=content, headers=headers))
            times.append(perf_counter() - started)
        statuses.update(answer.status_code for answer in answers)
        equal += answers[0].content == answers[1].content

    run()
    count, p99 = len(times) // 2, statistics.quantiles(times, n=100)[98]
    lost = sum(num_entries(site) for site in sites_of_each)
    figure(
        "malformed submissions, each to two servers with other hidden labels",
        sites_of_each[0].store.engine.dialect.name,
        "10,000: no 5xx, p99 under 200 ms, no slot lost, answers byte-equal",
        f"{count:,}: {written(statuses)}, p99 {1000 * p99:.1f} ms, {lost} slots lost, "
        f"{equal:,} answers byte-equal",
        count >= 10_000 and set(statuses) == {422} and p99 < 0.2 and not lost and equal == count,
        p99_s=p99,
    )


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_two_thousand_files_tell_nothing_hidden(sites: list[Site]) -> None:
    for seed in range(2_000):
        no_oracle(sites, nearly_right(seed))


# Requests made up from the API's own description


@dataclass
class Fuzzed:
    """What came of requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)


def fuzz_api(site: Site, max_examples: int) -> Fuzzed:
    """Send what schemathesis draws, with a token and without one.

    One check is left out: no schema of text can say which text is a submission.
    """
    schema = schemathesis.openapi.from_asgi(f"{API}/openapi.json", site.app)
    chosen = schema.exclude(path=f"{API}/events")  # it never ends; see test_live.py
    done = Fuzzed()
    for result in chosen.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=max_examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy(), signed=st.booleans())
        def run(case: schemathesis.Case, signed: bool) -> None:
            site.clock.advance(timedelta(seconds=20))
            headers = dict(case.headers or {})
            if signed:
                headers["Authorization"] = site.bearer("blue")["Authorization"]
            started = perf_counter()
            response = case.call(headers=headers)
            done.times.append(perf_counter() - started)
            done.statuses[response.status_code] += 1
            assert response.status_code < 500
            case.validate_response(response, excluded_checks=[positive_data_acceptance])

        run()
    return done


def test_requests_from_the_description(sites: list[Site]) -> None:
    assert len(fuzz_api(sites[0], 15).times) > 50


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_ten_thousand_requests_from_the_description(sites_of_each: list[Site]) -> None:
    site = sites_of_each[0]
    done = fuzz_api(site, 4_000)
    p99 = statistics.quantiles(done.times, n=100)[98]
    figure(
        "schemathesis requests",
        site.store.engine.dialect.name,
        "10,000: no 5xx, p99 under 200 ms, no slot lost",
        f"{len(done.times):,}: {written(done.statuses)}, p99 {1000 * p99:.1f} ms, "
        f"{num_entries(site)} slots lost",
        len(done.times) >= 10_000 and p99 < 0.2 and num_entries(site) == 0,
        p99_s=p99,
    )
