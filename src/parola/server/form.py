"""Reads an upload form as it streams in, and picks the one file out of it."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from parola.domain.errors import BadAudio, BadMessage


class OnlyAudio(BadAudio):
    """A part of a form that does not call itself audio; the predecessors' clients know the text."""

    def __init__(self) -> None:
        super().__init__("Only audio files are allowed")


class FileForm:
    """One multipart form (RFC 7578) with a file of sound in the field `file`.

    Other fields are read over. A header of more than 4 kB, or a part with more than eight, is
    refused, and no header outlives its part: memory stays small whatever comes.
    """

    def __init__(self, content_type_header: str) -> None:
        """Start a form with the boundary that the request's Content-Type names.

        Raises:
            BadMessage: the request is no multipart/form-data, or names no usable boundary.
        """
        self._found: list[str | bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._field = self._value = b""
        self._in_file = False
        self._complete = False
        try:
            kind, options = parse_options_header(content_type_header)
            boundary = options.get(b"boundary", b"")
            if kind != b"multipart/form-data" or not boundary:
                raise BadMessage("Send a form: multipart/form-data with a boundary.")
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_to_field,
                    "on_header_value": self._add_to_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._add_data,
                    "on_end": self._end,
                },
            )
        except (FormParserError, UnicodeEncodeError) as error:
            raise BadMessage(f"The form's content type cannot be read: {error}.") from error

    def feed(self, data: bytes) -> list[str | bytes]:
        """Return what these bytes hold of files: a name (str), then pieces of its content (bytes).

        Raises:
            OnlyAudio: the file's content type does not start with "audio/".
            BadMessage: the form is not well-formed, or the file's name is not in UTF-8.
        """
        self._found = []
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadMessage(f"The form is broken: {error}. Please send it again.") from error
        return self._found

    def finish(self) -> None:
        """Check that the form came to its end.

        Raises:
            BadMessage: it did not.
        """
        if not self._complete:
            raise BadMessage("The form broke off before its end; please send it again.")

    def _begin_part(self) -> None:
        self._headers = {}
        self._in_file = False

    def _add_to_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if options.get(b"name") != b"file" or b"filename" not in options:
            return
        if not self._headers.get(b"content-type", b"").lower().startswith(b"audio/"):
            raise OnlyAudio
        try:
            self._found.append(options[b"filename"].decode())
        except UnicodeDecodeError as error:
            raise BadMessage("The file name is not in UTF-8; please rename it.") from error
        self._in_file = True

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._found.append(data[start:end])

    def _end(self) -> None:
        self._complete = True
