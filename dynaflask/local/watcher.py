"""Run a server for as long as another process lives.

    python -I -S watcher.py PARENT SECONDS DIRECTORY COMMAND [ARGUMENT ...]

PARENT is the id of that process, which starts this script and holds the other end of its standard input. DIRECTORY has
the server's data, or is empty if the data is in memory. A data file that cannot be read is set aside, and the server is
not started: it would start empty, and replace the file. Otherwise each data file is copied, as the last good state.

When the process ends, however it ends, the server gets SIGTERM to write its data, and SIGKILL when no file in DIRECTORY
has changed for SECONDS. If the process writes "k", the server is killed at once and writes nothing. If it writes the id
of another process, the server lives as long as that process instead. This script exits with the server's exit code, or
with DAMAGED.
"""

from __future__ import annotations

import glob
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time

POLL_SECONDS = 0.5
DAMAGED = 65  # EX_DATAERR of sysexits.h; the names of the files are printed
WATCHER_FD = "DYNAFLASK_WATCHER_FD"


def main(parent: int, seconds: float, directory: str, command: list[str]) -> None:
    """Start the server, and end it when the parent process is gone."""
    if files := _set_damaged_aside(directory):
        print(*files, sep="\n", flush=True)  # noqa: T201 - into the server's log, which the process reads
        sys.exit(DAMAGED)
    # The server's end of the pipe closes however this script ends: local/guard then ends the server.
    inherited, pipe = os.pipe()
    os.set_inheritable(inherited, True)
    child = subprocess.Popen(  # noqa: S603 - our own argument
        command,
        stdin=subprocess.DEVNULL,
        # The command inherits the lock of the data directory, which is free again when the last holder has ended.
        close_fds=False,
        env={**os.environ, WATCHER_FD: str(inherited)},
    )
    os.close(inherited)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    exiting = threading.Thread(target=_exit_with, args=(child,))
    exiting.start()
    _copy_data(directory)
    if _wait_for_end_of(parent):
        os.write(pipe, b"k")  # where COMMAND is a script, the server is a child of the child
    else:
        child.terminate()
        _wait_while_it_writes(exiting, seconds, directory)
    child.kill()


def _set_damaged_aside(directory: str) -> list[str]:
    """Rename the data files that are not JSON objects; the files that were set aside and not replaced since."""
    for file in _data_files(directory):
        try:
            with open(file, encoding="utf-8") as stream:
                is_damaged = not isinstance(json.load(stream), dict)
        except ValueError:
            is_damaged = True
        if is_damaged:
            os.replace(file, file + ".damaged")
    files = sorted(glob.glob(os.path.join(glob.escape(directory), "*.json.damaged"))) if directory else []
    return [file for file in files if not os.path.exists(file.removesuffix(".damaged"))]


def _copy_data(directory: str) -> None:
    for file in _data_files(directory):
        copy = file + ".last-good"
        try:
            shutil.copyfile(file, copy + ".tmp")
            os.replace(copy + ".tmp", copy)
        except OSError as error:
            print(f"The last good state was not copied to {copy}: {error.strerror}.", flush=True)  # noqa: T201


def _data_files(directory: str) -> list[str]:
    return glob.glob(os.path.join(glob.escape(directory), "*.json")) if directory else []


def _wait_for_end_of(parent: int) -> bytes:
    message = _read_message(parent)
    if not message.isdigit():
        return message
    while _is_running(int(message)):
        time.sleep(POLL_SECONDS)
    return b""


def _read_message(parent: int) -> bytes:
    if sys.platform == "win32":
        return os.read(sys.stdin.fileno(), 32)
    # Standard input closes when the parent ends, unless a forked child of the parent still holds its other end. So the
    # parent's id is compared, too: it changes when the parent has ended and another process adopts this one.
    while os.getppid() == parent:
        if select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
            return os.read(sys.stdin.fileno(), 32)
    # It may have written something before it ended.
    return os.read(sys.stdin.fileno(), 32) if select.select([sys.stdin], [], [], 0)[0] else b""


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


def _wait_while_it_writes(exiting: threading.Thread, seconds: float, directory: str) -> None:
    while True:
        before = _sizes(directory)
        exiting.join(seconds)  # if the server ends, this script ends with it
        if _sizes(directory) == before:
            return


def _sizes(directory: str) -> list[tuple[str, int]]:
    names = os.listdir(directory) if directory else []
    sizes = []
    for name in names:
        try:
            sizes.append((name, os.stat(os.path.join(directory, name)).st_size))
        except OSError:  # renamed meanwhile
            sizes.append((name, -1))
    return sorted(sizes)


def _exit_with(child: subprocess.Popen[bytes]) -> None:
    code = child.wait()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:])
