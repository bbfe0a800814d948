//! The keys of `[compat]`: the dialects of other services, one each.

use crate::config::declare::{Section, section};
use crate::config::value::ConfigValue;
use crate::domain::compat::{CompatPolicy, CompatSwitch};
use crate::domain::host::Hosts;
use crate::domain::limits::NETWORKS_MAX;

/// Declares a key for each dialect, and the policy that comes of them.
macro_rules! dialects {
    ($($name:ident: $default:tt, en: $en:literal, zh: $zh:literal;)*) => {
        section! {
            /// `[compat]`.
            CompatDraft {$(
                $name: CompatSwitch {
                    read: by(switch),
                    form: "true | false | { strict, hosts }",
                    default: $default,
                    en: $en,
                    zh: $zh,
                }
            )*}
        }

        impl CompatDraft {
            /// What is in force.
            pub(in crate::config) fn policy(self) -> CompatPolicy {
                let unsaid = |is_on| CompatSwitch { is_on, ..CompatSwitch::default() };
                let switches = vec![$((
                    stringify!($name),
                    self.$name.value.unwrap_or_else(|| unsaid($default)),
                )),*];
                CompatPolicy { switches }
            }
        }
    };
}

dialects! {
    healthchecks: true,
        en: "Pings of Healthchecks: /ping/UUID and /ping/KEY/SLUG. Default {default}.",
        zh: "Healthchecks 的 ping：/ping/UUID 和 /ping/KEY/SLUG。默认 {default}。";
    uptime_kuma: true,
        en: "Push URLs of Uptime Kuma: /api/push/TOKEN. Default {default}.",
        zh: "Uptime Kuma 的推送 URL：/api/push/TOKEN。默认 {default}。";
    gatus: true,
        en: "External endpoints of Gatus: /api/v1/endpoints/KEY/external. Default {default}.",
        zh: "Gatus 的外部端点：/api/v1/endpoints/KEY/external。默认 {default}。";
    cronitor: true,
        en: "Telemetry of Cronitor: /p/API_KEY/KEY, and /ping/API_KEY/KEY?state=... Default {default}.",
        zh: "Cronitor 的遥测：/p/API_KEY/KEY 和 /ping/API_KEY/KEY?state=…。默认 {default}。";
    opsgenie: true,
        en: "Heartbeats of Opsgenie: /v2/heartbeats with the API that manages them, and /v1/json/heartbeat/send. Default {default}.",
        zh: "Opsgenie 的心跳：/v2/heartbeats 及其管理接口，以及 /v1/json/heartbeat/send。默认 {default}。";
    sentry: true,
        en: "Check-ins of Sentry: /api/PROJECT/cron/SLUG, and envelopes. Default {default}.",
        zh: "Sentry 的 check-in：/api/PROJECT/cron/SLUG，以及 envelope。默认 {default}。";
    alertmanager: true,
        en: "Webhooks of Alertmanager: /alertmanager, or /alertmanager/ID. Default {default}.",
        zh: "Alertmanager 的 webhook：/alertmanager 或 /alertmanager/ID。默认 {default}。";
    grafana: true,
        en: "Webhooks of Grafana: /grafana, or /grafana/ID. Default {default}.",
        zh: "Grafana 的 webhook：/grafana 或 /grafana/ID。默认 {default}。";
    pushgateway: true,
        en: "Pushes to a Pushgateway of Prometheus: /metrics/job/JOB. Default {default}.",
        zh: "推往 Prometheus Pushgateway 的数据：/metrics/job/JOB。默认 {default}。";
    better_stack: true,
        en: "Heartbeats of Better Stack: /api/v1/heartbeat/TOKEN. Default {default}.",
        zh: "Better Stack 的心跳：/api/v1/heartbeat/TOKEN。默认 {default}。";
    kener: true,
        en: "Heartbeats of Kener: /ext/heartbeat/TAG/SECRET. Default {default}.",
        zh: "Kener 的心跳：/ext/heartbeat/TAG/SECRET。默认 {default}。";
    oneuptime: true,
        en: "Incoming requests of OneUptime: /heartbeat/SECRET. Default {default}.",
        zh: "OneUptime 的传入请求：/heartbeat/SECRET。默认 {default}。";
    peekaping: true,
        en: "Push URLs of Peekaping: /api/v1/push/TOKEN. Default {default}.",
        zh: "Peekaping 的推送 URL：/api/v1/push/TOKEN。默认 {default}。";
    statping: true,
        en: "Check-ins of Statping: /checkin/KEY. Default {default}.",
        zh: "Statping 的 check-in：/checkin/KEY。默认 {default}。";
    honeybadger: true,
        en: "Check-ins of Honeybadger: /v1/check_in/ID. Default {default}.",
        zh: "Honeybadger 的 check-in：/v1/check_in/ID。默认 {default}。";
    heartbeat_sh: true,
        en: "Beats of heartbeat.sh: /beat/NAME. Default {default}.",
        zh: "heartbeat.sh 的心跳：/beat/NAME。默认 {default}。";
    oncall: true,
        en: "Heartbeats of Grafana OnCall: /integrations/v1/TYPE/KEY/heartbeat/. Default {default}.",
        zh: "Grafana OnCall 的心跳：/integrations/v1/TYPE/KEY/heartbeat/。默认 {default}。";
    nrdp: true,
        en: "Check results of Nagios' NRDP: /nrdp/. Default {default}.",
        zh: "Nagios NRDP 的检查结果：/nrdp/。默认 {default}。";
    healthchecks_hosted: false,
        en: "Pings of Healthchecks as its hosted service takes them, right below the root: /UUID. Default {default}.",
        zh: "Healthchecks 托管服务的 ping，直接位于根路径之下：/UUID。默认 {default}。";
    dead_mans_snitch: false,
        en: "Check-ins of Dead Man's Snitch, right below the root: /TOKEN. Default {default}.",
        zh: "Dead Man's Snitch 的 check-in，直接位于根路径之下：/TOKEN。默认 {default}。";
    cronitor_legacy: false,
        en: "Telemetry of Cronitor without an account, right below the root: /CODE/STATE. Default {default}.",
        zh: "Cronitor 不用账号的遥测，直接位于根路径之下：/CODE/STATE。默认 {default}。";
}

