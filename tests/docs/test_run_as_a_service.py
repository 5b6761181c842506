"""What is shipped to run the product with: units for systemd, a container, and the page that explains them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path

import click
import pytest

from compiler import compiles
from deployments import Deployment
from pages import DOCS, ROOT, blocks
from paravent.cli import main
from paravent.settings import Sqlite, load_settings
from paravent.settings.values import DEFAULT_CONNECTIONS
from paravent.sinks.files import CLOSE_S
from paravent.stores.sqlite import CLOSE_TIMEOUT_S
from paravent.telemetry.management import Management, listen
from paravent.telemetry.metrics import Metrics
from paravent_mitmproxy.descriptors import BESIDE
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.node import LAST_WORDS_S

DEPLOY = ROOT / "deploy"
SERVICES = (DEPLOY / "systemd/paravent.service", DEPLOY / "systemd/paravent-verify.service")
PAGE = DOCS / "how-to/run-it-as-a-service.md"
CONTAINERFILE = DEPLOY / "container/Containerfile"
CONFIGURATION = "/etc/paravent/paravent.toml"
STATE = "/var/lib/paravent"


def unit(path: Path) -> dict[str, list[str]]:
    """Key → its values, of all sections together."""
    keys: dict[str, list[str]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            keys[name].append(value)
    return keys


def instructions() -> list[tuple[str, str]]:
    """Of the Containerfile: word and rest, in order."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def of(word: str) -> list[str]:
    return [rest for each, rest in instructions() if each == word]


def assert_is_a_command(words: list[str]) -> None:
    """`paravent` knows the verb, its options and arguments."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None
        command = found
    command.make_context(command.name, words)


def test_the_configuration_is_read_and_writes_in_one_folder(tmp_path: Path) -> None:
    """As it is shipped, with the files that it names beside it: no problem and no note."""
    folder = Deployment(tmp_path)
    shutil.copy(tmp_path / "server.pem", tmp_path / "upstream-ca.pem")
    (tmp_path / "state").mkdir()
    text = (DEPLOY / "paravent.toml").read_text("utf-8")
    folder.file.write_text(text.replace(STATE, f"{tmp_path}/state"), "utf-8")
    settings = load_settings(folder.file, {})
    assert isinstance(settings.state, Sqlite)
    assert {settings.state.path.parent, settings.audit.path.parent} == {tmp_path / "state"}
    assert settings.notes == ()


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_unit_runs_a_command_that_there_is(path: Path) -> None:
    """With the configuration of the page, as a user of its own."""
    (program, *words) = shlex.split(unit(path)["ExecStart"][0])
    assert program == "/opt/paravent/current/bin/paravent"
    assert words[-2:] == ["--config", CONFIGURATION]
    assert_is_a_command(words)
    assert unit(path)["User"] == unit(path)["Group"] == ["paravent"]
    assert "useradd --system --home-dir /var/lib/paravent --shell /usr/sbin/nologin paravent" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("path", sorted((DEPLOY / "systemd").iterdir()), ids=lambda path: path.name)
def test_systemd_has_nothing_to_say_about_a_unit(path: Path, tmp_path: Path) -> None:
    """No key that it does not know, no value that it cannot read. The program is put where this test has one."""
    for each in (DEPLOY / "systemd").iterdir():
        text = each.read_text("utf-8").replace("/opt/paravent/current/bin/paravent", sys.executable)
        (tmp_path / each.name).write_text(text, "utf-8")
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / path.name)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    assert [line for line in told.stderr.splitlines() if "paravent" in line] == []
    assert told.returncode == 0


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_unit_is_exposed_to_little(path: Path) -> None:
    """At most 1.5 of 10, as systemd counts it: what is left are its sockets and the machine's own files."""
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=15", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-300:]


def test_the_service_may_write_where_it_is_told_to_and_nowhere_else() -> None:
    """The one folder that systemd makes for it is the one of the configuration; the check may write nothing."""
    service, check = (unit(path) for path in SERVICES)
    assert service["ProtectSystem"] == check["ProtectSystem"] == ["strict"]
    assert (service["StateDirectory"], service["WorkingDirectory"]) == (["paravent"], [STATE])
    assert not {"ReadWritePaths", "LogsDirectory", "CacheDirectory", "RuntimeDirectory"} & service.keys()
    assert not {"ReadWritePaths", "StateDirectory"} & check.keys()


def test_a_drain_has_the_time_that_it_may_take() -> None:
    """Requests in flight, last refusals, a disk that hangs under the ledger, the state file; the container's too."""
    longest_s = Limits().drain_s + LAST_WORDS_S + CLOSE_S + CLOSE_TIMEOUT_S
    (told,) = unit(SERVICES[0])["TimeoutStopSec"]
    allowed_s = int(told.removesuffix("s"))
    assert longest_s < allowed_s <= longest_s + 5
    assert f"--stop-timeout {allowed_s} " in PAGE.read_text("utf-8")


