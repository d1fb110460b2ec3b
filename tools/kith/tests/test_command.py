#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the kith command: test_command.py CASE COMMAND USER_PROGRAM [LAUNCHER...]

USER_PROGRAM is name_user; LAUNCHER starts programs of another OS."""
import json
import os
import signal
import subprocess
import sys

from support import PATIENCE, PERSISTENT, Place, Skipped, becomes, check

KINDS = ("memory", "array", "value", "lock", "semaphore", "condition", "event", "barrier", "queue", "broadcast", "endpoint")
KEYS = {"kind", "name", "stale", "persistent", "others_read", "others_use", "type", "size", "element_size", "users",
        "owner_pid", "owner_held_ms", "waiting", "used", "capacity"}


def nothing(place):
    check(place.list() == [])
    check(place.text("ls", "--", place.begin + "*").endswith((".\n", "matches.\n")))
    if place.launcher:
        return  # the names of a session may be of others
    check(place.text("ls") == "There are no named objects and no endpoints.\n")
    check(place.text("gc") == "No crash has left anything.\n")
    check(json.loads(place.text("gc", "--json")) == {"dry_run": False, "count": 0, "removed": []})
    check(json.loads(place.text("top", "--count", "1", "--json")) == [])


def kinds(place):
    users = {kind: place.user(kind, "one") for kind in KINDS}
    listed = {each["kind"]: each for each in place.list()}
    check(set(listed) == set(KINDS), "kinds", set(KINDS) ^ set(listed))
    for kind, each in listed.items():
        check(set(each) == KEYS, kind, "keys", set(each) ^ KEYS)
        check(each["name"] == place.begin + "one")
        check(each["users"] == [users[kind].pid], kind, "users", each["users"], users[kind].pid)
        check(not each["stale"] and not each["persistent"] and not each["others_use"] and each["owner_pid"] is None)
    sizes = {kind: (each["type"], each["size"], each["element_size"]) for kind, each in listed.items() if each["size"]}
    check(sizes == {"memory": (None, 10000, None), "array": ("f32", 24, 4), "value": ("i64", 8, 8)}, sizes)
    told = {kind: (each["used"], each["capacity"]) for kind, each in listed.items() if each["capacity"]}
    check(told == {"semaphore": (0, 3), "event": (0, 1), "barrier": (0, 2), "queue": (0, 65536), "broadcast": (0, 65536)}, told)
    chosen = place.list("lock", "queue")
    check(sorted(each["kind"] for each in chosen) == ["lock", "queue"])
    check(place.list("nothing of this name") == place.list(), "patterns add up")
    table = place.text("ls", place.begin + "*n?").splitlines()
    check(len(table) == 1 + len(KINDS), table)
    check(all(line.index(place.begin) == table[0].index("NAME") for line in table[1:]), "aligned", table)
    check(any(line.startswith("memory  ") and "9.8 KiB" in line for line in table), table)
    users["queue"].ends()
    users["lock"].ends()
    left = {each["kind"] for each in place.list()}
    check(left == set(KINDS) - {"queue", "lock"}, left)


def lock(place):
    holder, waiter, other = (place.user("lock", "held") for _ in range(3))
    check(place.only("held")["owner_pid"] is None)
    check(holder.does("acquire") == "KITH_OK")
    held = place.only("held")
    check(held["owner_pid"] == holder.pid and held["users"] == sorted([holder.pid, waiter.pid, other.pid]), held)
    check(held["waiting"] == 0, held)
    first = becomes(lambda: place.only("held")["owner_held_ms"])
    becomes(lambda: place.only("held")["owner_held_ms"] > first)
    waiter.begins("acquire")
    other.begins("acquire")
    becomes(lambda: place.only("held")["waiting"] == 2)
    line = place.text("ls", "lock", place.begin + "held").splitlines()[1]
    check(f"{holder.pid} for " in line and " 2 " in line, line)
    other.kill()  # it goes with what it counted
    becomes(lambda: place.only("held")["waiting"] == 1)
    holder.kill()
    becomes(lambda: place.only("held")["owner_pid"] == waiter.pid)
    check(place.only("held")["users"] == [waiter.pid] and place.only("held")["waiting"] == 0)


def fill(place):
    queue, semaphore, event, barrier = (place.user(kind, "full") for kind in ("queue", "semaphore", "event", "barrier"))
    check([queue.does("put 16000") for _ in range(2)] == ["KITH_OK"] * 2)
    check(semaphore.does("acquire") == "KITH_OK" and event.does("set") == "KITH_OK")
    barrier.begins("arrive")
    becomes(lambda: place.list("barrier")[0]["waiting"] == 1)
    told = {each["kind"]: each for each in place.list()}
    check(32000 <= told["queue"]["used"] <= 32200, told["queue"])
    check(told["semaphore"]["used"] == 1 and told["event"]["used"] == 1 and told["barrier"]["used"] == 1, told)
    table = place.text("ls", place.begin + "full")
    for text in ("31 KiB of 64 KiB (48%)", "1 of 3", "set", "1 of 2"):
        check(f"  {text}  " in table, text, "in", table)


def shown(place):
    strange = 'a\x1b\r\n\t"\\\x7f\u202ee \u00e9\u6f22\U0001f600'
    users = [place.user("event", strange) for _ in range(5)]
    listed = place.only(strange)
    check(listed["users"] == sorted(user.pid for user in users))
    table = place.text("ls")
    check(table.count("\n") == 2 and table.isprintable() is False, table)
    line = table.splitlines()[1]
    check('a\\x1b\\r\\n\\t"\\\\\\x7f\\u202ee \u00e9\u6f22\U0001f600' in line and line.isprintable(), line)
    check(line.rstrip().endswith(" ".join(map(str, listed["users"][:3])) + " +2"), line)
    check(" ".join(map(str, listed["users"])) in place.text("ls", "-l"))
    long_name = "x" * 300
    place.user("event", long_name)
    check("x" * 300 not in place.text("ls") and "x" * 300 in place.text("ls", "--long"))


def unicode(place):
    """What a user types and what he sees are UTF-8 everywhere."""
    place.user("event", "\u00e9\u6f22\U0001f600")
    place.user("event", "e")
    for pattern in ("\u00e9*", "?\u6f22?", "*\U0001f600"):
        listed = json.loads(place.text("ls", "--json", place.begin + pattern))
        check([each["name"] for each in listed] == [place.begin + "\u00e9\u6f22\U0001f600"], pattern, listed)
    check("  " + place.begin + "\u00e9\u6f22\U0001f600  -" in place.text("ls", place.begin + "\u00e9*"))


def gc(place):
    # All there before the first one crashes: who makes something removes what crashes have left before.
    crashing = [place.user(kind, "crashed") for kind in ("lock", "queue", "endpoint")]
    crashing.append(place.user("array", "kept too", PERSISTENT))
    crashing.append(place.user("event", "kept by another"))
    living = place.user("semaphore", "living")
    other = place.user("event", "kept by another")
    place.user("value", "kept", PERSISTENT).ends()
    for each in crashing:
        each.crashes()
    stale = {each["kind"] for each in place.list() if each["stale"]}
    check(stale == {"lock", "queue", "endpoint"}, stale)
    before = place.list()
    check("left over" in place.text("ls", "lock"))
    wanted = [{"kind": kind, "name": place.begin + "crashed"} for kind in ("lock", "queue", "endpoint")]
    wanted = {"dry_run": True, "count": 3, "removed": sorted(wanted, key=lambda each: KINDS.index(each["kind"]))}

    def asked(*words):
        told = json.loads(place.text("gc", "--json", *words))
        told["removed"].sort(key=lambda each: KINDS.index(each["kind"]))
        return told

    check(asked("--dry-run") == wanted, asked("--dry-run"))
    check(place.text("gc", "-n").endswith("3 would be removed.\n"))
    check(place.list() == before, "a dry run changes nothing")
    wanted["dry_run"] = False
    told = asked()
    check(told == wanted, told)
    left = {each["name"][len(place.begin):]: each["users"] for each in place.list()}
    check(left == {"kept": [], "kept too": [], "living": [living.pid], "kept by another": [other.pid]}, left)
    check(place.text("gc") == "No crash has left anything.\n")
    place.user("event", "crashed").crashes()
    check(place.text("gc") == f"event  {place.begin}crashed\n1 removed.\n")
    check(living.does("acquire") == "KITH_OK")
    living.ends()
    other.ends()
    place.text("rm", "value", place.begin + "kept")
    place.text("rm", "array", place.begin + "kept too")
    check(place.files() == [], place.files())


def rm(place):
    user = place.user("value", "kept", PERSISTENT)
    check(place.only("kept")["persistent"])
    check("  persistent\n" in place.text("ls", "value"))
    said = place.text("rm", "value", place.begin + "kept")
    check(said == f"value {place.begin}kept goes with its last user: {user.pid} has it.\n", said)
    check(not place.only("kept")["persistent"])
    user.ends()
    check(place.list() == [])
    place.user("value", "kept", PERSISTENT).ends()
    check(place.only("kept")["users"] == [])
    check(place.text("rm", "value", place.begin + "kept") == f"value {place.begin}kept is removed.\n")
    check(place.list() == [])
    check("KITH_E_NOT_FOUND" in place.run("rm", "value", place.begin + "kept", code=1)[1])


def top(place):
    queue = place.user("queue", "fills")
    lines = place.text("top", "--json", "-n", "2", "-i", "0.05", place.begin + "*").splitlines()
    frames = [json.loads(line) for line in lines]
    check([frame[0]["used_per_second"] for frame in frames] == [None, 0.0], frames)
    check(set(frames[0][0]) == KEYS | {"used_per_second"})
    pages = place.text("top", "--count=2", "--interval=0.05", "queue", place.begin + "*")
    check(pages.count("KIND") == 2 and pages.count("1 named objects") == 2 and "\x1b" not in pages, pages)
    running = subprocess.Popen([*place.launcher, place.command, "top", "--json", "-i", "0.05", place.begin + "*"],
                               env=place.environment, stdout=subprocess.PIPE)
    json.loads(running.stdout.readline())
    check(queue.does("put 10000") == "KITH_OK")
    becomes(lambda: json.loads(running.stdout.readline())[0]["used_per_second"] > 0)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE)
    check(running.returncode == -signal.SIGINT, running.returncode)


def terminal(place):
    """A page in place of the last one, that fits; what the terminal is told is nothing that would have to be put back."""
    import fcntl
    import pty
    import struct
    import termios
    for number in range(12):
        place.user("event", f"with a rather long name {number}")
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 40, 0, 0))
    running = subprocess.Popen([place.command, "top", "-i", "0.05", "-n", "3"], env=dict(place.environment, TERM="xterm"),
                               stdin=subprocess.DEVNULL, stdout=its)
    os.close(its)
    said = b""
    try:
        while chunk := os.read(ours, 65536):
            said += chunk
    except OSError:
        pass  # Linux tells so that the other side has closed it
    os.close(ours)
    check(running.wait(PATIENCE) == 0)
    first, *pages = said.decode().replace("\r\n", "\n").split("\x1b[H\x1b[2J")
    check(first == "" and len(pages) == 3, said)
    for page in pages:
        lines = page.splitlines()
        check(len(lines) == 7 and lines[-1] == "... and 8 more" and max(map(len, lines)) <= 40, lines)
        check("\x1b" not in page, page)


def usage(place):
    place.user("event", "one")  # Wine takes seconds to start anew when no program of its runs
    for words in (["nonsense"], [], ["ls", "--nonsense"], ["ls", "--json=yes"], ["top", "--interval"], ["top", "-i", "no"],
                  ["top", "-i", "-1"], ["top", "-n", "0"], ["gc", "name"], ["rm", "lock"], ["rm", "nonsense", "x"],
                  ["rm", "endpoint", "x"], ["doctor", "x"]):
        output, errors = place.run(*words, code=2)
        check(output == "" and ("--help" in errors), words, errors)
    check("there is no command nonsense" in place.run("nonsense", code=2)[1])
    check("there is no option --nonsense" in place.run("ls", "--nonsense", code=2)[1])
    for command in ("ls", "top", "gc", "rm", "doctor"):
        check(place.text(command, "--help").startswith(f"usage: kith {command}"))
        check(f"  kith {command}" in place.text("--help"))
    check(place.text("--version").startswith("kith "))


def denied(place):
    """What is wrong with the place of names is told, and is an error."""
    user = place.user("event", "one")
    folder = os.path.join(place.folder, os.listdir(place.folder)[0])
    os.chmod(folder, 0o777)
    for command in ("ls", "gc", "top"):
        check("KITH_E_DENIED" in place.run(command, code=1)[1])
    os.chmod(folder, 0o700)
    user.ends()


def names_in_doctor(place):
    crashing, _ = place.user("lock", "crashed"), place.user("lock", "living")
    crashing.crashes()
    told = json.loads(place.text("doctor", "--json"))
    folder = os.path.join(place.folder, os.listdir(place.folder)[0])
    check(told["names"] == {"result": "ok", "value": f"2 in {folder}", "remark": ""}, told["names"])
    check(told["left_over_names"]["value"] == "1" and "kith gc" in told["left_over_names"]["remark"])
    place.text("gc")
    check(json.loads(place.text("doctor", "--json"))["left_over_names"]["value"] == "0")


CASES = {case.__name__: case for case in (nothing, kinds, lock, fill, shown, unicode, gc, rm, top, terminal, usage, denied, names_in_doctor)}

if __name__ == "__main__":
    name, command, user_program, *launcher = sys.argv[1:]
    try:
        with Place(launcher, command, user_program) as place:
            CASES[name](place)
    except Skipped as why:
        print(f"skipped: {why}")
