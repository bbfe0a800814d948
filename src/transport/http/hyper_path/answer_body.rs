//! Answers as hyper sends them.

use super::phase::{ANSWERED, Phase};
use crate::transport::http::routes::{BodyStream, Broken};
use crate::wire::answer::Answer;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::{Response, StatusCode};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A body as hyper sends it.
pub enum AnswerBody {
    Whole(Full<Bytes>),
    BodyStream(StreamedBody),
}

/// A body that goes on.
pub struct StreamedBody {
    pub flow: BodyStream,
    pub phase: Arc<Phase>,
}

impl Drop for StreamedBody {
    fn drop(&mut self) {
        // hyper may have its last bytes still.
        self.phase.hold(self.flow.held.take());
        self.phase.set(ANSWERED);
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            AnswerBody::Whole(full) => {
                Pin::new(full).poll_frame(cx).map(|frame| frame.map(|f| f.map_err(|never| match never {})))
            }
            AnswerBody::BodyStream(flowing) => {
                flowing.flow.poll_next(cx).map(|piece| piece.map(|p| p.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Whole(full) => full.is_end_stream(),
            AnswerBody::BodyStream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Whole(full) => full.size_hint(),
            AnswerBody::BodyStream(_) => SizeHint::default(),
        }
    }
}

/// The answer as hyper wants it; its body is `flow`, if there is one.
pub fn response(answer: Answer, flow: Option<StreamedBody>) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Whole(Full::default()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    answer.each_header(|name, value| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    });
    if answer.close {
        headers.insert("connection", HeaderValue::from_static("close"));
    }
    *response.body_mut() = match (flow, answer.body) {
        (Some(flow), _) => AnswerBody::BodyStream(flow),
        (None, std::borrow::Cow::Borrowed(bytes)) => AnswerBody::Whole(Full::new(Bytes::from_static(bytes))),
        (None, std::borrow::Cow::Owned(bytes)) => AnswerBody::Whole(Full::new(Bytes::from(bytes))),
    };
    response
}

/// The answer that makes a WebSocket of the connection.
pub fn switching(accept: &str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Whole(Full::default()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.extend(HeaderValue::from_str(accept).ok().map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
    response
}
