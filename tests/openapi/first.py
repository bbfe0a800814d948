"""What a program does with the client of openapi-python-client."""

import os
import time

from first_client import AuthenticatedClient, Client
from first_client.api.beats import beat, beat_at_root
from first_client.api.incidents import acknowledge_incident, list_incidents
from first_client.api.monitors import (
    delete_monitor, get_monitor, list_monitors, pause_monitor, put_monitor, resume_monitor,
)
from first_client.api.alerts import list_alerts
from first_client.api.service import ready, status
from first_client.models import Beat, Declaration, Error, PauseFor, Taken

URL = os.environ["HEARTBEAT_TEST_URL"]
reader = Client(base_url=URL, raise_on_unexpected_status=True)
admin = AuthenticatedClient(base_url=URL, token=os.environ["HEARTBEAT_TEST_TOKEN"], raise_on_unexpected_status=True)

# One, many, and one that is refused.
one = beat.sync(client=reader, body=Beat(id="one", interval="90s", message="well", tags=["lab"]))
assert isinstance(one, Taken) and one.status == "ok", one
many = beat_at_root.sync(client=reader, body=[{"id": "two", "status": "fail"}, {"interval": "no time"}])
assert isinstance(many, Taken) and (many.accepted, len(many.rejected)) == (1, 1), many
assert many.rejected[0].index == 1 and many.rejected[0].error, many
wrong = beat.sync(client=reader, body=Beat(id="one", interval="no time"))
assert isinstance(wrong, Error) and wrong.field == "interval", wrong
assert beat.sync_detailed(client=reader, body=Beat(id="one", status=3)).status_code == 200

# What is known of them.
page = list_monitors.sync(client=reader, limit=1)
assert len(page.monitors) == 1 and page.next_, page
page = list_monitors.sync(client=reader, after=page.next_)
assert page.next_ is None, page
known = get_monitor.sync("one", client=reader)
assert (known.id, known.state, known.interval_s, known.tags) == ("one", "down", 90, ["lab"]), known
assert known.last_beat.year >= 2026 and known.schedule is None and known.incident.cause == "fail", known
assert isinstance(get_monitor.sync("nobody", client=reader), Error)

# What changes it needs a token.
assert isinstance(pause_monitor.sync("one", client=reader, body=PauseFor(for_="1h")), Error)
assert pause_monitor.sync("one", client=admin, body=PauseFor(for_="1h")).paused_until
assert resume_monitor.sync("one", client=admin).paused_until is None
assert put_monitor.sync("three", client=admin, body=Declaration(interval="5m", grace=10)).interval_s == 300
assert delete_monitor.sync_detailed("three", client=admin).status_code == 204

# An incident is on record within a moment.
deadline = time.monotonic() + 60
while not (incidents := list_incidents.sync(client=reader, monitor="two").incidents) and time.monotonic() < deadline:
    time.sleep(0.05)
assert [(one.monitor, one.ended) for one in incidents] == [("two", None)], incidents
assert acknowledge_incident.sync(incidents[0].id, client=admin).acknowledged is True

assert status.sync(client=reader).monitors.down == 2
assert ready.sync(client=reader).status == "ready"
assert list_alerts.sync(client=reader).alerts == []
