//! The states of a monitor.

/// The state of a monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Declared, never heard.
    #[default]
    New,
    /// Heard within its interval.
    Up,
    /// Its interval is over, its grace is not.
    Late,
    /// Its grace is over, or it said `fail`.
    Down,
    /// Set aside by a person or a maintenance window.
    Paused,
}

impl State {
    /// All states, in the order in which lists and metrics show them.
    pub const ALL: [State; 5] = [State::New, State::Up, State::Late, State::Down, State::Paused];

    /// The field's own word for it: `new`, `up`, `late`, `down`, `paused`.
    pub fn name(self) -> &'static str {
        match self {
            State::New => "new",
            State::Up => "up",
            State::Late => "late",
            State::Down => "down",
            State::Paused => "paused",
        }
    }
}
