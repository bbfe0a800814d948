//! The report of a job: its start while it runs, its result when it has ended. One after the other, on one connection as
//! long as that lasts, so that the start always arrives first.

use super::name::nearest;
use super::{JobEnd, beat_of, name_for, name_of, new_run_id};
use crate::client::beat::OutgoingBeat;
use crate::client::channel::{BeatChannel, DeliveryError};
use crate::client::complain;
use crate::client::config::ClientSettings;
use crate::client::dial::Dialer;
use crate::client::error::ClientError;
use crate::client::http::silent;
use crate::client::rng::Rng;
use crate::client::send::{all_of, any_of, warned};
use crate::client::server_url::ServerUrl;
use crate::domain::beat::Status;
use crate::domain::id::Id;
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::i18n;
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
/// Time beyond the deadline for the last attempt to return its error.
const GUARD: Duration = Duration::from_millis(500);
/// A start that arrives later than this would make the server compute a wrong duration.
const LATE: Span = Span::secs(2);

/// A report before it is sent.
pub struct Report {
    settings: ClientSettings,
    id: Id,
    /// The id to use where the server has no monitor of the first and makes none.
    other: Option<Id>,
    rid: String,
}

impl Report {
    /// For a job, under its id or a name made of its program's.
    ///
    /// # Errors
    /// When it has neither.
    pub fn new(settings: &ClientSettings, program: &OsStr) -> Result<Report, ClientError> {
        let id = settings.job.clone().map_or_else(|| name_for(program, settings.lang), Ok)?;
        let other =
            id.as_ref().may_be_made().err().and_then(|_| nearest(id.as_str()).or_else(|| name_of(program)));
        Ok(Report { settings: settings.clone(), id, other, rid: new_run_id() })
    }

    /// Begins to report the start.
    pub fn start(self) -> Sending {
        self.begin_report(true)
    }

    /// For a job that could not be started.
    pub fn without_start(self) -> Sending {
        self.begin_report(false)
    }

    fn begin_report(self, start: bool) -> Sending {
        let Report { settings, id, other, rid } = self;
        let start = start.then(|| beat_of(&id, &rid, Status::Start));
        let to_server = |one: ClientSettings| {
            let (result, wanted) = oneshot::channel();
            let to = one.to.clone();
            let task = tokio::spawn(Reporter::new(one, other.clone()).run(start.clone(), wanted));
            ServerReport { result, task, to }
        };
        Sending {
            servers: settings.per_server().into_iter().map(to_server).collect(),
            id,
            rid,
            lang: settings.lang,
        }
    }
}

/// A report under way.
pub struct Sending {
    servers: Vec<ServerReport>,
    id: Id,
    rid: String,
    lang: Lang,
}

/// The report to one server.
struct ServerReport {
    result: oneshot::Sender<JobResult>,
    task: JoinHandle<Result<(), ClientError>>,
    to: ServerUrl,
}

/// The result of a job, to be reported.
#[derive(Clone)]
struct JobResult {
    beat: OutgoingBeat,
    /// The same with the duration in its message, where the start did not arrive in time.
    with_duration: OutgoingBeat,
    /// When to give up.
    until: Instant,
}

impl Sending {
    /// Reports the result to each server, trying for that long. Where only some could be told, who was not is said on
    /// standard error.
    ///
    /// # Errors
    /// When it could not be reported to any.
    pub async fn finish(
        self,
        end: JobEnd,
        output: &str,
        ran: Span,
        wait: Duration,
    ) -> Result<(), ClientError> {
        let beat = beat_of(&self.id, &self.rid, end.status());
        let (seconds, end) = (format!("{:.1}", ran.as_secs_f64()), end.describe(self.lang));
        let line = i18n::client::after_s(&end, &seconds).in_lang(self.lang);
        let separator = if output.is_empty() || output.ends_with('\n') { "" } else { "\n" };
        let long = format!("{}{separator}{line}", output);
        let with_duration = beat.clone().message(Some(&long));
        let until = clock::timer_now() + wait;
        let outcome = JobResult { beat: beat.message(Some(output)), with_duration, until };
        let finish = |server: ServerReport| server.finish(outcome.clone(), wait);
        let told: Vec<_> = self.servers.into_iter().map(finish).collect();
        any_of(all_of(told.into_iter()).await, self.lang).map(|_| ())
    }
}

impl ServerReport {
    async fn finish(self, outcome: JobResult, wait: Duration) -> Result<(), ClientError> {
        let ServerReport { result, mut task, to } = self;
        let _ = result.send(outcome);
        match timeout(wait + GUARD, &mut task).await {
            Ok(told) => told.unwrap_or(Ok(())),
            // The start still waits for its answer.
            Err(_) => {
                task.abort();
                Err(silent(&to, wait))
            }
        }
    }
}

/// Sends beats, one at a time.
struct Reporter {
    settings: ClientSettings,
    /// See [`Report`].
    other: Option<Id>,
    /// Whether that id is in use.
    is_renamed: bool,
    channel: Option<BeatChannel>,
    rng: Rng,
    attempts: u32,
}

/// What came of an attempt.
enum ReportAttempt {
    Told,
    /// To be tried again, after that pause if the server named one.
    Again(ClientError, Option<Span>),
    /// Never accepted.
    Never(ClientError),
}

