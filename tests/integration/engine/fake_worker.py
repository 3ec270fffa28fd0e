"""A worker that speaks heaptui/wire.py with what the standard library has: what it does, well
or badly, is named by its first argument. What happened to it stands in its output.

`good` does everything; the others do everything but one thing well.
"""

import json
import os
import signal
import socket
import sys
import time

how, rest = sys.argv[1], sys.argv[2:]
said = {
    "v": 1,
    "type": "hello",
    "task": os.environ.get("HEAPTUI_TASK") or rest[0],
    "pid": os.getpid(),
    "ppid": os.getppid(),
    "runtime": "fake",
    "version": "1.0",
    "title": "a \x1b[31mred\x1b[0m one",
    "can": ["gc", "snapshot", "fly"],
    "why": {},
}
if how == "cannot":
    said |= {"can": [], "why": {"gc": "it is of \x1b[1mstone"}}
if how == "another-pid":
    said["pid"] = 1
if how == "another-version":
    said["v"] = 999
used = 1 << 20
pace = {"s": 0.05}


def tell(word):
    os.write(1, (word + "\n").encode())


def send(line, message):
    line.sendall(json.dumps(message).encode() + b"\n")


def heap(**more):
    return {"type": "heap", "at": time.time(), "used": used, "limit": 4 << 20, "age_ms": 5} | more


def gc(line, order):
    if how == "exits":
        os._exit(7)
    if how == "silent":
        return
    if how == "fails":
        send(line, {"type": "failed", "id": order["id"], "code": "error", "text": "no \x1b[2Jway"})
        return
    send(line, {"type": "phase", "id": order["id"], "name": "collecting"})
    time.sleep(0.2)
    collected = {"flavour": "fake", "pause_ms": 1.5, "used_before": used, "used_after": 7}
    if how == "untrue":
        collected["used_after"] = -7
    send(line, {"type": "done", "id": order["id"], "collected": collected})


def snapshot(line, order):
    """`grows`: takes memory meanwhile, and writes slowly; `claims`: writes nothing at all."""
    path = order["path"]
    if how == "links":
        os.symlink(rest[0], path)
    elif how != "claims":
        handle = os.open(path + ".part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        send(line, {"type": "phase", "id": order["id"], "name": "writing"})
        if how == "grows":
            held = b"x" * (80 << 20)
            for _ in range(8):
                os.write(handle, b"y" * 1000)
                time.sleep(0.2)
            del held
        if how == "freezes-writing":
            os.kill(os.getpid(), signal.SIGSTOP)
        while how == "writes-for-ever":
            time.sleep(1)
        if how == "dies-writing":
            os.write(handle, b"half")
            os._exit(9)
        if how == "writes-until":
            while not os.path.exists(rest[0]):
                time.sleep(0.02)
        os.write(handle, b"whole")
        os.close(handle)
        os.rename(path + ".part", path)
    written = {"path": "/elsewhere", "bytes": 1, "took_ms": 3, "pause_ms": 2, "used": used}
    send(line, {"type": "done", "id": order["id"], "written": written})


def obey(line, order):
    match order["op"]:
        case "every":
            pace["s"] = order["ms"] / 1000
            tell(f"every {order['ms']}")
        case "heap":
            if how != "silent":
                send(line, heap(id=order["id"], requests=42))
        case "gc":
            gc(line, order)
        case "snapshot":
            snapshot(line, order)


def misbehave(line):
    match how:
        case "flood":
            while True:
                send(line, heap())
        case "drip":
            while True:
                line.sendall(b" ")
        case "nonsense":
            line.sendall(b"what?\n")
        case "endless-line":
            line.sendall(b"[" * (1 << 20))
        case "deep":
            line.sendall(b"[" * 60000 + b"\n")
        case "absurd":
            send(line, heap(used=1 << 62))
        case "twice":
            send(line, said)
        case "leaves-its-socket":
            if os.fork():
                os._exit(0)
        case "deaf":
            while True:
                time.sleep(1)
        case "second-line":
            other = socket.socket(socket.AF_UNIX)
            other.connect(os.environ["HEAPTUI_SOCKET"])
            send(other, said)
            send(other, heap(used=2))
            while line.recv(65536):
                pass
            tell("the first is closed")
            listen(other)


def converse(line):
    send(line, said)
    tell("connected")
    send(line, heap())
    misbehave(line)
    listen(line)


def listen(line):
    held = b""
    due = time.monotonic() + pace["s"]
    while True:
        line.settimeout(max(0.001, due - time.monotonic()))
        try:
            chunk = line.recv(65536)
            if not chunk:
                raise ConnectionResetError
            *orders, held = (held + chunk).split(b"\n")
            for order in orders:
                obey(line, json.loads(order))
        except TimeoutError:
            send(line, heap())
            due = time.monotonic() + min(pace["s"], 0.2)


def main():
    while True:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(os.environ["HEAPTUI_SOCKET"])
            converse(line)
        except OSError:
            tell("dropped")
            if how not in ("good", "grows"):
                time.sleep(0.05)
        line.close()
        time.sleep(0.02)


if how == "crowd":  # so many processes of one task
    for _ in range(int(rest[0])):
        if os.fork() == 0:
            said |= {"pid": os.getpid()}
            main()
    time.sleep(1000)
main()
