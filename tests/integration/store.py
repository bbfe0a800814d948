"""A service manager with a store for files, as far as a daemon sees one: python3 store.py FOLDER PROGRAM [ARGUMENT…]

Starts the program with a notify socket FOLDER/notify, keeps what it is given (FDSTORE=1), lets go of what it names
(FDSTOREREMOVE=1), and hands the rest to the next process (LISTEN_FDS). SIGHUP restarts the program; when it is killed it
is started again; SIGTERM stops it and empties the store. FOLDER/started counts the starts.
"""

import array
import os
import selectors
import signal
import socket
import sys

folder, command = sys.argv[1], sys.argv[2:]
# Names and files.
store: list[tuple[str, int]] = []
wishes = []
for number in (signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, lambda number, _: wishes.append(number))
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(f"{folder}/notify")
waker, wakes = socket.socketpair()
wakes.setblocking(False)
signal.set_wakeup_fd(wakes.fileno())
signal.signal(signal.SIGCHLD, lambda *_: None)
loop = selectors.DefaultSelector()
loop.register(notify, selectors.EVENT_READ)
loop.register(waker, selectors.EVENT_READ)
starts = 0


def start() -> int:
    """A new process, with all that is kept; its number."""
    global starts
    starts += 1
    handed = list(store)

    def become() -> None:
        high = [os.dup2(file, 1000 + at, inheritable=False) for at, (_, file) in enumerate(handed)]
        for at, file in enumerate(high):
            os.dup2(file, 3 + at, inheritable=True)
        os.environ.update(NOTIFY_SOCKET=f"{folder}/notify", FDSTORE="128")
        if handed:
            names = ":".join(name for name, _ in handed)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(handed)), LISTEN_FDNAMES=names)
        os.execv(command[0], command)

    child = os.fork()
    if child == 0:
        try:
            become()
        finally:
            os._exit(70)
    with open(f"{folder}/started", "w") as file:
        file.write(str(starts))
    return child


def hear() -> None:
    """One message of the daemon's."""
    message, controls, _, _ = notify.recvmsg(8192, socket.CMSG_SPACE(253 * 4))
    files = array.array("i")
    for _, _, data in controls:
        files.frombytes(data[: len(data) - len(data) % files.itemsize])
    for file in files:
        os.set_inheritable(file, False)
    words = dict(line.split("=", 1) for line in message.decode().splitlines())
    if words.get("FDSTORE") == "1":
        store.extend((words["FDNAME"], file) for file in files)
        files = []
    if words.get("FDSTOREREMOVE") == "1":
        for one in [each for each in store if each[0] == words["FDNAME"]]:
            store.remove(one)
            os.close(one[1])
    # A barrier's file among them: closing it says that all before it was read.
    for file in files:
        os.close(file)


def ended(child: int, wait: bool = False) -> bool:
    return os.waitpid(child, 0 if wait else os.WNOHANG)[0] == child


child = start()
while True:
    for key, _ in loop.select():
        if key.fileobj is notify:
            hear()
        else:
            waker.recv(4096)
    gone = ended(child)
    if wishes and not gone:
        os.kill(child, signal.SIGTERM)
        while not ended(child):
            for key, _ in loop.select(0.05):
                hear() if key.fileobj is notify else waker.recv(4096)
        gone = True
    if gone:
        # What it said last.
        while any(key.fileobj is notify for key, _ in loop.select(0)):
            hear()
        if signal.SIGTERM in wishes:
            sys.exit(0)
        wishes.clear()
        child = start()
