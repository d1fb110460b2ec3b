#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that what `kith doctor --json` writes is JSON with all that is expected in it, and that nothing has failed."""
import json
import subprocess
import sys

EXPECTED = {"kith", "system", "processors", "shared_memory", "sealed_memory", "read_only_shares", "process_handles", "fork",
            "channel", "handle_of_a_reader", "start_of_a_function", "death_of_a_lock_owner", "names", "left_over_names"}
RESULTS = {"ok", "fallback", "missing", "fact"}

run = subprocess.run(sys.argv[1:] + ["doctor", "--json"], stdout=subprocess.PIPE, timeout=50, check=False)
report = json.loads(run.stdout)
lacking = EXPECTED - set(report)
wrong = {name: entry for name, entry in report.items()
         if set(entry) != {"result", "value", "remark"} or entry["result"] not in RESULTS}
print(json.dumps(report, indent=2))
if run.returncode != 0 or lacking or wrong:
    sys.exit(f"exit code {run.returncode}, lacking {sorted(lacking)}, wrong {wrong}")
