//! Messages with all that can break a template, to render each template when it is read.

use crate::domain::alert::message::Subject;
use crate::domain::alert::{Message, MessageKind};
use crate::domain::record::Cause;
use crate::domain::time::{Span, Wall};
use crate::i18n::samples::{HAN, ODD};

/// What a control character may do.
const CONTROL: &str = "\u{0}\u{7}\u{1b}[2J\u{7f}\u{202e}";
/// Bytes of a long text.
const LONG_BYTES: usize = 10_000;

/// A monitor with such texts.
fn subject(id: &str, said: &str, kind: MessageKind) -> Subject {
    Subject {
        id: id.to_string(),
        incident: Some("7-3".into()),
        since: Wall(0),
        ended: (kind == MessageKind::Recovered).then_some(Wall(60_000)),
        cause: Some(Cause::Fail),
        last_beat: Some(Wall(0)),
        address: Some("2001:db8::7".into()),
        tags: vec![ODD.to_string(), String::new()],
        said: Some(said.to_string()),
        ..Subject::default()
    }
}

/// Every kind with every text, of none, one and several monitors.
pub(crate) fn messages(notifier: &str) -> Vec<Message> {
    let texts =
        [String::new(), ODD.to_string(), CONTROL.to_string(), format!("{HAN}\"\\").repeat(LONG_BYTES / 5)];
    let kinds = [
        MessageKind::Down,
        MessageKind::Recovered,
        MessageKind::Reminder,
        MessageKind::Flapping,
        MessageKind::Own,
        MessageKind::Test,
    ];
    let mut all = Vec::new();
    for kind in kinds {
        for text in &texts {
            let mut message = Message::new(kind, "test".into(), notifier, Wall(0));
            message.monitors = vec![subject(ODD, text, kind)];
            message.count = 1;
            all.push(message.clone());
            message.monitors.push(Subject::default());
            message.count = 2;
            all.push(message);
        }
        all.push(Message::new(kind, "test".into(), notifier, Wall(0)).at(Wall(90_000), Span(0)));
    }
    all
}
