"""Tells why nobody could listen on a port."""

import errno
import socket


def port_trouble(host: str, port: int) -> str | None:
    """Return why nobody could listen there now, or None. Source: bind(2)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen()
        except OSError as error:
            return _port_sentence(host, port, error)
        except OverflowError:
            return f"{port} is no port; choose one from 0 to 65535."
    return None


def _port_sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is taken by another program; end that one,"
            f" or choose another with --port {port + 1 if port < 65535 else 8000}."
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"Port {port} may not be used by you; choose one above 1023, such as --port 8000."
    return f"{host} is no address of this computer ({error.strerror}); try --host 127.0.0.1."
