"""Run a command for as long as another process lives.

    python -I -S watcher.py PARENT SECONDS COMMAND [ARGUMENT ...]

PARENT is the id of that process, which starts this script and holds the other end of its standard input. When the
process ends, however it ends, the command gets SIGTERM, SECONDS to write its data, and SIGKILL. This script exits with
the command's exit code.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading

POLL_SECONDS = 0.5


def main(parent: int, seconds: float, command: list[str]) -> None:
    """Start the command, and end it when the parent process is gone."""
    # The command inherits the lock of the data directory, which is free again when the last holder has ended.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False)  # noqa: S603 - our own argument
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    exiting = threading.Thread(target=_exit_with, args=(child,))
    exiting.start()
    _wait_for_end_of(parent)
    child.terminate()
    exiting.join(seconds)
    child.kill()


def _wait_for_end_of(parent: int) -> None:
    if sys.platform == "win32":
        os.read(sys.stdin.fileno(), 1)
        return
    # Standard input closes at once, unless a forked child of the parent has inherited its other end and lives on.
    # That is why the parent's id is compared, too: it changes when the parent is gone and another process adopts this.
    while os.getppid() == parent and not select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
        pass


def _exit_with(child: subprocess.Popen[bytes]) -> None:
    code = child.wait()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
