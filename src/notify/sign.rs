//! Signatures that chat services ask of robots: HMAC-SHA256 over the time and a key, in Base64. Each its own way.

use crate::domain::time::Wall;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA256, Key, sign};

/// DingTalk: the key signs "milliseconds, line feed, key".
/// <https://open.dingtalk.com/document/robots/customize-robot-security-settings>
pub(super) fn dingtalk(now: Wall, secret: &str) -> String {
    hmac(secret, format!("{}\n{secret}", now.0).as_bytes())
}

/// Feishu and Lark: "seconds, line feed, key" is itself the key, and what it signs is empty.
/// <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>
pub(super) fn feishu(now: Wall, secret: &str) -> String {
    hmac(&format!("{}\n{secret}", seconds(now)), b"")
}

/// Whole seconds since 1970.
pub(super) fn seconds(now: Wall) -> i64 {
    now.0.div_euclid(1000)
}

fn hmac(key: &str, text: &[u8]) -> String {
    STANDARD.encode(sign(&Key::new(HMAC_SHA256, key.as_bytes()), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with Python's hmac and base64 as the services' own examples use them.
    #[test]
    fn signatures_are_those_of_the_services_examples() {
        let now = Wall(1_599_360_473_123);
        assert_eq!(dingtalk(now, "SECabc"), "WTmPOAnx8ZVo+xZKX7g+o52vstWy10neVWw7vKA4UbY=");
        assert_eq!(feishu(now, "SECabc"), "KjJCRpeZcpDq6nFA4wlSAm5ZsE3Y8HuB1O1Sgv2Y9xA=");
    }
}
