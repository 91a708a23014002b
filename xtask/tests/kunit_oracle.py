"""Has the kernel's own kunit.py read logs, and says as JSON what it made of them.

kunit.py is run as it is, `kunit.py parse LOG`, from the folder in PYTHONPATH;
only the result of its parser is looked at on the way, and its prints are
dropped.
"""

import json
import os
import sys

out = sys.stdout
sys.stdout = open(os.devnull, "w")

import kunit
import kunit_parser

STATUS = {
    "SUCCESS": "passed",
    "FAILURE": "failed",
    "SKIPPED": "skipped",
    "TEST_CRASHED": "crashed",
    "NO_TESTS": "no-tests",
    "FAILURE_TO_PARSE_TESTS": "no-tests",
}

parse_run_tests = kunit_parser.parse_run_tests
found = []


def remember(*args, **kwargs):
    found.append(parse_run_tests(*args, **kwargs))
    return found[-1]


kunit_parser.parse_run_tests = remember


def outline(test):
    return [[t.name, STATUS[t.status.name], outline(t)] for t in test.subtests]


reports = []
for log in sys.argv[1:]:
    try:
        kunit.main(["parse", log])
    except SystemExit:
        pass  # Its exit code says less than its counts.
    except Exception:
        reports.append(None)  # It gave up.
        continue
    test = found.pop()
    names = ("passed", "failed", "skipped", "crashed", "errors")
    reports.append(
        {
            "status": STATUS[test.status.name],
            "counts": {name: getattr(test.counts, name) for name in names},
            "tests": outline(test),
        }
    )
json.dump(reports, out)
