"""Real hosts: this machine, a container with nothing but busybox, and this machine again over ssh."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.deployment import OWNER, load, owner, remove, run, sweep, tagged
from fixtures.docker_engine import docker_engine
from fixtures.ssh_server import SshServer, ssh_server
from fixtures.trading_system.host.reference import reference_facts
from fixtures.trading_system.image import File, Image, archive
from release_gates.cli.commands import program
from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.container.engine import Engine
from release_gates.probes.machine.hosts.answer import parse_answer
from release_gates.probes.machine.hosts.facts import Facts, parse_facts
from release_gates.probes.machine.hosts.judging import judge_host
from release_gates.probes.machine.hosts.profile import PROFILES
from release_gates.probes.machine.hosts.script import build_script, check_engine
from release_gates.probes.machine.hosts.transport import Look, check_host, read_host, read_hosts

APPLETS = ("sh", "grep", "readlink", "date", "od", "tr", "find", "sleep", "timeout", "cat")
STATIC = (
    "/proc/cmdline",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm/swappiness",
    "/sys/devices/system/cpu/online",
)
NOW = datetime(2026, 11, 21, 14, tzinfo=UTC)
THREADS = """
import os, sys, threading, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print("up", flush=True)
sys.stdin.read()
"""


@contextmanager
def engine() -> Iterator[int]:
    """Run a process with two threads on one CPU; yield its number."""
    command = [sys.executable, "-c", THREADS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process.pid
        process.stdin.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as started:
        yield started


def over(server: SshServer, **changes: str) -> str:
    asked = {"ssh_config": str(server.config), **changes}
    return f"ssh://{server.place}?" + "&".join(f"{key}={value}" for key, value in asked.items())


# -- this machine ---------------------------------------------------------------------------------


def test_this_machine_and_its_process(tmp_path: Path) -> None:
    with engine() as pid:
        file = tmp_path / "engine.pid"
        file.write_text(f"{pid}\n", encoding="ascii")
        for named in (str(pid), str(file)):
            facts = read_host(Look(host="local://", engine=named, slow=False))
            assert facts.hostname == os.uname().nodename
            assert facts.files["/proc/cmdline"] == Path("/proc/cmdline").read_text().rstrip("\n")
            one = min(os.sched_getaffinity(pid))
            profile = replace(PROFILES["hft-engine"], isolated=frozenset({one}), node=0)
            ours = [each for each in judge_host(facts, profile).findings if each.rule.id == "HL23"]
            assert not ours, ours[0].sentence
            elsewhere = replace(profile, isolated=frozenset({one + 1}))
            findings = judge_host(facts, elsewhere).findings
            assert (
                len([each for each in findings if each.rule.id == "HL23" and "/task/" in each.sentence]) >= 2
            )
    gone = read_host(Look(host="local://", engine=str(file), slow=False))
    report = judge_host(gone, profile)
    assert {"HL23", "HL24"} <= {each.rule.id for each in report.doubts}


def test_recorded_facts_are_judged_as_the_living_host(tmp_path: Path) -> None:
    done = CliRunner().invoke(program, ["host", "facts", "local"], obj=None)
    assert done.exit_code == 0, done.output
    facts = parse_facts(done.output.encode(), "facts.json")
    assert facts == msgspec.json.decode(msgspec.json.encode(facts), type=Facts)
    file = tmp_path / "facts.json"
    file.write_text(done.output, encoding="utf-8")
    by_file = CliRunner().invoke(program, ["audit", "host", str(file), "--profile", "ci"])
    assert by_file.exit_code == 0, by_file.output
    sarif = tmp_path / "hosts.sarif"
    tuned = ["audit", "host", str(file), "--profile", "hft-engine", "--isolated", "1", "--sarif", str(sarif)]
    assert CliRunner().invoke(program, tuned).exit_code == 1
    results = msgspec.json.decode(sarif.read_bytes())["runs"][0]["results"]
    assert {"HL01", "HL02"} <= {each["ruleId"] for each in results if each.get("level") == "error"}


def test_whoever_may_not_read_gets_no_pass() -> None:
    """A file below a folder that may not be entered is denied, not absent."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    script = build_script("@n", engine="1")
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-c", script]
    done = subprocess.run(command, capture_output=True, check=True)
    facts = parse_answer(done.stdout, host="local://", nonce="@n", now=NOW, engine="1")
    assert not facts.raw("/proc/1/numa_maps")
    for_ci = judge_host(facts, PROFILES["ci"])
    assert not (*for_ci.findings, *for_ci.doubts)
    report = judge_host(facts, replace(PROFILES["hft-engine"], isolated=frozenset({0}), node=0))
    assert any("numa_maps is empty" in each.because for each in report.doubts if each.rule.id == "HL23")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "closed/in").mkdir(parents=True)
        (Path(folder) / "closed").chmod(0o700)
        inside = f"{folder}/closed/in"
        look = f"n=@n; look {inside}/file {inside}/*"
        functions = script[script.index("reach()") : script.index("ask()")]
        done = subprocess.run([*command[:-1], functions + look], capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == [f"@n ! {inside}/file", f"@n ! {inside}/*"]


@pytest.mark.parametrize(
    ("host", "program_", "arguments"),
    [
        (
            "kubectl://engine-0?namespace=trading&container=engine",
            "kubectl",
            "-n trading -c engine exec engine-0 --",
        ),
        ("podman://engine", "podman", "exec engine"),
    ],
)
def test_transports_that_are_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, program_: str, arguments: str
) -> None:
    """What kubectl and podman would be given: a stand-in checks its words, and runs the rest here."""
    stand_in = tmp_path / program_
    count = len(arguments.split())
    stand_in.write_text(
        "#!/bin/sh\n"
        f'words=; for i in $(seq {count}); do words="$words${{words:+ }}$1"; shift; done\n'
        f'[ "$words" = "{arguments}" ] || {{ echo "wrong: $words" >&2; exit 9; }}\nexec "$@"\n'
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert read_host(Look(host=host)).hostname == os.uname().nodename


@pytest.mark.parametrize(
    ("group", "pids", "said"),
    [
        ("/system.slice/engine.service", ["11", "12", "13"], ""),
        ("/", [], "the unit does not run: /"),
        ("", [], "the unit does not run: "),
        ("Failed to connect to bus", [], "the unit does not run: Failed to connect to bus"),
    ],
)
def test_a_unit_is_all_processes_of_its_group(tmp_path: Path, group: str, pids: list[str], said: str) -> None:
    folder = tmp_path / "fs/system.slice/engine.service"
    (folder / "workers").mkdir(parents=True)
    (tmp_path / "fs/cgroup.procs").write_text("1\n")
    (folder / "cgroup.procs").write_text("11\n12\n")
    (folder / "workers/cgroup.procs").write_text("13\n")
    script = build_script("@n", engine="engine.service")
    asking = script[script.index("o=; g=$(systemctl") : script.index("tell engine")]
    stand_in = f'systemctl() {{ echo "{group}"; }}\n'
    code = stand_in + asking.replace("/sys/fs/cgroup", str(tmp_path / "fs")) + 'echo "$s"; echo "$o"'
    done = subprocess.run(["/bin/sh", "-c", code], capture_output=True, check=True, text=True)
    status, *lines = done.stdout.rstrip("\n").split("\n")
    assert (status == "0") == bool(pids)
    assert sorted(lines) == (pids or [said.rstrip()]) or lines == [said]


# -- a container with nothing but busybox ---------------------------------------------------------


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, str]]:
    """Run busybox in an image from scratch; yield the engine and the container's id."""
    busybox = File(path="/bin/busybox", content=Path("/bin/busybox").read_bytes())
    links = (File(path=f"/bin/{name}", content=b"", link="busybox") for name in APPLETS)
    config = {"Entrypoint": ["/bin/busybox", "sleep", "600"], "Env": ["PATH=/bin"]}
    data, _ = archive(Image(config=config, layers=((busybox, *links),), history=()))
    file = tmp_path_factory.mktemp("image") / "image.tar"
    file.write_bytes(data)
    with docker_engine(), Engine() as docker:
        sweep(docker)
        try:
            image = tagged(docker, load(docker, file))
            labels = {OWNER: owner()}
            made = docker.api.create_container(image, labels=labels, host_config={"NetworkMode": "none"})
            run(docker, made["Id"])
            yield docker, str(made["Id"])
        finally:
            remove(docker, owner())


