# SPDX-License-Identifier: MIT
"""What the tests of the command share: a place of names of their own, processes that use names, and the command itself."""
import json
import os
import shutil
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds in which everything must have happened
PERSISTENT = 4  # KITH_NAME_PERSISTENT


class Skipped(Exception):
    pass


def check(is_so, *what):
    if not is_so:
        raise AssertionError(" ".join(str(each) for each in what))


def becomes(ask):
    """Asks until the answer is true, and returns it."""
    until = time.monotonic() + PATIENCE
    while True:
        answer = ask()
        if answer or time.monotonic() > until:
            check(answer, "it did not come true in", PATIENCE, "seconds")
            return answer


class Place:
    """The names of one test: in a folder of their own where names are files, with a beginning of their own everywhere."""

    def __init__(self, launcher, command, user_program):
        self.launcher, self.command, self.user_program = launcher, command, user_program
        self.folder = tempfile.mkdtemp(prefix="kith-")
        self.begin = f"{os.path.basename(self.folder)} "
        self.environment = dict(os.environ, KITH_RUNTIME_DIR=self.of_guest(self.folder))
        self.users = []

    def of_guest(self, path):
        return "Z:" + path.replace("/", "\\") if self.launcher else path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.users:
            each.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words, code=0):
        """Output and errors of the command, which must end so."""
        done = subprocess.run([*self.launcher, self.command, *words], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        check(done.returncode == code, "kith", *words, "ended with", done.returncode, done.stdout, done.stderr)
        output, errors = (text.decode("utf-8").replace("\r\n", "\n") for text in (done.stdout, done.stderr))
        check((errors == "") == (code == 0), "errors of kith", *words, ":", errors)
        return output, errors

    def text(self, *words):
        return self.run(*words)[0]

    def list(self, *words):
        """What `kith ls` tells of the names of this test."""
        return json.loads(self.text("ls", "--json", *words, "--", self.begin + "*"))

    def only(self, name):
        found = [each for each in self.list() if each["name"] == self.begin + name]
        check(len(found) == 1, "one line of", name, "and not", found)
        return found[0]

    def user(self, kind, name, flags=0):
        user = User(self)
        self.users.append(user)
        check(user.does(f"open {kind} {(self.begin + name).encode('utf-8').hex()} {flags}") == "KITH_OK", "open", kind, name)
        return user

    def files(self):
        return [file for _, _, files in os.walk(self.folder) for file in files]


class User:
    """A process that has a named object."""

    def __init__(self, place):
        self.process = subprocess.Popen([*place.launcher, place.user_program], env=place.environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = int(self.process.stdout.readline())

    def begins(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def does(self, line):
        self.begins(line)
        return self.process.stdout.readline().decode().strip()

    def ends(self):
        """In good order."""
        check(self.does("close") == "KITH_OK")
        self.kill()

    def crashes(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdin.close()
        self.process.stdout.close()
