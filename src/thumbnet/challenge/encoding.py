"""Requests choose no encoding: text is UTF-8 and comes as it is, or is refused unread."""

from http import HTTPStatus

from python_multipart.multipart import parse_options_header
from starlette.types import Scope

UTF8 = {b"utf-8", b"utf8"}
MAX_TYPE_BYTES = 300  # of a Content-Type: its parameters take quadratic time to read
AS_IT_IS = {b"7bit", b"8bit", b"binary"}

ONE_TYPE = "the request needs one short Content-Type"
ONLY_UTF8 = "the server reads UTF-8 only; send it as UTF-8, with no other charset"
NOT_PACKED = "the server unpacks nothing; send the body without Content-Encoding"
NO_TRANSFER = "send the parts of the form as they are, without Content-Transfer-Encoding"
NO_NUL = "the address holds a NUL character; leave it out"


def refusal_of(scope: Scope) -> tuple[HTTPStatus, str] | None:
    """Say why a request is refused for the encoding of its body or address; None if it is not."""
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    codings = [value for name, value in scope["headers"] if name == b"content-encoding"]
    problem = None
    if len(types) > 1 or any(len(value) > MAX_TYPE_BYTES for value in types):
        problem = ONE_TYPE
    elif types and not is_utf8(types[0]):
        problem = ONLY_UTF8
    elif any(value.strip().lower() not in {b"", b"identity"} for value in codings):
        problem = NOT_PACKED
    if problem:
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, problem
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        return HTTPStatus.BAD_REQUEST, NO_NUL
    return None


def is_utf8(content_type: bytes) -> bool:
    """Tell whether a Content-Type names UTF-8, or no charset."""
    _, parameters = parse_options_header(content_type)
    named = b"charset*" in content_type.lower()  # RFC 2231, which the parser skips
    return not named and parameters.get(b"charset", b"utf-8").strip().lower() in UTF8


def part_problem(name: bytes, value: bytes) -> str | None:
    """Say why a header of a part of a form is refused; None if it is not."""
    if name == b"content-type":
        if len(value) > MAX_TYPE_BYTES:
            return ONE_TYPE
        return None if is_utf8(value) else ONLY_UTF8
    if name == b"content-transfer-encoding" and value.strip().lower() not in AS_IT_IS:
        return NO_TRANSFER
    return None