def test_a_container_without_a_distribution(container: tuple[Engine, str]) -> None:
    docker, name = container
    facts = read_host(Look(host=f"docker://{name}", engine="1"))
    assert facts.hostname == name[:12]
    local = read_host(Look(host="local://"))
    assert {path: facts.files[path] for path in STATIC} == {path: local.files[path] for path in STATIC}
    assert facts.answers["engine"].text == "1"
    assert "/proc/1/task/1/status" in facts.files
    report = judge_host(facts, replace(PROFILES["hft-engine"], isolated=frozenset({0})))
    assert {"HL16", "HL18"} <= {each.rule.id for each in report.doubts}, "the host's processes are hidden"
    for_ci = judge_host(facts, PROFILES["ci"])
    assert not (*for_ci.findings, *for_ci.doubts), "every machine for CI keeps what `ci` asks for"
    assert for_ci.decided
    docker.api.kill(name)
    for spec in (f"docker://{name}", "docker://nobody-here"):
        with pytest.raises(ProbeUnavailable, match="docker ps: name a container that runs") as error:
            read_host(Look(host=spec))
        assert spec in str(error.value)


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[str]:
    """Run a container of busybox alone by podman; skip where there is none, or it may not start one."""
    if not (program := shutil.which("podman")) or not (runtime := shutil.which("runc")):
        pytest.skip("podman and runc are not installed (apt-get install podman runc)")
    (tmp_path / "root/bin").mkdir(parents=True)
    for folder in ("proc", "sys", "dev", "tmp"):
        (tmp_path / "root" / folder).mkdir()
    shutil.copy("/bin/busybox", tmp_path / "root/bin/busybox")
    for name in APPLETS:
        (tmp_path / "root/bin" / name).symlink_to("busybox")
    name = f"release-gates-{os.getpid()}"
    bounds = ["--ulimit", "nofile=1000:1000", "--ulimit", "nproc=500:500", "--network", "none"]
    command = [program, "--runtime", runtime, "--cgroup-manager", "cgroupfs", "run", "--detach", *bounds]
    try:
        run = [*command, "--name", name, "--rootfs", str(tmp_path / "root"), "/bin/sleep", "600"]
        done = subprocess.run(run, capture_output=True, check=False, text=True)
        if done.returncode:
            pytest.skip(f"podman may not start a container here: {done.stderr.strip()[-200:]}")
        yield name
    finally:
        subprocess.run([program, "rm", "-f", "-t", "0", name], capture_output=True, check=False)


