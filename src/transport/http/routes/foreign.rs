//! What another service's own API wants of monitors, done as a person's wish over our API would be.

use super::monitors;
use super::reply::aside;
use super::request::Caller;
use crate::domain::access::Permission;
use crate::domain::id::{Id, IdRef};
use crate::domain::limits::LIST_MAX;
use crate::domain::policy::Policy;
use crate::domain::registry::{MonitorCommand, Order, Snapshot};
use crate::engine::{ControlRefusal, Engine};
use crate::sys::clock;
use crate::transport::listener_context::ListenerContext;
use crate::wire::answer::Answer;
use crate::wire::compat::{CompatFound, CompatManager, CompatRequest, CompatWish};
use crate::wire::head::Facts;

/// Whether the sender of a request that asks for monitors, or changes them, may.
pub fn admit(
    context: &ListenerContext,
    policy: &Policy,
    caller: Caller,
    facts: &Facts<'_>,
    changes: bool,
) -> Result<(), Answer> {
    let permission = if changes { Permission::Admin } else { Permission::Read };
    super::admit_permission(context, policy, caller, facts, permission).map(drop)
}

/// Does what it wants.
pub async fn answer(
    context: &ListenerContext,
    manager: &'static dyn CompatManager,
    request: CompatRequest<'_>,
) -> Answer {
    let wish = match manager.wish(&request) {
        Ok(wish) => wish,
        Err(answer) => return answer,
    };
    match aside(context, move |engine| done(engine, wish)).await {
        Ok(Ok(found)) => manager.answer(&request, &found),
        Ok(Err(failed)) | Err(failed) => failed,
    }
}

fn done(engine: &Engine, wish: CompatWish) -> Result<CompatFound, Answer> {
    let one =
        |found: Option<Snapshot>| found.map_or(CompatFound::Unknown, |one| CompatFound::One(Box::new(one)));
    match wish {
        CompatWish::List => Ok(CompatFound::All(engine.list(Order::Id, None, LIST_MAX, |_| true).0)),
        CompatWish::Show(id) => Ok(one(engine.get(id.as_ref()))),
        CompatWish::Declare { id, declaration, is_enabled, is_new } => {
            match (engine.get(id.as_ref()).is_some(), is_new) {
                (true, true) => return Ok(CompatFound::Exists),
                (false, false) => return Ok(CompatFound::Unknown),
                _ => {}
            }
            if is_new {
                let wrong =
                    |error: crate::domain::id::IdError| Answer::wrong(422, &error.to_string(), Some("name"));
                id.as_ref().may_be_made().map_err(wrong)?;
            }
            let declared = obey(engine, id.as_ref(), &MonitorCommand::Declare(declaration))?;
            match is_enabled {
                Some(is_on) if matches!(declared, CompatFound::One(_)) => enable(engine, &id, is_on),
                _ => Ok(declared),
            }
        }
        CompatWish::Enable(id, is_on) => enable(engine, &id, is_on),
        CompatWish::Remove(id) => obey(engine, id.as_ref(), &MonitorCommand::Remove),
    }
}

fn enable(engine: &Engine, id: &Id, is_on: bool) -> Result<CompatFound, Answer> {
    let control = if is_on { MonitorCommand::Resume } else { MonitorCommand::Pause { until: None } };
    obey(engine, id.as_ref(), &control)
}

fn obey(engine: &Engine, id: IdRef<'_>, control: &MonitorCommand) -> Result<CompatFound, Answer> {
    match engine.control(clock::now(), id, control) {
        Ok(Some(monitor)) => Ok(CompatFound::One(Box::new(monitor))),
        Ok(None) => Ok(CompatFound::Removed),
        Err(ControlRefusal::Unknown) => Ok(CompatFound::Unknown),
        Err(ControlRefusal::Configured) => Ok(CompatFound::Configured),
        Err(refused) => Err(monitors::refusal(&refused, id.as_str())),
    }
}
