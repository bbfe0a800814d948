//! What stands before a connection: never panics, never takes more than is there, never changes its mind about a header
//! when more bytes follow, and names only clients that stand in it.
#![no_main]

use heartbeat_server::domain::limits::PROXY_HEADER_BYTES_MAX;
use heartbeat_server::wire::proxy_protocol::{ProxyOpening, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = read(data);
    for cut in 0..data.len().min(PROXY_HEADER_BYTES_MAX) {
        match (read(&data[..cut]), whole) {
            (ProxyOpening::Partial, _) => {}
            (early, late) => assert_eq!(early, late, "more bytes changed what was said at {cut}"),
        }
    }
    if let ProxyOpening::Header { bytes, client } = whole {
        assert!(bytes <= data.len() && bytes <= PROXY_HEADER_BYTES_MAX);
        assert!(client.is_none() || bytes >= 20);
    }
});
