#!/usr/bin/env python3
"""Says when cron is due by cronsim's reckoning: for each line `expression TAB zone TAB second` of standard input one line
with the seconds of the next slots, or `refused`."""

import sys
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

for line in sys.stdin:
    expression, zone, second = line.rstrip("\n").split("\t")
    try:
        due = CronSim(expression, datetime.fromtimestamp(int(second), ZoneInfo(zone)))
        slots = [str(int(slot.timestamp())) for slot, _ in zip(due, range(int(sys.argv[1])))]
        print(" ".join(slots))
    except CronSimError:
        print("refused")
