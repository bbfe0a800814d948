"""Receivers of alerts inside a machine: what a web service and a mail server hear, written into a file.

    receivers.py http PORT FILE        each request, its body last, is answered 200
    receivers.py smtp PORT FILE        a mail server that takes every mail

They end with the machine. Nothing but sockets, because a minimal Python has no more.
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


def smtp(stream, note):
    """One conversation, by RFC 5321."""
    lines = stream.makefile("rb")
    stream.sendall(b"220 recorder\r\n")
    mail = None
    for line in lines:
        if mail is not None:
            if line == b".\r\n":
                note(mail)
                mail = None
                stream.sendall(b"250 taken\r\n")
            else:
                mail += line
        elif line.upper().startswith(b"DATA"):
            mail = b""
            stream.sendall(b"354 go on\r\n")
        elif line.upper().startswith(b"QUIT"):
            stream.sendall(b"221 bye\r\n")
            return
        else:
            note(line)
            stream.sendall(b"250 recorder\r\n")


def main():
    kind, port, path = {"http": http, "smtp": smtp}[sys.argv[1]], int(sys.argv[2]), sys.argv[3]
    server = socket.create_server(("127.0.0.1", port))
    while True:
        stream, _ = server.accept()
        with stream, open(path, "ab") as file:
            try:
                kind(stream, lambda what: file.write(what + b"\n"))
            except OSError:
                pass


main()
