//! What is told of a job: its start while it runs, its result when it has ended. One after the other, on one connection
//! where that holds, so that the server never hears the end before the start.

use super::name::nearest;
use super::{End, beat_of, name_for, name_of, new_rid};
use crate::client::beat::Outgoing;
use crate::client::channel::{Channel, Hitch};
use crate::client::complain;
use crate::client::config::Settings;
use crate::client::dial::Dialer;
use crate::client::dice::Dice;
use crate::client::failure::Failure;
use crate::client::http::silent;
use crate::client::send::warned;
use crate::client::target::Target;
use crate::domain::beat::Status;
use crate::domain::id::Id;
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::sys::clock;
use std::ffi::OsStr;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// The first pause between two attempts, at most, and the longest one.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// The shortest time an attempt is given.
const ATTEMPT_MIN: Duration = Duration::from_millis(100);
/// What is left for the last attempt to be told that its time is up.
const GUARD: Duration = Duration::from_millis(500);
/// A start that is told so much later would make the server count a wrong duration.
const LATE: Span = Span::secs(2);

/// Who is to be told what of.
pub struct Report {
    settings: Settings,
    id: Id,
    /// The one to take where the server has no monitor of that id and makes none.
    other: Option<Id>,
    rid: String,
}

impl Report {
    /// For a job, under its id or a name made of its program's.
    ///
    /// # Errors
    /// When it has neither.
    pub fn new(settings: &Settings, program: &OsStr) -> Result<Report, Failure> {
        let id = settings.job.clone().map_or_else(|| name_for(program, settings.lang), Ok)?;
        let other =
            id.as_ref().may_be_made().err().and_then(|_| nearest(id.as_str()).or_else(|| name_of(program)));
        Ok(Report { settings: settings.clone(), id, other, rid: new_rid() })
    }

    /// Begins to tell of the start.
    pub fn start(self) -> Sending {
        self.begin(true)
    }

    /// For a job that could not even start.
    pub fn without_start(self) -> Sending {
        self.begin(false)
    }

    fn begin(self, start: bool) -> Sending {
        let (result, wanted) = oneshot::channel();
        let Report { settings, id, other, rid } = self;
        let (lang, to) = (settings.lang, settings.to.clone());
        let start = start.then(|| beat_of(&id, &rid, Status::Start));
        let task = tokio::spawn(Courier::new(settings, other).run(start, wanted));
        Sending { result, task, id, rid, lang, to }
    }
}

/// A report under way.
pub struct Sending {
    result: oneshot::Sender<Outcome>,
    task: JoinHandle<Result<(), Failure>>,
    id: Id,
    rid: String,
    lang: Lang,
    to: Target,
}

/// What is to be told at the end.
struct Outcome {
    beat: Outgoing,
    /// Instead, where the server cannot know how long it took.
    with_duration: Outgoing,
    /// When to give up.
    until: Instant,
}

impl Sending {
    /// Tells the result, trying for so long.
    ///
    /// # Errors
    /// Why it could not be told.
    pub async fn finish(self, end: End, output: &str, ran: Span, wait: Duration) -> Result<(), Failure> {
        let beat = beat_of(&self.id, &self.rid, end.status());
        let (seconds, end) = (ran.as_secs_f64(), end.say(self.lang));
        let line = match self.lang {
            Lang::En => format!("[{end} after {seconds:.1}s]"),
            Lang::Zh => format!("[{end}，历时 {seconds:.1} 秒]"),
        };
        let separator = if output.is_empty() || output.ends_with('\n') { "" } else { "\n" };
        let long = format!("{}{separator}{line}", output);
        let with_duration = beat.clone().message(Some(&long));
        let until = clock::timer_now() + wait;
        let outcome = Outcome { beat: beat.message(Some(output)), with_duration, until };
        let Sending { result, mut task, to, .. } = self;
        let _ = result.send(outcome);
        match timeout(wait + GUARD, &mut task).await {
            Ok(told) => told.unwrap_or(Ok(())),
            // The start is still waiting for its answer.
            Err(_) => {
                task.abort();
                Err(silent(&to, wait))
            }
        }
    }
}

/// Carries beats, one at a time.
struct Courier {
    settings: Settings,
    /// See [`Report`].
    other: Option<Id>,
    /// Whether that is taken.
    is_renamed: bool,
    channel: Option<Channel>,
    dice: Dice,
    attempts: u32,
}

/// What came of an attempt.
enum Attempt {
    Told,
    /// Not now; after such a pause, if the server named one.
    Again(Failure, Option<Span>),
    /// Not ever.
    Never(Failure),
}

impl Courier {
    fn new(settings: Settings, other: Option<Id>) -> Courier {
        Courier { settings, other, is_renamed: false, channel: None, dice: Dice::new(), attempts: 0 }
    }

