"""Run a command for as long as the process at the other end of standard input lives.

    python -I -S watcher.py SECONDS COMMAND [ARGUMENT ...]

When that process ends, however it ends, standard input closes. The command then gets SIGTERM, SECONDS to write its
data, and SIGKILL. This script leaves with the command's exit code.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(seconds: float, command: list[str]) -> None:
    """Start the command, and end it when standard input closes."""
    # Not closing the others hands on the lock of the data directory, free only when the last holder is gone.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False)  # noqa: S603 - our own argument
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    follower = threading.Thread(target=_leave_with, args=(child,))
    follower.start()
    os.read(sys.stdin.fileno(), 1)
    child.terminate()
    follower.join(seconds)
    child.kill()


def _leave_with(child: subprocess.Popen[bytes]) -> None:
    code = child.wait()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
