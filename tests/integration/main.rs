//! The real binary over real sockets.
