#!/usr/bin/env python3
"""Writes ticks.tsv beside this file: what croniter says, for croniter_test.cc, which only reads it.

  python3 -m venv v && v/bin/pip install croniter==7.0.0 && v/bin/python tests/dag/croniter/generate.py

Columns: expression, zone, after, the next five ticks in UTC. Windows lie away from the changes of the clocks, where croniter is right, and on
them, where the two differ by design; docs/dag-format.md lists how."""
import os
import random
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

FIXED = ["* * * * *", "*/5 * * * *", "0 * * * *", "30 2 * * *", "0 0 * * 0", "0 0 * * 7", "0 9-17/2 * * mon-fri", "15,45 */6 * * *", "0 0 1 * *", "0 0 31 * *",
         "0 0 29 2 *", "0 12 13 * fri", "0 0 1,15 * wed", "5/10 3 * * *", "0 0 * jan,jul *", "59 23 31 12 *", "0 4 8-14 * *", "0 22 * * 1-5", "23 0-20/2 * * *",
         "0 0 * * 5-7", "*/7 */5 */3 */2 *", "0 0 */10 * *", "0 0 * * */2", "1-5 1-5 1-5 1-5 1-5", "0 2,14 * * *", "30 * * * *", "0 */2 * * *", "0 0 30 4,6 *"]
# zone, instants to look after
PLAIN = [("UTC", ["1999-12-31T23:59:00", "2024-02-28T12:00:00", "2023-02-28T23:59:59", "2100-02-28T00:00:00"]), ("Europe/Paris", ["2024-06-15T10:00:00"]),
         ("America/New_York", ["2024-01-15T10:00:00"]), ("Asia/Kathmandu", ["2024-05-05T05:05:00"]), ("Australia/Lord_Howe", ["2024-07-01T00:00:00"])]
SEAMS = [("Europe/Paris", ["2024-03-30T12:00:00", "2024-10-26T12:00:00"]), ("America/New_York", ["2024-03-09T12:00:00", "2024-11-02T12:00:00"]),
         ("Australia/Lord_Howe", ["2024-10-05T00:00:00", "2024-04-06T00:00:00"])]


def any_cron(rng):
    def field(low, high):
        kind = rng.randrange(6)
        if kind < 2:
            return "*"
        if kind == 2:
            return f"*/{rng.randint(2, high - low)}"
        if kind == 3:
            first = rng.randint(low, high - 1)
            return f"{first}-{rng.randint(first + 1, high)}"
        return ",".join(str(n) for n in sorted(rng.sample(range(low, high + 1), rng.randint(1, 3))))
    return " ".join([field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)])


def ticks(cron, zone, after):
    start = datetime.fromisoformat(after).replace(tzinfo=timezone.utc).astimezone(ZoneInfo(zone))
    base = croniter(cron, start)
    return [base.get_next(datetime).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for _ in range(5)]


def main():
    rng = random.Random(4)
    crons = FIXED + [any_cron(rng) for _ in range(100)]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ticks.tsv"), "w", encoding="utf-8") as out:
        for kind, places, expressions in (("plain", PLAIN, crons), ("seam", SEAMS, crons[:len(FIXED)])):
            for zone, instants in places:
                for after in instants:
                    for cron in expressions:
                        try:
                            out.write("\t".join([kind, cron, zone, after + "Z", *ticks(cron, zone, after)]) + "\n")
                        except Exception as error:  # noqa: BLE001  (whatever croniter gives up with is part of the table)
                            out.write("\t".join([kind, cron, zone, after + "Z", "error " + type(error).__name__]) + "\n")


main()