def test_a_container_of_podman(podman: str) -> None:
    facts = read_host(Look(host=f"podman://{podman}", engine="1"))
    local = read_host(Look(host="local://"))
    assert {path: facts.files[path] for path in STATIC} == {path: local.files[path] for path in STATIC}
    assert facts.hostname != local.hostname
    assert facts.answers["engine"].text == "1"
    for_ci = judge_host(facts, PROFILES["ci"])
    assert not (*for_ci.findings, *for_ci.doubts)
    assert for_ci.decided
    with pytest.raises(ProbeUnavailable, match="podman ps: name a container that runs"):
        read_host(Look(host="podman://nobody-here"))


# -- ssh ------------------------------------------------------------------------------------------


def test_this_machine_over_ssh(server: SshServer) -> None:
    there = read_host(Look(host=over(server), engine=str(os.getpid())))
    here = read_host(Look(host="local://", engine=str(os.getpid())))
    assert {path: there.files[path] for path in STATIC} == {path: here.files[path] for path in STATIC}
    assert there.absent == here.absent
    assert there.answers["engine"] == here.answers["engine"]


def test_a_host_is_read_by_one_command(server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three round trips are what a host may cost; every process that is started here could be one."""
    started: list[object] = []
    start = subprocess.Popen

    def counted(*arguments: Any, **more: Any) -> subprocess.Popen[bytes]:
        started.append(arguments)
        return start(*arguments, **more)

    monkeypatch.setattr(subprocess, "Popen", counted)
    facts = read_host(Look(host=over(server), engine=str(os.getpid()), nics=("lo",)))
    assert "features:lo" in facts.answers
    assert len(started) == 1


def test_who_is_not_let_in_is_told_why(server: SshServer, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    config = tmp_path / "config"
    known = server.config.read_text().splitlines()[0]
    config.write_text(f"{known}\nIdentityFile {other}\nIdentitiesOnly yes\nLogLevel ERROR\n")
    with pytest.raises(ProbeUnavailable, match="Give a key that the host knows"):
        read_host(Look(host=over(server, ssh_config=str(config))))
    config.write_text(
        f"UserKnownHostsFile {tmp_path}/nobody\nIdentityFile {server.key}\nStrictHostKeyChecking yes\n"
    )
    with pytest.raises(ProbeUnavailable, match="Verify the host's key once"):
        read_host(Look(host=over(server, ssh_config=str(config))))


@pytest.mark.parametrize(
    ("forced", "sentence"),
    [
        ("echo Welcome; exit 0", "could not be read: Welcome"),
        ("true", "could not be read: nothing"),
        ('sh -c "$SSH_ORIGINAL_COMMAND" | head -c 1500', "the answer breaks off"),
        ('sh -c "$SSH_ORIGINAL_COMMAND" | sed s,cmdline:,cmdlane:,', "belongs to no file that was read"),
        ('sh -c "$SSH_ORIGINAL_COMMAND" | tr m "\\\\377"', "is no text"),
        ('printf hello; echo; sh -c "$SSH_ORIGINAL_COMMAND"', ""),
    ],
)
def test_hosts_that_answer_something_else(tmp_path: Path, forced: str, sentence: str) -> None:
    with ssh_server(tmp_path / "sshd", forced=forced) as server:
        if not sentence:
            assert read_host(Look(host=over(server))).hostname
            return
        with pytest.raises((ProbeUnavailable, MeasurementError), match=sentence) as error:
            read_host(Look(host=over(server)))
        assert server.place in str(error.value)


def commands() -> list[str]:
    """Return the command line of every process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


def test_a_host_that_hangs_ends_in_time_and_leaves_nothing(tmp_path: Path) -> None:
    with ssh_server(tmp_path / "sshd", forced="sleep 987654") as server:
        host = over(server)
        hanging = [Look(host=host, timeout_s=1.0)] * 3
        read = read_hosts([*hanging, Look(host="local://"), Look(host="ssh://127.0.0.1:1")], most=4)
    assert [type(each) for each in read] == [*[ProbeUnavailable] * 3, Facts, ProbeUnavailable]
    assert "did not answer within 1 s" in str(read[0])
    assert "127.0.0.1:1 could not be read" in str(read[4])
    for _ in range(400):  # what was killed is gone once the kernel gets to it
        left = [command for command in commands() if str(server.config) in command]
        if not left:
            break
        time.sleep(0.05)
    assert not left


# -- what is not a host ---------------------------------------------------------------------------


def test_without_testinfra_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "testinfra", None)
    with pytest.raises(ProbeUnavailable, match=r"pytest-release-gates\[infra\]"):
        read_host(Look(host="local://"))


