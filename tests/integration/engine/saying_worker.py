"""A worker that speaks the work half of heaptui/wire.py with what the standard library has. It does
what its first argument names; the others are that one's own. What happened stands in its output.
"""

import json
import os
import signal
import socket
import sys
import time

how, rest = sys.argv[1], sys.argv[2:]
CHECKPOINT, RESULT = os.environ["HEAPTUI_CHECKPOINT"], os.environ["HEAPTUI_RESULT"]


def tell(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def connect(can=("checkpoint", "drain")):
    line = socket.socket(socket.AF_UNIX)
    line.connect(os.environ["HEAPTUI_SOCKET"])
    send(
        line,
        type="hello",
        v=1,
        role="work",
        task=os.environ["HEAPTUI_TASK"],
        pid=os.getpid(),
        ppid=os.getppid(),
        runtime="fake",
        version="1",
        can=list(can),
    )
    return line


def send(line, **message):
    line.sendall(json.dumps(message).encode() + b"\n")


def orders(line):
    held = b""
    while chunk := line.recv(65536):
        *whole, held = (held + chunk).split(b"\n")
        yield from map(json.loads, whole)


def order(line, op):
    return next(one for one in orders(line) if one["op"] == op)


def kept(line):
    answer = order(line, "kept")
    tell("kept", answer["what"], answer.get("bytes", 0), answer.get("error") or "well")


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)


def sleep():
    while True:
        time.sleep(1)


match how:
    case "says":  # each further argument is a message; every one that is answered is waited for
        line = connect()
        for words in rest:
            message = json.loads(words)
            send(line, **message)
            if message["type"] in ("checkpoint", "result"):
                kept(line)
        tell("said all")
        sleep()
    case "says-later":  # when the file that is named first is there
        line = connect()
        tell("connected")
        wait_for(rest[0])
        for words in rest[1:]:
            send(line, **json.loads(words))
        sleep()
    case "many-hands":  # of so many processes, each with an item of its own
        for n in range(int(rest[0])):
            if n and os.fork():
                continue
            if n:
                line = connect()
                send(line, type="progress", hand=[f"item {n}"])
                sleep()
        line = connect()
        send(line, type="progress", hand=["item 0"])
        sleep()
    case "ends-at-once":  # without waiting for any answer
        line = connect()
        send(line, type="checkpoint", data={"n": 1})
        for n in range(3):
            send(line, type="result", data={"text": "x" * 100_000, "n": n})
        line.close()
    case "ends-when-seen":  # what is said last lies unread in a socket whose other end is gone
        line = connect()
        order(line, "drain")
        os.kill(os.getppid(), 0)
        send(line, type="checkpoint", data={"n": 2})
        send(line, type="result", data={"n": 3})
        send(line, type="drained")
        os._exit(0)
    case "large":
        line = connect()
        send(line, type="checkpoint", data="x" * int(rest[0]))
        kept(line)
        sleep()
    case "many":  # a later one is never overtaken
        line = connect()
        for n in range(int(rest[0])):
            send(line, type="checkpoint", data={"n": n, "text": "x" * (n * 7919 % 30_000)})
        answered = 0
        for one in orders(line):
            answered += one["op"] == "kept"
            if answered == int(rest[0]):
                break
        tell("all kept")
        sleep()
    case "two-hands":  # what is small comes second, and is on disk long before the other could be
        first, second = os.pipe()
        if os.fork() == 0:
            line = connect()
            os.read(first, 1)
            send(line, type="checkpoint", data={"by": "the second"})
            kept(line)
            sleep()
        line = connect()
        tell("connected")
        wait_for(rest[1])
        send(line, type="checkpoint", path=rest[0])
        os.write(second, b"x")
        kept(line)
        sleep()
    case "leaves-its-socket":  # to a child that speaks for it
        line = connect()
        wait_for(rest[0])
        if os.fork():
            os._exit(0)
        for n in range(10_000):
            send(line, type="progress", done=n)
            time.sleep(0.05)
    case "answers":
        line = connect()
        tell("connected")
        for one in orders(line):
            if one["op"] == "checkpoint":
                if rest:
                    send(line, type="failed", id=one["id"], code="error", text="in mid-air")
                else:
                    send(line, type="checkpoint", id=one["id"], data={"asked": one["id"]})
    case "never-answers":
        line = connect()
        tell("connected")
        sleep()
    case "writes-itself":
        for path in (CHECKPOINT, RESULT):
            with open(path, "w") as file:
                file.write("by hand")
        if rest:
            tell("wrote")
            sleep()
    case "drains":
        signal.signal(signal.SIGTERM, lambda *_: tell("TERM"))
        line = connect()
        tell("connected")
        order(line, "drain")
        tell("drain")
        wait_for(rest[0])
        send(line, type="drained")
        tell("done")
    case "leads":  # hears of nothing but signals; its child is in the middle of an item
        child = os.fork()
        if child == 0:
            tell("child begins")
            wait_for(rest[0])
            tell("child is done")
            os._exit(0)
        signal.signal(signal.SIGTERM, lambda *_: tell("TERM"))
        tell("ready")
        os.waitpid(child, 0)
        tell("leader is done")
        sys.exit(4)
    case "under-a-shell":  # its leader knows nothing better than to end
        line = connect()
        tell("connected")
        order(line, "drain")
        wait_for(rest[0])
        tell("done")
    case "deaf-to-drains":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        line = connect()
        tell("connected")
        sleep()
    case "floods":
        line = connect()
        while True:
            send(line, type="progress", done=1)
    case "heap-words":
        line = connect()
        send(line, type="heap", at=1)
        line.recv(1)
        tell("dropped")
        sleep()
    case "stops-in-mid-line":
        lines = []
        for _ in range(int(rest[0])):
            if os.fork() == 0:
                line = connect()
                line.sendall(b'{"type":"checkpoint","data":"' + b"x" * 200_000)
                tell("in the middle")
                sleep()
        sleep()
