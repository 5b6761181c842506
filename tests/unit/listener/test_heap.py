"""What a node gives back, the system has: asked of the C library itself, in a process of its own."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="nothing is set for another C library")

ASK = """
import ctypes, os, sys, threading
from paravent_mitmproxy.heap import make_fewer_holes

if sys.argv[1:] == ["set"]:
    make_fewer_holes(os.environ)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p

def in_the_heap(size):
    block = libc.malloc(ctypes.c_size_t(size))
    lines = [line.split() for line in open("/proc/self/maps") if line.rstrip().endswith("[heap]")]
    spans = [[int(end, 16) for end in line[0].split("-")] for line in lines]
    found = any(start <= block < end for start, end in spans)
    libc.free(ctypes.c_void_p(block))
    return found

for _ in range(3):  # the first one that is freed is what glibc learns from
    large = in_the_heap(256 * 1024)
small = []
threads = [threading.Thread(target=lambda: small.append(in_the_heap(4096))) for _ in range(4)]
for thread in threads:
    thread.start()
    thread.join()
print(large, all(small))
"""


def asked(*arguments: str, **environ: str) -> list[str]:
    """Whether 256 KB lie in the heap, where what is given back leaves a hole; whether all threads use that one."""
    clean = {name: value for name, value in os.environ.items() if "MALLOC" not in name and name != "GLIBC_TUNABLES"}
    command = [sys.executable, "-c", ASK, *arguments]
    return subprocess.run(command, env=clean | environ, capture_output=True, text=True, check=True).stdout.split()


def test_the_buffer_of_a_connection_goes_back_whole_and_threads_share_one_heap() -> None:
    assert asked("set") == ["False", "True"]


def test_without_being_told_glibc_does_neither() -> None:
    """Or this module would be for nothing."""
    assert asked() == ["True", "False"]


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_ARENA_MAX": "4"}, id="variables of mallopt(3)"),
        pytest.param(
            {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1048576:glibc.malloc.arena_max=4"}, id="GLIBC_TUNABLES"
        ),
    ],
)
def test_what_the_operator_has_set_stays(environ: dict[str, str]) -> None:
    assert asked("set", **environ) == ["True", "False"]


def test_one_that_the_operator_has_set_leaves_the_other() -> None:
    assert asked("set", MALLOC_ARENA_MAX="4") == ["False", "False"]