impl Reporter {
    fn new(settings: ClientSettings, other: Option<Id>) -> Reporter {
        Reporter { settings, other, is_renamed: false, channel: None, rng: Rng::new(), attempts: 0 }
    }

    async fn run(
        mut self,
        start: Option<OutgoingBeat>,
        mut wanted: oneshot::Receiver<JobResult>,
    ) -> Result<(), ClientError> {
        let began = clock::mono();
        let early = match start {
            Some(beat) => self.begin_report(&beat, &mut wanted).await,
            None => None,
        };
        let told_in_time = early.is_none() && clock::mono().since(began) <= LATE;
        let outcome = match early {
            Some(outcome) => outcome,
            // The sender was dropped: no report is wanted.
            None => match wanted.await {
                Ok(outcome) => outcome,
                Err(_) => return Ok(()),
            },
        };
        let beat = if told_in_time { outcome.beat } else { outcome.with_duration };
        self.report_result(beat, outcome.until).await
    }

    /// Reports the start, repeatedly while the job runs. Returns the result if the job ended first.
    async fn begin_report(
        &mut self,
        beat: &OutgoingBeat,
        wanted: &mut oneshot::Receiver<JobResult>,
    ) -> Option<JobResult> {
        loop {
            // A connection attempt may be dropped; a beat under way may not, or it could arrive after the next one.
            let opened = tokio::select! {
                opened = self.open(self.within()) => opened,
                result = &mut *wanted => return result.ok(),
            };
            let attempt = match opened {
                Ok(()) => self.deliver(beat, self.within()).await,
                Err(failure) => ReportAttempt::Again(failure, None),
            };
            let pause = match attempt {
                ReportAttempt::Told => return None,
                ReportAttempt::Again(_, pause) => self.pause(pause),
                ReportAttempt::Never(_) => return wanted.await.ok(),
            };
            tokio::select! {
                () = sleep(pause) => {}
                result = &mut *wanted => return result.ok(),
            }
        }
    }

    /// Reports the result until it is accepted, rejected for good, or the deadline passes.
    async fn report_result(&mut self, mut beat: OutgoingBeat, until: Instant) -> Result<(), ClientError> {
        self.attempts = 0;
        loop {
            let left = until.saturating_duration_since(clock::timer_now()).max(ATTEMPT_MIN);
            let within = self.within().min(left);
            // An idle connection may be dead already: a failure on it is retried at once on a new one.
            let was_open = self.channel.is_some();
            let attempt = match self.open(within).await {
                Ok(()) => self.deliver(&beat, within).await,
                Err(failure) => ReportAttempt::Again(failure, None),
            };
            let (failure, pause) = match attempt {
                ReportAttempt::Told => return Ok(()),
                ReportAttempt::Never(failure) => match beat.without_signal() {
                    // Servers before 0.5 reject a line with signal=.
                    Some(older) => {
                        beat = older;
                        continue;
                    }
                    None => return Err(failure),
                },
                ReportAttempt::Again(_, None) if was_open => continue,
                ReportAttempt::Again(failure, pause) => (failure, self.pause(pause)),
            };
            if clock::timer_now() + pause >= until {
                return Err(failure);
            }
            sleep(pause).await;
        }
    }

    async fn open(&mut self, within: Duration) -> Result<(), ClientError> {
        if self.channel.is_none() {
            let dialer = Dialer::new(&self.settings)?;
            let token = self.settings.token.as_ref();
            self.channel = Some(BeatChannel::open(&dialer, token, false, within).await?);
        }
        Ok(())
    }

    async fn deliver(&mut self, beat: &OutgoingBeat, within: Duration) -> ReportAttempt {
        let to = &self.settings.to;
        let Some(channel) = &mut self.channel else { return ReportAttempt::Again(silent(to, within), None) };
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
            let refusal = outcome.into_client_error(to);
            let said = refusal.sentence(self.settings.lang);
            complain(i18n::client::job_reported(&said, &other).in_lang(self.settings.lang));
        };
        match outcome.error {
            None if outcome.rejected == 0 => {
                for warning in &outcome.warnings {
                    complain(warned(warning, self.settings.lang));
                }
                ReportAttempt::Told
            }
            None => ReportAttempt::Never(outcome.into_client_error(to)),
            Some(DeliveryError::Later(failure, pause)) => ReportAttempt::Again(failure, pause),
            Some(DeliveryError::Lost(failure)) => {
                self.channel = None;
                ReportAttempt::Again(failure, None)
            }
            Some(error) => ReportAttempt::Never(error.into_client_error(to)),
        }
    }

    fn within(&self) -> Duration {
        Duration::from_millis(self.settings.timeout.0)
    }

    /// The pause after an attempt: what the server asked for, else random below a maximum that doubles.
    fn pause(&mut self, asked: Option<Span>) -> Duration {
        self.attempts += 1;
        let most = PAUSE_MAX.min(PAUSE_FIRST * (1 << self.attempts.min(6)));
        let own = Duration::from_millis(self.rng.below(most.as_millis() as u64));
        asked.map_or(own, |span| Duration::from_millis(span.0)).min(PAUSE_MAX)
    }
}
