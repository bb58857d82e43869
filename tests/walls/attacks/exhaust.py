"""Uses up what there is of one thing: exhaust.py KIND TOKEN; the token is how the host finds its processes."""

import ctypes
import mmap
import os
import signal
import sys
import time

from probing import probe, say

MEGABYTE = b"x" * (1 << 20)


def fork():
    made = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(1)
                os._exit(0)
            made += 1
    except OSError as error:
        say("forked", f"{made}, then {error.strerror}")
    time.sleep(1)


def memory():
    for _ in range(9):
        if os.fork() == 0:
            break
    held = [MEGABYTE * 8 for _ in range(5)]
    time.sleep(600)
    del held


def files_without_a_name_in_memory():
    held = [os.memfd_create("hidden") for _ in range(3)]
    for fd in held:
        for _ in range(100):
            os.write(fd, MEGABYTE)
    time.sleep(600)


def shared_pages_that_are_let_go():
    mapped = mmap.mmap(-1, 300 << 20)
    for at in range(0, 300 << 20, 4096):
        mapped[at] = 1
        if at % (20 << 20) == 0:
            mapped.madvise(mmap.MADV_DONTNEED)
    time.sleep(600)


def segments():
    libc, made = ctypes.CDLL(None, use_errno=True), 0
    while libc.shmget(0, ctypes.c_size_t(1 << 20), 0o1600) != -1 and made < 1000:
        made += 1
    say("large segments", made)


def folders_in_memory():
    for path in ("/", "/dev", "/dev/shm", "/tmp", "/run", "/etc", "/reeve", "/sys"):
        written = 0
        try:
            with open(path + "/fill", "wb", buffering=0) as file:
                while written < 400:
                    written += file.write(MEGABYTE) >> 20
        except OSError as error:
            say("filled " + path, f"{written} MB, then {error.strerror}")
        else:
            say("filled " + path, f"{written} MB, no end")


def disk():
    for number in range(10000):
        with open(f"fill{number}", "wb") as file:
            file.write(MEGABYTE * 5)
    time.sleep(600)


def removed_files():
    held = []
    for number in range(8):
        held.append(os.open(f"gone{number}", os.O_RDWR | os.O_CREAT))
        os.unlink(f"gone{number}")
        for _ in range(15):
            os.write(held[-1], MEGABYTE)
    time.sleep(600)


def deep_folders():
    for _ in range(60):
        os.mkdir("d" * 100)
        os.chdir("d" * 100)
    for number in range(8):
        with open(str(number), "wb") as file:
            file.write(MEGABYTE * 10)
    time.sleep(600)


def inodes():
    for number in range(20000):
        os.close(os.open(f"i{number}", os.O_CREAT | os.O_WRONLY))
    time.sleep(600)


def one_file():
    probe("grow", os.truncate, os.open("huge", os.O_CREAT | os.O_RDWR), 1 << 40)


def flood():
    while True:
        os.write(1, MEGABYTE)


def late():
    """Outlives the command by every means, to write into the tree once it has been looked at."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 64):
                if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                    signal.signal(number, signal.SIG_IGN)
            time.sleep(3)  # the walls may take a moment to fall on a busy machine
            for _ in range(3000):
                time.sleep(0.02)
                with open("late", "a") as file:
                    file.write("late\n")
        os._exit(0)
    say("parent", "done")
    os._exit(0)  # the daemon holds our output open


def sleep():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(3600)


def stop():
    """Stops everything that could end it, itself too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM):
        probe(f"first process {number}", os.kill, 1, number)
    for _ in range(3):
        if os.fork() == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(3600)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(3600)


def crash():
    with open("half", "w") as file:
        file.write("half of the work\n")
    os.abort()


globals()[sys.argv[1]]()
