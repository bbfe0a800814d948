//! Why a connection ends: the codes a close may carry, and the faults that end one.

use std::borrow::Cow;
use std::fmt;

/// A code of a close frame (RFC 6455, 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub u16);

impl Code {
    /// All is said.
    pub const NORMAL: Code = Code(1000);
    /// This end stops.
    pub const GOING_AWAY: Code = Code(1001);
    /// The other end broke the protocol.
    pub const PROTOCOL: Code = Code(1002);
    /// Data of a kind that is not taken here.
    pub const UNSUPPORTED: Code = Code(1003);
    /// Text that is not UTF-8.
    pub const INVALID: Code = Code(1007);
    /// The other end does what is not wanted, though it is well formed.
    pub const POLICY: Code = Code(1008);
    /// A message over the limit.
    pub const TOO_BIG: Code = Code(1009);

    /// This end starts anew, and can be come back to (IANA's registry; not in the RFC).
    pub const SERVICE_RESTART: Code = Code(1012);
    /// There is no room for it now (IANA registry).
    pub const TRY_AGAIN_LATER: Code = Code(1013);

    /// Whether it may stand in a frame: those that are defined, less those that only say that there was no frame, and
    /// those left to libraries and applications.
    pub fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What makes an end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WsError {
    /// Not the protocol; what is wrong.
    Protocol(&'static str),
    /// A text or a reason is not UTF-8.
    NotUtf8,
    /// A message has more bytes than this.
    TooBig(usize),
}

impl WsError {
    /// The code to close with.
    pub fn code(self) -> Code {
        match self {
            WsError::Protocol(_) => Code::PROTOCOL,
            WsError::NotUtf8 => Code::INVALID,
            WsError::TooBig(_) => Code::TOO_BIG,
        }
    }

    /// The reason to close with.
    pub fn reason(self) -> Cow<'static, str> {
        match self {
            WsError::Protocol(reason) => reason.into(),
            WsError::NotUtf8 => "a text is not UTF-8".into(),
            WsError::TooBig(bytes_max) => {
                format!("a message is larger than {bytes_max} bytes (limits.body_bytes)").into()
            }
        }
    }
}
