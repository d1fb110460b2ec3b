#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`kith ls` and `kith gc` while fifty processes make, use and close names at random, and are killed: test_crowd.py COMMAND CROWD [SECONDS [nobody]]

A listing happens in a span of time. Of each process it is known, by the counters that it keeps (crowd.cpp), which objects it had throughout the span, and
which it may have had at a moment in it: whatever is listed must be among the latter, and the former must be listed.

With `nobody` all of it is run as that user, who has no privilege."""
import json
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

from support import PATIENCE, Skipped, check

KINDS = ("memory", "array", "value", "lock", "semaphore", "condition", "event", "barrier", "queue", "broadcast")
NAMES_OF_A_KIND = 5
OBJECTS = [(kind, str(number)) for kind in KINDS for number in range(NAMES_OF_A_KIND)]
PROCESSES, MOST_SEATS = 50, 2000
HEADER, RECORD = 64, struct.Struct("=4I")
SEAT = RECORD.size * len(OBJECTS)
NOBODY = 65534


class Member:
    """A process of the crowd, and its seat."""

    def __init__(self, crowd, seat):
        self.seat = seat
        self.is_doomed = self.is_gone = False  # before it is killed; after it has ended
        self.process = subprocess.Popen([crowd.program, crowd.table_path, str(seat), str(random.getrandbits(60)), ""],
                                        env=crowd.environment, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid

    def kill(self):
        self.is_doomed = True
        self.process.kill()
        code = self.process.wait(PATIENCE)
        self.is_gone = True
        check(code == -signal.SIGKILL, "it ended by itself, with", code)


class Moment:
    """What the processes had done, and which had ended."""

    def __init__(self, crowd):
        self.gone = {each.seat for each in crowd.everybody() if each.is_gone}
        seats = len(crowd.everybody())
        self.counters = crowd.table[HEADER:HEADER + seats * SEAT]

    def of(self, member, index):
        """begun, opened, closing, ended."""
        at = member.seat * SEAT + index * RECORD.size
        return RECORD.unpack_from(self.counters, at) if at < len(self.counters) else (0, 0, 0, 0)


class Crowd:
    def __init__(self, command, program):
        self.folder = tempfile.mkdtemp(prefix="kith-crowd-")
        self.command, self.program = (shutil.copy(each, self.folder) for each in (command, program))
        self.names = os.path.join(self.folder, "names")
        os.mkdir(self.names)
        self.environment = dict(os.environ, KITH_RUNTIME_DIR=self.names)
        self.table_path = os.path.join(self.folder, "table")
        with open(self.table_path, "wb+") as file:
            file.truncate(HEADER + MOST_SEATS * SEAT)
            self.table = mmap.mmap(file.fileno(), 0)
        self.lock = threading.Lock()
        self.members = []
        self.failure = None
        self.stopped = threading.Event()

    def everybody(self):
        with self.lock:
            return list(self.members)

    def add_member(self):
        with self.lock:
            check(len(self.members) < MOST_SEATS, "no seats are left")
            self.members.append(Member(self, len(self.members)))

    def living(self):
        return [each for each in self.everybody() if not each.is_doomed]

    def kill_at_random(self):
        try:
            # Who comes removes, when it makes its first object, what those have left who went: so some time passes in between.
            while not self.stopped.wait(random.uniform(0.02, 0.1)):
                doomed = random.sample(self.living(), random.randint(1, 6))
                for each in doomed:
                    each.kill()
                self.stopped.wait(random.uniform(0, 0.2))
                for _ in doomed:
                    self.add_member()
        except BaseException as error:  # to be told by the main thread
            self.failure = error

    def run(self, *words):
        done = subprocess.run([self.command, *words], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=PATIENCE, check=False)
        check(done.returncode == 0 and done.stderr == b"", "kith", *words, "ended with", done.returncode, done.stderr)
        return done.stdout.decode("utf-8")

    def look(self):
        before = Moment(self)
        listed = json.loads(self.run("ls", "--json"))
        after = Moment(self)
        self.judge(before, listed, after)
        return listed

    def collect(self):
        before = Moment(self)
        told = json.loads(self.run("gc", "--json"))
        after = Moment(self)
        removed = {(each["kind"], each["name"]) for each in told["removed"]}
        for index, this in enumerate(OBJECTS):
            users = [each.pid for each in self.everybody() if had_throughout(each, index, before, after)]
            check(not users or this not in removed, this, "was collected and is used by", users)
        return told["count"]

    def judge(self, before, listed, after):
        lines = {(each["kind"], each["name"]): each for each in listed}
        check(len(lines) == len(listed), "a name is listed twice:", listed)
        check(set(lines) <= set(OBJECTS), "what is listed was never there:", set(lines) - set(OBJECTS))
        everybody = self.everybody()
        for index, this in enumerate(OBJECTS):
            sure = {each.pid for each in everybody if had_throughout(each, index, before, after)}
            possible = {each.pid for each in everybody if may_have_had(each, index, before, after)}
            line = lines.get(this)
            if line is None or line["stale"]:
                check(not sure, this, "is used by", sure, "and listed as", line)
                continue
            users = set(line["users"])
            check(possible, this, "is listed and could be used by nobody", line)
            check(sure <= users, this, "is used by", sure - users, "too:", line)
            check(users <= possible, this, "is not used by", users - possible, ":", line)
            check(line["owner_pid"] is None or line["owner_pid"] in possible, this, "is held by nobody", line)


def had_throughout(member, index, before, after):
    (_, opened, closing, _), (_, _, closing_after, _) = before.of(member, index), after.of(member, index)
    # Doomed is asked last: then it was alive after the listing.
    return opened == closing + 1 and closing == closing_after and not member.is_doomed


def may_have_had(member, index, before, after):
    ended, begun = before.of(member, index)[3], after.of(member, index)[0]
    return member.seat not in before.gone and begun > ended


def run(crowd, seconds):
    for _ in range(PROCESSES):
        crowd.add_member()
    killer = threading.Thread(target=crowd.kill_at_random)
    killer.start()
    until = time.monotonic() + seconds
    looks = lines = stale = collected = 0
    try:
        while time.monotonic() < until and crowd.failure is None:
            listed = crowd.look()
            looks, lines, stale = looks + 1, lines + len(listed), stale + sum(each["stale"] for each in listed)
            if looks % 5 == 0:
                crowd.run("ls", "--long")
                collected += crowd.collect()
    finally:
        crowd.stopped.set()
        killer.join()
    if crowd.failure is not None:
        raise crowd.failure
    print(f"{looks} listings, {lines} lines, {stale} left over, {collected} collected, {len(crowd.everybody())} processes")
    check(looks >= 5 and lines > 5 * looks, "too little has happened")


def end(crowd):
    """Half of them in good order."""
    living = crowd.living()
    for each in living[::2]:
        each.kill()
    crowd.table[0:4] = struct.pack("=I", 1)
    codes = [each.process.wait(PATIENCE) for each in living[1::2]]
    check(set(codes) == {0}, "they ended with", codes)
    crowd.run("gc")
    check(json.loads(crowd.run("ls", "--json")) == [], "something is listed after kith gc")
    left = [file for _, _, files in os.walk(crowd.names) for file in files]
    check(left == [], "files are left:", left)


def become_nobody(crowd):
    if os.geteuid() != 0:
        raise Skipped("only root can become another user")
    for path in (crowd.folder, crowd.names, crowd.table_path):
        os.chown(path, NOBODY, NOBODY)
    os.chmod(crowd.folder, 0o755)
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    except PermissionError as why:
        raise Skipped(f"this root cannot become another user: {why}") from why
    if not os.access(crowd.command, os.X_OK):
        raise Skipped(f"the folder of temporary files is closed to other users: {crowd.folder}")


def main(command, program, seconds="5", user=None):
    for each in (command, program):
        check(os.path.isfile(each), "it is not built:", each)
    crowd = Crowd(command, program)
    try:
        if user is not None:
            become_nobody(crowd)
        run(crowd, float(seconds))
        end(crowd)
    except Skipped as why:
        print(f"skipped: {why}")
    finally:
        for each in crowd.everybody():
            each.process.kill()
            each.process.wait(PATIENCE)
        shutil.rmtree(crowd.folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
