"""Read a form: few fields, of a bounded size, in UTF-8."""

from fastapi import HTTPException
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from thumbnet.challenge.encoding import part_problem

FORM_BYTES = 16 * 1024  # a form without a file, or what multipart wraps around one
FIELD_BYTES = 64 * 1024  # the longest note that a challenge may allow fits
MAX_FIELDS = 10


async def read_form(request: Request) -> dict[str, str | bytes]:
    """Read the fields of a form; a file is bytes.

    Raises: HTTPException where it has too many fields, or large ones, or not UTF-8
    """
    body = await request.body()  # whole and within its cap before a parser sees it
    kind, _ = parse_options_header(request.headers.get("content-type"))
    form = FormData()
    try:
        if kind == b"multipart/form-data":
            bounds = {"max_files": 1, "max_fields": MAX_FIELDS, "max_part_size": FIELD_BYTES}
            form = await _Parts(request.headers, request.stream(), **bounds).parse()
        elif kind == b"application/x-www-form-urlencoded":
            if len(body) > FORM_BYTES:
                raise HTTPException(413, "The form is too large.")
            form = await FormParser(
                request.headers, request.stream(), max_fields=MAX_FIELDS, max_part_size=FIELD_BYTES
            ).parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None
    fields: dict[str, str | bytes] = {}
    try:
        for name, value in form.multi_items():
            if "\0" in name or (isinstance(value, str) and "\0" in value):
                raise HTTPException(422, "The form holds a NUL character. Leave it out.")
            fields[name] = value if isinstance(value, str) else await value.read()
    finally:
        await form.close()
    return fields


class _Parts(MultiPartParser):
    """Starlette's parser, which refuses parts in another encoding than UTF-8."""

    def on_headers_finished(self) -> None:
        """Look at the headers of a part before its content comes."""
        for name, value in self._current_part.item_headers:
            if problem := part_problem(name, value):
                raise HTTPException(415, f"{problem[0].upper()}{problem[1:]}.")
        super().on_headers_finished()
