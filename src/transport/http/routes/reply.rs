//! What is answered, and what the answers of several routes have in common.

use super::events::BodyStream;
use crate::domain::id::{Id, IdError, IdRef};
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::engine::Engine;
use crate::store::StoreError;
use crate::transport::conversation::ws::WebSocketOpening;
use crate::transport::listener_context::ListenerContext;
use crate::wire::answer::Answer;
use crate::wire::control::ControlError;
use percent_encoding::percent_decode_str;

/// What is answered.
pub enum RouteReply {
    /// A whole answer.
    Whole(Answer),
    /// The head of an answer, and a body that is made as it is sent: a stream of events, a long list.
    BodyStream(Answer, BodyStream),
    /// A WebSocket, and what its handshake is answered.
    Socket(String, WebSocketOpening),
}

/// A 400 for what is wrong in a request or a wish.
pub fn wrong(wrong: &ControlError) -> Answer {
    Answer::wrong(400, &wrong.reason, wrong.field)
}

/// A 503 for what the store would not say or keep.
pub fn store_failed(error: &StoreError) -> Answer {
    Answer::unavailable(error.said().told().say(Lang::En), Span::secs(5))
}

/// An id as it stands in a path: percent-decoded once.
pub fn id_in_path(context: &ListenerContext, coded: &str) -> Result<Id, Answer> {
    let Ok(text) = percent_decode_str(coded).decode_utf8() else {
        return Err(Answer::wrong(400, "not UTF-8 once percent-decoded", Some("id")));
    };
    id_of(&context.engine, &text).map_err(|error| Answer::wrong(400, &error.to_string(), Some("id")))
}

/// The id that is meant by a text: composed, unless an earlier version made a monitor that is not.
pub fn id_of(engine: &Engine, text: &str) -> Result<Id, IdError> {
    match IdRef::new(text) {
        Ok(id) if engine.get(id).is_some() => Ok(id.to_id()),
        _ => Id::new(text),
    }
}

pub fn no_such_monitor(id: &str) -> Answer {
    Answer::wrong(404, &format!("no such monitor: {id}"), Some("id"))
}

/// Does something on a thread that may wait.
pub async fn aside<T: Send + 'static>(
    context: &ListenerContext,
    work: impl FnOnce(&Engine) -> T + Send + 'static,
) -> Result<T, Answer> {
    let engine = context.engine.clone();
    let done = tokio::task::spawn_blocking(move || work(&engine)).await;
    done.map_err(|_| Answer::unavailable("the server is stopping, or failed at this", Span::secs(5)))
}
