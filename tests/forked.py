"""The front of a command that `forking_server.py` runs: its streams, signals and end are passed on.

Run as `forked.py SOCKET ARGUMENT...`, where the arguments are those of `python`. SIGKILL cannot be
passed on: it ends the command, but a moment later.
"""

import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def main() -> None:
    # No signal is lost between here and the moment when there is somebody to send it to.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    address, *arguments = sys.argv[1:]
    about = {"arguments": arguments, "place": str(Path.cwd()), "environment": dict(os.environ)}
    text = json.dumps(about).encode()
    with socket.socket(socket.AF_UNIX) as server:
        _connect(server, address)
        socket.send_fds(server, [len(text).to_bytes(8, "big")], [0, 1, 2])
        server.sendall(text)
        pid = _number(server)
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: os.kill(pid, number))
        # The ends of pipes belong to the command alone.
        for stream in (0, 1):
            os.close(stream)
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        # A signal that comes just before a read begins would wait for its end: a pipe wakes us.
        sources: list[Any] = [server, woken]
        while server not in select.select(sources, [], [])[0]:
            os.read(woken, 4096)
        status = _number(server)
    if status < 0:
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _connect(server: socket.socket, address: str) -> None:
    for _ in range(100):
        try:
            return server.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            # It is just starting.
            time.sleep(0.05)
    sys.exit("there is no fork server")


def _number(server: socket.socket) -> int:
    text = server.recv(8, socket.MSG_WAITALL)
    if len(text) < 8:
        sys.exit("the fork server is gone")
    return int.from_bytes(text, "big", signed=True)


if __name__ == "__main__":
    main()
