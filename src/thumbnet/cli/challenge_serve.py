"""`thumbnet challenge serve`, and `demo`: one made up and served at once."""

import os
from pathlib import Path
from typing import Annotated

import typer

from thumbnet.cli.challenge_teams import FolderArgument
from thumbnet.cli.output import out


def serve(
    folder: FolderArgument,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Server processes.")] = 1,
) -> None:
    """Serve the challenge until Ctrl-C."""
    import uvicorn

    from thumbnet.challenge.connection import backlog, raise_handles
    from thumbnet.challenge.operate import open_store
    from thumbnet.challenge.settings import FOLDER_VARIABLE

    _, store = open_store(folder)  # says what is wrong before any process starts
    store.close()
    os.environ[FOLDER_VARIABLE] = str(folder.resolve())
    raise_handles()
    uvicorn.run(
        "thumbnet.challenge.operate:app_of_folder",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        backlog=backlog(),
        http="thumbnet.challenge.connection:Prompt",
        proxy_headers=False,  # the app knows which proxies to trust
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,  # a listener of the live board never ends by itself
    )


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to write; new, or empty.")] = Path(
        "challenge-demo"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the board in a browser.")
    ] = True,
    serve_: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve it.")] = True,
) -> None:
    """Make a challenge of synthetic images with three teams, serve it, and open the board."""
    import threading
    import webbrowser

    from thumbnet.challenge.demo import make_demo
    from thumbnet.data.synthetic import synthesize

    address = f"http://127.0.0.1:{port}"
    made = make_demo(folder, synthesize(), public_url=address)
    out.print(f"{folder}: a demo of {made.made.num_images:,} hidden images")
    out.print(f"admin password: {made.made.password}")
    for name, token in made.tokens.items():
        out.print(f"token of {name}: {token}")
    if not serve_:
        out.print(f"next: thumbnet challenge serve {folder}")
        return
    out.print(f"the board: {address}  (Ctrl-C ends; rm -r {folder} removes it)")
    if open_:
        timer = threading.Timer(1.5, webbrowser.open, [address])
        timer.daemon = True
        timer.start()
    serve(folder, host="127.0.0.1", port=port, workers=1)