    async fn run(
        mut self,
        start: Option<Outgoing>,
        mut wanted: oneshot::Receiver<Outcome>,
    ) -> Result<(), Failure> {
        let began = clock::mono();
        let early = match start {
            Some(beat) => self.begin(&beat, &mut wanted).await,
            None => None,
        };
        let told_in_time = early.is_none() && clock::mono().since(began) <= LATE;
        let outcome = match early {
            Some(outcome) => outcome,
            // When nobody sends it any more, nobody wants to know.
            None => match wanted.await {
                Ok(outcome) => outcome,
                Err(_) => return Ok(()),
            },
        };
        let beat = if told_in_time { outcome.beat } else { outcome.with_duration };
        self.insist(beat, outcome.until).await
    }

    /// Tells of the start, again and again while the job runs. What comes back is the result, if it came first.
    async fn begin(&mut self, beat: &Outgoing, wanted: &mut oneshot::Receiver<Outcome>) -> Option<Outcome> {
        loop {
            // A connection that is only being made may be given up; a beat that is under way may not, or it could
            // arrive after the one that follows.
            let opened = tokio::select! {
                opened = self.open(self.within()) => opened,
                result = &mut *wanted => return result.ok(),
            };
            let attempt = match opened {
                Ok(()) => self.deliver(beat, self.within()).await,
                Err(failure) => Attempt::Again(failure, None),
            };
            let pause = match attempt {
                Attempt::Told => return None,
                Attempt::Again(_, pause) => self.pause(pause),
                Attempt::Never(_) => return wanted.await.ok(),
            };
            tokio::select! {
                () = sleep(pause) => {}
                result = &mut *wanted => return result.ok(),
            }
        }
    }

    /// Tells the result, until it is told, or will never be, or the time is up.
    async fn insist(&mut self, mut beat: Outgoing, until: Instant) -> Result<(), Failure> {
        self.attempts = 0;
        loop {
            let left = until.saturating_duration_since(clock::timer_now()).max(ATTEMPT_MIN);
            let within = self.within().min(left);
            // One that has been idle may be dead without our knowing: what fails on it says nothing of a new one.
            let was_open = self.channel.is_some();
            let attempt = match self.open(within).await {
                Ok(()) => self.deliver(&beat, within).await,
                Err(failure) => Attempt::Again(failure, None),
            };
            let (failure, pause) = match attempt {
                Attempt::Told => return Ok(()),
                Attempt::Never(failure) => match beat.without_signal() {
                    // A line of 0.4 and before has no such word, and is refused with it.
                    Some(older) => {
                        beat = older;
                        continue;
                    }
                    None => return Err(failure),
                },
                Attempt::Again(_, None) if was_open => continue,
                Attempt::Again(failure, pause) => (failure, self.pause(pause)),
            };
            if clock::timer_now() + pause >= until {
                return Err(failure);
            }
            sleep(pause).await;
        }
    }

    async fn open(&mut self, within: Duration) -> Result<(), Failure> {
        if self.channel.is_none() {
            let dialer = Dialer::new(&self.settings)?;
            let token = self.settings.token.as_ref();
            self.channel = Some(Channel::open(&dialer, token, false, within).await?);
        }
        Ok(())
    }

    async fn deliver(&mut self, beat: &Outgoing, within: Duration) -> Attempt {
        let to = &self.settings.to;
        let Some(channel) = &mut self.channel else { return Attempt::Again(silent(to, within), None) };
        let mut beat = beat.clone();
        let outcome = loop {
            beat = match &self.other {
                Some(other) if self.is_renamed => beat.for_id(other),
                _ => beat,
            };
            let outcome = channel.deliver(std::slice::from_ref(&beat), to, within).await;
            let Some(other) = self.other.as_ref().filter(|_| outcome.refuses_id && !self.is_renamed) else {
                break outcome;
            };
            self.is_renamed = true;
            let refusal = outcome.into_failure(to);
            let said = refusal.say(self.settings.lang);
            complain(self.settings.lang.pick(
                format!("{said}; the job is reported as {other}"),
                format!("{said}；任务按 {other} 报告"),
            ));
        };
        match outcome.hitch {
            None if outcome.rejected == 0 => {
                for warning in &outcome.warnings {
                    complain(warned(warning, self.settings.lang));
                }
                Attempt::Told
            }
            None => Attempt::Never(outcome.into_failure(to)),
            Some(Hitch::Later(failure, pause)) => Attempt::Again(failure, pause),
            Some(Hitch::Lost(failure)) => {
                self.channel = None;
                Attempt::Again(failure, None)
            }
            Some(hitch) => Attempt::Never(hitch.into_failure(to)),
        }
    }

    fn within(&self) -> Duration {
        Duration::from_millis(self.settings.timeout.0)
    }

    /// How long to wait after an attempt: what the server asked for, else longer and longer, and never the same for
    /// all whose server came back.
    fn pause(&mut self, asked: Option<Span>) -> Duration {
        self.attempts += 1;
        let most = PAUSE_MAX.min(PAUSE_FIRST * (1 << self.attempts.min(6)));
        let own = Duration::from_millis(self.dice.below(most.as_millis() as u64));
        asked.map_or(own, |span| Duration::from_millis(span.0)).min(PAUSE_MAX)
    }
}
