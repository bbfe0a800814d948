//! Nagios' NRDP: check results at `/nrdp/`, in XML or JSON, in the query or in a form. A result is a beat of its host, or of
//! `HOST/SERVICE`, and its state is the exit code. The status is 200 whatever is wrong.

use super::dialect::{COMPAT_BEATS_MAX, CompatBeat, CompatDialect, CompatRefusal, beat_for, compact, text};
use super::request::{CompatRequest, fitting_id};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;

/// Its check results.
pub struct Nrdp;

#[derive(Deserialize)]
struct ResultsBody {
    checkresults: ResultsList,
}

/// As many results as count; the rest is not kept.
struct ResultsList(Vec<CheckResult>);

impl<'de> Deserialize<'de> for ResultsList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ResultsList, D::Error> {
        struct ResultsVisitor;

        impl<'de> Visitor<'de> for ResultsVisitor {
            type Value = ResultsList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("check results")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<ResultsList, A::Error> {
                let mut found = Vec::new();
                while found.len() < COMPAT_BEATS_MAX {
                    match sequence.next_element()? {
                        Some(result) => found.push(result),
                        None => return Ok(ResultsList(found)),
                    }
                }
                while sequence.next_element::<IgnoredAny>()?.is_some() {}
                Ok(ResultsList(found))
            }
        }

        deserializer.deserialize_seq(ResultsVisitor)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CheckResult {
    hostname: String,
    servicename: String,
    /// A number, or the same as a text.
    state: Value,
    output: String,
}

fn field(request: &CompatRequest<'_>, names: [&str; 2]) -> Option<String> {
    names.into_iter().find_map(|name| request.parameter_or_form(name)).filter(|value| !value.is_empty())
}

fn wants_json(request: &CompatRequest<'_>) -> bool {
    match request.parameter_or_form("output_type").as_deref() {
        Some(kind) => kind.eq_ignore_ascii_case("json"),
        None => field(request, ["JSONDATA", "json"]).is_some(),
    }
}

fn said(request: &CompatRequest<'_>, status: i8, message: &str, output: Option<String>) -> Answer {
    if wants_json(request) {
        let mut result = json!({ "status": status, "message": message });
        if let Some(output) = output {
            result["meta"] = json!({ "output": output });
        }
        return compact(200, &json!({ "result": result }));
    }
    let meta = output
        .map(|output| format!("  <meta>\n    <output>{output}</output>\n  </meta>\n"))
        .unwrap_or_default();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<result>\n  <status>{status}</status>\n  \
         <message>{message}</message>\n{meta}</result>\n"
    );
    Answer::new(200, "text/xml; charset=utf-8", body.into_bytes())
}

/// The results of `<checkresults>`; `None` where it is none. Only what these documents are made of is read: elements without
/// depth, and the five entities that XML has itself.
fn results(xml: &str) -> Option<Vec<CheckResult>> {
    let (_, rest) = xml.split_once("<checkresults")?;
    let mut rest = rest.split_once('>')?.1;
    let mut found = Vec::new();
    while let Some((_, after)) = rest.split_once("<checkresult") {
        let (inside, next) = after.split_once('>')?.1.split_once("</checkresult>")?;
        let element = |name: &str| {
            let (_, from) = inside.split_once(&format!("<{name}>"))?;
            from.split_once(&format!("</{name}>")).map(|(text, _)| plain(text))
        };
        found.push(CheckResult {
            hostname: element("hostname").unwrap_or_default(),
            servicename: element("servicename").unwrap_or_default(),
            state: element("state").unwrap_or_default().into(),
            output: element("output").unwrap_or_default(),
        });
        rest = next;
        if found.len() == COMPAT_BEATS_MAX {
            break;
        }
    }
    Some(found)
}

/// The text of an element.
fn plain(text: &str) -> String {
    let text = text.trim();
    if let Some(raw) = text.strip_prefix("<![CDATA[").and_then(|rest| rest.strip_suffix("]]>")) {
        return raw.into();
    }
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_string(), |text, (coded, plain)| text.replace(coded, plain))
}

impl CheckResult {
    fn beat<'a>(self) -> CompatBeat<'a> {
        let name = match self.servicename.as_str() {
            "" => fitting_id(&self.hostname),
            service => fitting_id(&format!("{}/{}", self.hostname, service.replace('/', "_"))),
        };
        let state = match self.state {
            Value::String(text) => text.trim().to_string(),
            other => other.to_string(),
        };
        beat_for(name).with("status", Some(state)).with("message", Some(self.output))
    }
}

impl CompatDialect for Nrdp {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        matches!(request.method, "GET" | "POST") && matches!(request.path, "/nrdp" | "/nrdp/")
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        request.parameter_or_form("token").filter(|token| !token.is_empty()).map(Cow::Owned)
    }

    fn shows_credential_in_body(&self, request: &CompatRequest<'_>) -> bool {
        request.method == "POST"
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        match request.parameter_or_form("cmd").map(|cmd| cmd.to_ascii_lowercase()).as_deref() {
            Some("submitcheck") => {}
            Some("hello") => {
                return Err(compact(200, &json!({ "status": "0", "message": "OK", "product": "NRDP" })));
            }
            None => return Err(text(200, "NRDP: NO REQUEST COMMAND\n")),
            Some(_) => return Err(said(request, -1, "NO REQUEST HANDLER", None)),
        }
        let read = match (field(request, ["XMLDATA", "xml"]), field(request, ["JSONDATA", "json"])) {
            (Some(xml), _) => results(&xml).ok_or_else(|| said(request, -1, "BAD XML", None)),
            (None, Some(json)) => serde_json::from_str::<ResultsBody>(&json)
                .map(|body| body.checkresults.0)
                .map_err(|_| said(request, -1, "BAD JSON", None)),
            (None, None) => Err(said(request, -1, "NO DATA", None)),
        };
        Ok(read?.into_iter().map(CheckResult::beat).collect())
    }

    fn taken(&self, request: &CompatRequest<'_>, receipts: &[Receipt]) -> Answer {
        said(request, 0, "OK", Some(format!("{} checks processed.", receipts.len())))
    }

    fn refused(&self, request: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Credential if self.credential(request).is_none() => {
                said(request, -1, "NO TOKEN", None)
            }
            CompatRefusal::Credential => said(request, -1, "BAD TOKEN", None),
            CompatRefusal::Invalid(_) | CompatRefusal::Unknown => {
                said(request, 0, "OK", Some("0 checks processed.".into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_beyond_the_bound_are_not_read() {
        let result = r#"{"hostname":"a","state":0}"#;
        let json = |count: usize, last: &str| {
            let all = vec![result; count].join(",");
            serde_json::from_str::<ResultsBody>(&format!(r#"{{"checkresults":[{all}{last}]}}"#))
                .map(|body| body.checkresults.0.len())
        };
        assert_eq!(json(COMPAT_BEATS_MAX, r#","no result""#).unwrap(), COMPAT_BEATS_MAX);
        assert_eq!(json(3, "").unwrap(), 3);
        assert!(json(3, r#","no result""#).is_err());
    }
}
