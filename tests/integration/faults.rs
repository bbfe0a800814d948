//! What the daemon does when the system fails it: calls that never fail are made to fail in front of the C library.
#![cfg(target_os = "linux")]

use crate::harness::Setup;
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;

/// A library that is loaded before the C library; made by the compiler that linked this test.
fn preloaded(name: &str, source: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (code, library) = (folder.join(format!("{name}.c")), folder.join(format!("lib{name}.so")));
    std::fs::write(&code, source).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&code).status().unwrap();
    assert!(made.success(), "{name}.c cannot be compiled");
    library
}

/// epoll_wait(2) fails in the thread `front-0` once the file named by FAIL_WHEN is there.
const POLL_FAILS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
int epoll_wait(int epoll, struct epoll_event *events, int most, int ms) {
    static int (*real)(int, struct epoll_event *, int, int);
    char name[16] = "";
    if (!real) real = dlsym(RTLD_NEXT, "epoll_wait");
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (!strcmp(name, "front-0") && getenv("FAIL_WHEN") && !access(getenv("FAIL_WHEN"), F_OK)) {
        errno = EBADF;
        return -1;
    }
    return real(epoll, events, most, ms);
}
"#;

#[test]
fn a_front_that_cannot_wait_any_more_ends_the_daemon_and_says_why() {
    let library = preloaded("poll_fails", POLL_FAILS);
    let setup = Setup::new("[[listen]]\naddress = \"127.0.0.1:{a}\"\n")
        .env("LD_PRELOAD", library.to_str().unwrap())
        .env("FAIL_WHEN", "{dir}/now");
    let mut hb = setup.start();
    assert_eq!(hb.beat(r#"{"id":"nas"}"#).status, 200);
    hb.place.write("now", "");
    let status = hb.wait();
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{status}: {}", hb.log());
    assert!(hb.log().contains("which connections are ready"), "{}", hb.log());
}
