#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the failed tests of a JUnit file as CTest writes it, each with the end of its output.

    failures.py RESULTS NAME

The output of a whole run is long; this is what is wanted of it at the end.
"""
import sys
import xml.etree.ElementTree

LAST_LINES = 40


def main(results, name):
    for case in xml.etree.ElementTree.parse(results).iter("testcase"):
        if case.get("status") != "fail":
            continue
        failure = case.find("failure")
        reason = "" if failure is None else failure.get("message") or ""
        print(f"\n---- failed: {name}: {case.get('name')} {reason}")
        lines = (case.findtext("system-out") or "").strip().splitlines()
        if len(lines) > LAST_LINES:
            print(f"(the last {LAST_LINES} of {len(lines)} lines)")
        print("\n".join(lines[-LAST_LINES:]))


if __name__ == "__main__":
    main(*sys.argv[1:])
