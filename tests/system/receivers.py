"""Receivers of alerts inside a machine: what a web service and a mail server hear, written into a file.

    receivers.py http PORT FILE        each request, its body last, is answered 200
    receivers.py smtp PORT FILE        each mail, how it came first; for STARTTLS it has /root/mail.pem

They end with the machine.
"""

import socket
import sys


def http(stream, note):
    """One request, whole."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += stream.recv(65536)
    head, _, body = read.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields.get(b"content-length", 0)):
        body += stream.recv(65536)
    note(head + b"\r\n\r\n" + body)
    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def smtp(port, note):
    """aiosmtpd, which takes mail only over TLS and of whom knows the password."""
    import ssl
    import threading

    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult

    class Recorder:
        async def handle_DATA(self, _server, session, envelope):
            way = "TLS" if session.ssl else "no TLS"
            note(f"over {way} from {envelope.mail_from} to {', '.join(envelope.rcpt_tos)}\n".encode() + envelope.content)
            return "250 taken"

    def knows(_server, _session, _envelope, _mechanism, said):
        return AuthResult(success=(said.login, said.password) == (b"alerts", b"a-secret-of-ours"))

    papers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    papers.load_cert_chain("/root/mail.pem")
    options = {"tls_context": papers, "require_starttls": True, "auth_required": True, "authenticator": knows}
    Controller(Recorder(), hostname="127.0.0.1", port=port, **options).start()
    threading.Event().wait()


def main():
    kind, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]

    def note(what):
        with open(path, "ab") as file:
            file.write(what + b"\n")

    if kind == "smtp":
        smtp(port, note)
    server = socket.create_server(("127.0.0.1", port))
    while True:
        stream, _ = server.accept()
        with stream:
            try:
                http(stream, note)
            except OSError:
                pass


main()
