//! What the benches share: the servers that are compared, as processes, and what the kernel says of them.

#![allow(dead_code)] // each bench uses its part

pub mod constant;
pub mod peers;

use std::error::Error;
use std::fs;

/// What a bench's step comes to.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Resident memory of one process.
pub fn resident_bytes(pid: u32) -> Outcome<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    Ok(statm.split(' ').nth(1).ok_or("statm")?.parse::<u64>()? * 4096)
}

/// Run time of every thread of a process and its children.
pub fn cpu_ns(pid: u32) -> Outcome<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path();
        let stat = fs::read_to_string(path.join("schedstat"))?;
        sum += stat.split(' ').next().ok_or("schedstat")?.parse::<u64>()?;
        for child in fs::read_to_string(path.join("children"))?.split_whitespace() {
            sum += cpu_ns(child.parse()?)?;
        }
    }
    Ok(sum)
}

/// The median.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// As many files as the system lets us have.
pub fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The number behind a name on the command line.
pub fn number(words: &[String], name: &str, default: f64) -> Outcome<f64> {
    match words.iter().position(|word| word == name) {
        Some(at) => Ok(words.get(at + 1).ok_or(format!("{name} needs a number"))?.parse()?),
        None => Ok(default),
    }
}
