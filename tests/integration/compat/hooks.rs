//! Webhooks of Alertmanager and Grafana, and pushes to a Pushgateway.

use super::{ask, check_by_default, row, send};
use serde_json::{Value, json};

fn hook(path: &str, body: &Value) -> String {
    send(
        "POST",
        path,
        "Content-Type: application/json\r\nUser-Agent: Alertmanager/0.25.0\r\n",
        &body.to_string(),
    )
}

fn alert(status: &str, labels: Value) -> Value {
    json!({ "status": status, "labels": labels, "annotations": {}, "startsAt": "2026-02-08T11:30:20Z", "fingerprint": "f" })
}

fn webhook(status: &str, alerts: &[Value]) -> Value {
    json!({
        "version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": status, "receiver": "hb", "groupLabels": {},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am.example:9093/path", "alerts": alerts,
    })
}

#[test]
fn alertmanager() {
    let watchdog =
        |status: &str, cluster: &str| alert(status, json!({ "alertname": "Watchdog", "cluster": cluster }));
    let both = webhook(
        "firing",
        &[watchdog("firing", "eu-1"), watchdog("resolved", "us-1"), watchdog("firing", "eu-2")],
    );
    let operator = alert("firing", json!({ "alertname": "Watchdog", "prometheus": "monitoring/k8s" }));
    let bare = alert("firing", json!({ "alertname": "Dead Man's Switch" }));
    check_by_default(&[
        row(hook("/alertmanager", &both), 200, "OK").then("Watchdog@eu-1", "up"),
        row(hook("/alertmanager/", &both), 200, "OK").then("Watchdog@eu-2", "up"),
        row(hook("/alertmanager", &both), 200, "OK").then("Watchdog@us-1", "none"),
        row(hook("/alertmanager", &webhook("firing", &[operator])), 200, "OK")
            .then("Watchdog@monitoring/k8s", "up"),
        row(hook("/alertmanager", &webhook("firing", &[bare])), 200, "OK")
            .then("Dead_Man_s_Switch@am.example:9093", "up"),
        row(hook("/alertmanager/prod", &both), 200, "OK").then("prod", "up"),
        row(hook("/alertmanager/other", &webhook("resolved", &[watchdog("resolved", "eu-1")])), 200, "OK")
            .then("other", "none"),
        row(hook("/alertmanager", &webhook("firing", &[])), 200, "OK"),
        row(send("POST", "/alertmanager/templated", "", "any text"), 200, "OK").then("templated", "up"),
        row(send("POST", "/alertmanager", "", ""), 400, "~no webhook"),
        row(send("POST", "/alertmanager", "", r#"{"status":"fail"}"#), 200, "OK"),
        row(ask("/alertmanager"), 404, "~no such path"),
        row("HEAD /alertmanager HTTP/1.1\r\nHost: hb\r\n\r\n", 404, ""),
    ]);
}

#[test]
fn grafana() {
    let body = json!({
        "version": "1", "status": "firing", "orgId": 1, "title": "t", "state": "alerting", "message": "m",
        "alerts": [{ "status": "firing", "labels": { "alertname": "Pulse", "namespace": "ops" }, "values": { "A": 1 } }],
    });
    check_by_default(&[
        row(hook("/grafana", &body), 200, "OK").then("Pulse@ops", "up"),
        row(send("PUT", "/grafana/lab", "", &body.to_string()), 200, "OK").then("lab", "up"),
    ]);
}

#[test]
fn pushgateway() {
    let push = |method: &str, path: &str| send(method, path, "Content-Type: text/plain\r\n", "a_metric 1\n");
    let packed = "Content-Encoding: snappy\r\n";
    check_by_default(&[
        row(push("PUT", "/metrics/job/backup"), 200, "").then("backup", "up"),
        row(push("POST", "/metrics/job/backup/instance/db-1"), 200, "").then("backup/instance=db-1", "up"),
        row(send("POST", "/metrics/job/empty/", "", ""), 200, "").then("empty", "up"),
        row(send("POST", "/metrics/job/packed", packed, "\u{1}\u{2}"), 200, "").then("packed", "up"),
        row(push("PUT", "/metrics/job@base64/ZXR4/path@base64/L3Zhcg"), 200, "").then("etx/path=_var", "up"),
        row(push("PUT", "/metrics/job/e/x@base64/="), 200, "").then("e", "up"),
        row(push("PUT", "/metrics/job@base64/L3Zhci9sb2c"), 200, "").then("_var_log", "up"),
        row(push("PUT", "/metrics/job/-dash"), 200, "").then("_dash", "up"),
        row(push("PUT", "/metrics/job/two%20words"), 200, "").then("two_words", "up"),
        row(send("DELETE", "/metrics/job/gone", "", ""), 202, "").then("gone", "none"),
        row(push("PUT", "/metrics/job/"), 400, "job name is required"),
        row(push("PUT", "/metrics/job/a/instance"), 400, "~odd number of components"),
        row(push("PUT", "/metrics/job/a/in-stance/b"), 400, "~improper label name"),
        row(push("PUT", "/metrics/job@base64/!!"), 400, "~error decoding base64"),
        row(ask("/-/healthy"), 200, "OK"),
        row(ask("/-/ready"), 200, "OK"),
        row(ask("/metrics/job/a"), 404, "~no such path"),
        row(ask("/metrics"), 200, "~heartbeat_build_info"),
    ]);
}