def test_names_of_hosts() -> None:
    assert check_host("local") == "local://"
    assert check_host("engine-1") == "ssh://engine-1"
    assert check_host("ssh://gate@engine-1:22?sudo=true") == "ssh://gate@engine-1:22?sudo=true"
    assert check_host("kubectl://engine-0?namespace=trading") == "kubectl://engine-0?namespace=trading"
    for name in ("2412", "engine.service", "trading@a.service", "/run/engine.pid"):
        assert check_engine(name) == name
    for name in ("0", "-1", "x", "a b.service", "/run/$(x)", "12345678901", ".."):
        with pytest.raises(ValueError, match="is no pid"):
            check_engine(name)


def printed(facts: Facts, nonce: str) -> str:
    """Return what the script would have printed of some facts."""

    def section(files: dict[str, str]) -> list[str]:
        listed = [f"{nonce} + {path}" for path in files]
        return [*listed, *(f"{path}:{line}" for path, text in files.items() for line in text.split("\n"))]

    answers = [f"{nonce} = {name} {each.status}\n{each.text}" for name, each in facts.answers.items()]
    begin, now, end = f"{nonce} begin\n{nonce} before", f"{nonce} now", f"{nonce} end"
    return "\n".join([begin, *section(facts.before), now, *section(facts.files), *answers, end, ""])


def test_what_is_printed_comes_back() -> None:
    facts = reference_facts(NOW)
    output = printed(facts, "@n").encode()
    read = parse_answer(output, host=facts.host, nonce="@n", now=NOW, engine=facts.engine, nics=facts.nics)
    assert read == replace_absent(facts)


def replace_absent(facts: Facts) -> Facts:
    return msgspec.structs.replace(facts, absent=())


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_output_is_refused_or_says_less(data: st.DataObject) -> None:
    """No damage adds a fact: what is read is a part of what was there, or refused."""
    facts = reference_facts(NOW)
    lines = printed(facts, "@n").split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    kind = data.draw(st.sampled_from(["cut", "drop", "twice", "noise"]))
    noise = data.draw(st.text(max_size=20).filter(lambda text: "\n" not in text))
    changed = {
        "cut": lines[:at],
        "drop": [*lines[:at], *lines[at + 1 :]],
        "twice": [*lines[: at + 1], *lines[at:]],
        "noise": [*lines[:at], noise, *lines[at:]],
    }[kind]
    output = "\n".join(changed).encode("utf-8", "surrogatepass")
    try:
        read = parse_answer(output, host="h", nonce="@n", now=NOW, engine=facts.engine, nics=facts.nics)
    except MeasurementError:
        return
    assert set(read.files) <= set(facts.files)
    assert set(read.answers) <= set(facts.answers)
    judge_host(read, PROFILES["hft-engine"])