def test_one_signal_reaches_a_worker_once() -> None:
    """systemd's default signals every process, and the parent passes it on: a second one would end a drain."""
    assert unit(SERVICES[0])["KillMode"] == ["mixed"]


def test_there_are_descriptors_for_all_that_a_process_may_hold() -> None:
    """None of the callers whom the page on front proxies promises is turned away for want of one."""
    (told,) = unit(SERVICES[0])["LimitNOFILE"]
    assert int(told) >= Limits().connections + DEFAULT_CONNECTIONS + BESIDE


def test_no_unit_waits_for_what_the_product_does_not_say() -> None:
    """Nothing tells systemd that it is ready or alive, so that nothing may be waited for."""
    source = [path.read_text("utf-8") for folder in ("proxy", "addons") for path in (ROOT / folder).rglob("*.py")]
    assert not any("NOTIFY_SOCKET" in text for text in source)
    assert unit(SERVICES[0])["Type"] == ["exec"]
    assert "WatchdogSec" not in unit(SERVICES[0])


def test_the_container_is_made_of_what_is_there_and_pinned(tmp_path: Path) -> None:
    """Every source exists, whatever is fetched has its hash, and the sources are enough to build from."""
    copied = [rest.split() for rest in of("COPY") if not rest.startswith("--from")]
    sources = [source for *named, _ in copied for source in named]
    assert all((ROOT / source).exists() for source in sources)
    for command in of("RUN"):
        for installed in re.findall(r"pip (?:--python \S+ )?install ([^&]*)", command):
            assert "--require-hashes" in installed or "--no-index" in installed
            assert "--no-deps" in installed
    for name in re.findall(r"-r (\S+)", " ".join(of("RUN"))):
        pinned = re.split(r"\n(?=[a-z])", (ROOT / name).read_text("utf-8").strip())
        assert all("==" in each and "--hash=sha256:" in each for each in pinned)
        assert name in sources
    for source in sources:
        if source.startswith(("proxy", "addons")):
            shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
        elif "/" not in source:
            shutil.copy(ROOT / source, tmp_path)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "wheel"]
    environment = os.environ | {"PARAVENT_COMPILE": "1" if compiles() else "0"}
    subprocess.run(build, cwd=tmp_path, env=environment, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheel").iterdir()
    assert fnmatch(wheel.name, "paravent-0.1.0-*.whl")
    assert "dist/paravent-0.1.0-*.whl" in PAGE.read_text("utf-8")
    held = set(zipfile.ZipFile(wheel).namelist())
    assert any(name.startswith("paravent/masking/compiled_walk.cpython") for name in held) == compiles()
    tracked = {
        path.relative_to(ROOT / folder).as_posix()
        for folder in ("proxy", "addons")
        for path in (ROOT / folder).glob("paravent*/**/*.py")
    }
    assert tracked <= held


def test_the_container_runs_as_nobody_and_the_same_command() -> None:
    """By number, in a folder that is its own, from the configuration of the page."""
    (user,), (volume,) = of("USER"), of("VOLUME")
    assert re.fullmatch(r"([1-9][0-9]{4}):\1", user)
    assert f"user and group {user.partition(':')[0]}" in PAGE.read_text("utf-8")
    assert volume == STATE
    (arguments,) = of("CMD")
    assert arguments == f'["serve", "--config", "{CONFIGURATION}"]'
    assert of("STOPSIGNAL") == ["SIGTERM"]


@pytest.mark.parametrize("lives", [True, False], ids=["it lives and is not ready", "nobody listens"])
def test_the_container_s_check_asks_whether_it_lives(lives: bool) -> None:
    """Not whether it is ready: a node that waits for its store is not to be killed."""
    (program, option, code) = re.findall(r'"([^"]+)"', of("HEALTHCHECK")[0].partition("CMD")[2])
    assert (program, option) == ("/opt/paravent/bin/python", "-c")
    sock = listen("127.0.0.1", 0)
    management = Management(sock, Metrics(), lambda: {"state": False}, {}, lambda form: 503)
    if lives:
        management.start()
    port = management.address[1]
    if not lives:
        management.close()
    done = subprocess.run([sys.executable, "-c", code.replace("9464", str(port))], capture_output=True, check=False)
    if lives:
        management.close()
    assert (done.returncode == 0) is lives


def test_what_the_page_has_typed_is_there() -> None:
    """Files of the project, and commands of the product."""
    text = "\n".join(block.text.replace("\\\n", " ") for block in blocks(PAGE, "sh"))
    for name in re.findall(r"(?:deploy|requirements)/[\w./-]*\w", text):
        assert (ROOT / name).exists(), name
    assert f"install -d -o paravent -g paravent -m 0700 {STATE}\n" in text
    assert f"install -d -o root -g paravent -m 0750 {Path(CONFIGURATION).parent}\n" in text
    typed = re.findall(r"/bin/paravent (.+)$", text, flags=re.MULTILINE)
    assert len(typed) == 3
    for words in typed:
        assert_is_a_command(shlex.split(words))