section! {
    /// The table of one of them.
    SwitchDraft {
        strict: bool { read: flag() }
        hosts: Vec<String> { read: by(hosts) }
    }
}

/// Whether it is spoken, and how; a table turns it on.
fn switch(value: ConfigValue<'_>) -> Option<CompatSwitch> {
    if !value.is_table() {
        return value.boolean().map(|is_on| CompatSwitch { is_on, ..CompatSwitch::default() });
    }
    let mut draft = SwitchDraft::default();
    value.section(SwitchDraft::KEYS, |_| None, &mut draft).then(|| CompatSwitch {
        is_on: true,
        is_strict: draft.strict.or_default(),
        hosts: draft.hosts.or_default(),
    })
}

fn hosts(value: ConfigValue<'_>) -> Option<Vec<String>> {
    let host = |element: ConfigValue<'_>| {
        let read = Hosts::entry(element.string()?);
        read.map_err(|reason| element.reject(reason.into())).ok()
    };
    Some(value.elements(NETWORKS_MAX)?.into_iter().filter_map(host).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::compat::TABLE;

    #[test]
    fn there_is_a_key_for_each_dialect_with_its_default() {
        let mut keys: Vec<(&str, bool)> =
            CompatDraft::ABOUT.iter().map(|key| (key.name, key.default == "true")).collect();
        let mut table: Vec<(&str, bool)> = TABLE.iter().map(|entry| (entry.name, entry.is_default)).collect();
        // The table's order is that in which they are asked.
        keys.sort_unstable();
        table.sort_unstable();
        assert_eq!(keys, table);
    }
}
