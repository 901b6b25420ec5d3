"""A PostgreSQL server of our own in a temporary folder, run as another user when we are root."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import LiteralString

import psycopg

USER = "thumbnet"


def binaries() -> Path | None:
    """Return the folder of the newest installed server, None where there is none."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(found, key=lambda path: int(path.parents[1].name.split(".")[0]))
    if newest:
        return newest[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


class Server:
    """A running server; it listens on a socket in its folder alone."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.folder, self.bin = folder, bin_folder
        self.as_user = "nobody" if os.geteuid() == 0 else None
        if self.as_user:
            shutil.chown(folder, self.as_user)
        self.data = folder / "data"
        options = ["--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C", "-N"]
        self._run(self.bin / "initdb", "-D", self.data, *options)
        self.start()
        self._number = 0

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=200"
        log = self.folder / "log.txt"
        self._run(
            self.bin / "pg_ctl",
            "-D",
            self.data,
            "-w",
            "-t",
            "60",
            "-o",
            options,
            "-l",
            log,
            "start",
        )

    def stop(self) -> None:
        """Stop the server at once, but in order."""
        self._run(self.bin / "pg_ctl", "-D", self.data, "-w", "-m", "fast", "stop")

    def kill(self) -> None:
        """Kill the server and all its processes, and wait until they are gone."""
        main = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in (main, *map(int, children)):
            os.kill(process, signal.SIGKILL)
        while any(Path(f"/proc/{process}").exists() for process in (main, *children)):
            time.sleep(0.01)

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        self._number += 1
        self._say(f"CREATE DATABASE challenge_{self._number}")
        return f"postgresql+psycopg://{USER}@/challenge_{self._number}?host={self.folder}"

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        name = url.partition("@/")[2].partition("?")[0]
        self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def _say(self, statement: LiteralString) -> None:
        address = f"host={self.folder} user={USER} dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, *command: object) -> None:
        subprocess.run(
            [str(word) for word in command],
            check=True,
            capture_output=True,
            user=self.as_user,
            group="nogroup" if self.as_user else None,
            extra_groups=[] if self.as_user else None,
            cwd="/",
        )


def new_folder() -> Path:
    """Make a folder that another user may enter; a socket's path must be short."""
    return Path(tempfile.mkdtemp(prefix="thumbnet-pg-", dir="/tmp"))
