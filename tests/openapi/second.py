"""What a program does with the client of openapi-generator."""

import os
import time

import second_client as api

URL = os.environ["HEARTBEAT_TEST_URL"]
reader = api.ApiClient(api.Configuration(host=URL))
admin = api.ApiClient(api.Configuration(host=URL, access_token=os.environ["HEARTBEAT_TEST_TOKEN"]))


def refused(status, call, *arguments, **named):
    try:
        got = call(*arguments, **named)
    except api.ApiException as error:
        assert error.status == status, error
        return error.data
    raise AssertionError(f"{got} instead of {status}")


# One, many, and one that is refused.
beats = api.BeatsApi(reader)
request = api.BeatAtRootRequest
one = api.Beat(id="one", interval=api.BeatInterval("90s"), message="well", tags=["lab"])
assert beats.beat(request(one)).status == "ok"
many = beats.beat_at_root(request([{"id": "two", "status": "fail"}, {"interval": "no time"}]))
assert (many.accepted, [one.index for one in many.rejected]) == (1, [1]), many
assert beats.beat(request(api.Beat(id="one", status=api.BeatStatus(3)))).status == "ok"
assert refused(413, beats.beat, request([{"id": "x"}] * 10_001)).error

# What is known of them.
monitors = api.MonitorsApi(reader)
page = monitors.list_monitors(limit=1)
assert len(page.monitors) == 1 and page.next, page
page = monitors.list_monitors(after=page.next)
assert page.next is None, page
known = monitors.get_monitor("one")
assert (known.id, known.state, known.interval_s, known.tags) == ("one", "down", 90, ["lab"]), known
assert known.last_beat.year >= 2026 and known.schedule is None and known.incident.cause == "fail", known
assert refused(404, monitors.get_monitor, "nobody").error

# What changes it needs a token.
pause = api.PauseFor(**{"for": api.PauseForFor("1h")})
assert refused(401, monitors.pause_monitor, "one", pause).key
mine = api.MonitorsApi(admin)
assert mine.pause_monitor("one", pause).paused_until
assert mine.resume_monitor("one").paused_until is None
declared = mine.put_monitor("three", api.Declaration(interval=api.BeatInterval("5m"), grace=api.BeatGrace(10)))
assert declared.interval_s == 300, declared
mine.delete_monitor("three")

# An incident is on record within a moment.
deadline = time.monotonic() + 60
while not (incidents := api.IncidentsApi(reader).list_incidents(monitor="two").incidents) and time.monotonic() < deadline:
    time.sleep(0.05)
assert [(one.monitor, one.ended) for one in incidents] == [("two", None)], incidents
assert api.IncidentsApi(admin).acknowledge_incident(incidents[0].id).acknowledged is True

service = api.ServiceApi(reader)
assert service.status().monitors.down == 2
assert service.ready().status == "ready"
assert api.AlertsApi(reader).list_alerts().alerts == []
