"""A measured process: its start, its CPU and its memory, with all its children."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path


class Measured:
    """A command under measurement, pinned to a core where the machine allows."""

    def __init__(self, command: Sequence[str], cwd: Path, folder: Path) -> None:
        """`folder`: where its standard error is kept."""
        with (folder / "stderr.txt").open("w") as stderr:
            self.process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=stderr, text=True)
        self._stderr = folder / "stderr.txt"

    def first_line(self) -> str:
        """What it prints when it is ready."""
        line = self.process.stdout.readline().strip() if self.process.stdout else ""
        if not line:
            raise RuntimeError(f"{self.process.args!r} did not start:\n{self._stderr.read_text()[-2000:]}")
        return line

    def pin(self, core: int) -> None:
        """All its threads on one core, so that CPU a request means the same for each target."""
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})

    def cpu_s(self) -> float:
        """Time on a processor so far, all threads, to the nanosecond (the first field of schedstat)."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def rss_mb(self) -> float:
        """Resident memory now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def descriptors(self) -> int:
        """Open file descriptors now."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self) -> int:
        """Threads now."""
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def wait_for_port(port: int, deadline_s: float = 30.0) -> None:
    """Until something accepts on loopback."""
    import socket

    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing accepted on port {port} in {deadline_s:.0f} s")
