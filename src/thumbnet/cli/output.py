"""Where commands print: results to standard output, the rest to standard error."""

from rich.console import Console

out = Console(highlight=False, soft_wrap=True, markup=False)
err = Console(highlight=False, soft_wrap=True, markup=False, stderr=True)
