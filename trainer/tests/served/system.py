"""Edge and runner on this machine, for as long as the tests last."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from served.client import Client

_START_MOST_SECONDS = 150
_STOP_MOST_SECONDS = 30


@contextmanager
def running_system(project: Path, base: Path, digest: str, folder: Path) -> Iterator[Client]:
    """Starts `npm run dev` with its state in `folder`; a client with the admin key, once the base is served."""
    port, runner_port = _free_ports(2)
    admin = Client(f"http://127.0.0.1:{port}", secrets.token_urlsafe(24))
    settings = {
        "PDORA_PORT": str(port),
        "PDORA_RUNNER_PORT": str(runner_port),
        "PDORA_STATE": str(folder / "state"),
        "PDORA_BASE": str(base),
        "PDORA_ADMIN_KEY": admin.key,
        # As under npm, it then ends with the process that started it, even a killed one.
        "npm_command": "run-script",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PDORA_")}
    log = folder / "system.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [project / "node_modules" / ".bin" / "node", project / "cli" / "dev" / "main.ts"],
            cwd=project,
            env=inherited | settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_served(admin, digest, process, log)
        yield admin
    finally:
        _end(process)


def _wait_until_served(admin: Client, digest: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_MOST_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            healthy = admin.call("GET", "/healthz").status == 200
            if healthy and digest in [base["digest"] for base in admin.call("GET", "/v1/bases").json()["data"]]:
                return
        except OSError:
            # Nothing listens yet.
            pass
        time.sleep(0.2)
    raise RuntimeError(f"the system did not start:\n{log.read_text()[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends it and checks that nothing it started is left."""
    started = _below(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_MOST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    until = time.monotonic() + _STOP_MOST_SECONDS
    while (left := started & _processes().keys()) and time.monotonic() < until:
        time.sleep(0.1)
    for pid, _ in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"left running: {left}"


def _processes() -> dict[tuple[int, str], int]:
    """(id, command) -> parent's id."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return {(int(row[0]), row[2]): int(row[1]) for row in rows if len(row) == 3}


def _below(root: int) -> set[tuple[int, str]]:
    processes = _processes()
    found: set[tuple[int, str]] = set()
    parents = {root}
    while parents:
        children = {one for one, parent in processes.items() if parent in parents}
        parents = {pid for pid, _ in children}
        found |= children
    return found


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
