#!/usr/bin/env python3
"""An authent module for tests: knows bob (password s3cret) and every user uN
(password pN). What it does wrong is chosen by the user name in the request, or
for its whole life by the first argument.

usage: module.py MODE [FILE]     FILE collects the requests, one line each; a
                                 word in FILE.mood is done wrong for everybody
"""
import io
import os
import sys
import time

MODE = sys.argv[1] if len(sys.argv) > 1 else "good"
LOG = sys.argv[2] if len(sys.argv) > 2 else None


# Buffered, whatever the environment says: the classic bug of modules.
sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "wb", closefd=False), 65536))


def say(text, flush=True):
    sys.stdout.write(text)
    if flush:
        sys.stdout.flush()


def note(text):
    if LOG:
        with open(LOG, "a") as log:
            log.write(text + "\n")


def mood():
    if LOG and os.path.exists(LOG + ".mood"):
        with open(LOG + ".mood") as file:
            return file.read().strip()
    return ""


def password_of(user):
    if user == "bob":
        return "s3cret"
    if user[:1] == "u" and user[1:].isdigit():
        return "p" + user[1:]
    return None


def misbehave(user):
    """Does what the user's name says; False if it names nothing bad."""
    if user == "hang":
        time.sleep(3600)
    elif user == "slow":
        time.sleep(0.3)
        say("+OK slow config 0\n")
    elif user == "crash":
        os._exit(3)
    elif user == "crashmid":
        say("+OK crashmid con")
        os._exit(3)
    elif user == "garbage":
        say("Traceback (most recent call last):\n")
    elif user == "binary":
        say("+OK binary config 0 \0\n")
    elif user == "twice":
        say("+OK twice config 0\n+OK bob config 0\n")
    elif user == "noflush":
        say("+OK noflush config 0\n", flush=False)
    elif user == "overlong":
        say("+OK overlong config 0 name=\"" + "x" * 5000 + "\"\n")
    elif user == "endless":
        while True:
            say("x" * 4096)
    elif user == "wronguser":
        say("+OK bob config 0\n")
    elif user == "escape":
        say("+OK escape /var/mail/../../etc/passwd 0\n")
    elif user == "dead":
        say("-DEAD the database is down\n")
    elif user == "flood":
        for n in range(200):
            say("+DATA line%d\n" % n)
        say("+OK flood config 0\n")
    elif user == "later":
        # A good answer, and a second one once nobody waits for it.
        say("+OK later config 0\n")
        time.sleep(0.05)
        say("+OK bob config 0\n")
        note("said it twice")
    elif user == "tells":
        sys.stderr.write("cannot check tells with password %s\n" % LINE.split()[2])
        sys.stderr.flush()
        say("-ERR the password %s is wrong\n" % LINE.split()[2])
    else:
        return False
    return True


def answer(line):
    words = line.split()
    verb, user = words[0], (words[1] if len(words) > 1 else "")
    if misbehave(mood()) or misbehave(user):
        return
    if verb == "check" and len(words) in (3, 4):
        if password_of(user) is not None and words[2] == password_of(user):
            say("+OK %s config 0 name=\"%s\"\n" % (user, user.title()))
        else:
            say("-ERR %s password wrong or not a valid user\n" % user)
    elif verb == "lookup":
        if password_of(user) is not None:
            say("+OK %s config 0 name=\"%s\"\n" % (user, user.title()))
        else:
            say("-ERR %s does not exist\n" % user)
    elif verb == "search":
        say("+DATA bob name=\"Bob\"\n+DATA u1\n+OK Search Complete 2 items found out of 1510\n")
    elif verb in ("set", "del"):
        say("+OK %s added to database\n" % user if verb == "set" else "+OK %s deleted\n" % user)
    else:
        say("-ERR unknown command\n")


if MODE == "dies":
    sys.exit(1)
if MODE == "banner":
    say("Welcome to my module\n")
if MODE == "forks":
    # A grandchild that keeps the pipes open when its parent is gone.
    if os.fork() == 0:
        time.sleep(3600)

while True:
    LINE = sys.stdin.readline()
    if not LINE:
        break
    LINE = LINE.rstrip("\r\n")
    note(LINE)
    if LINE in ("exit", "quit"):
        if MODE == "stays":
            continue
        say("+OK goodbye\n")
        break
    answer(LINE)
