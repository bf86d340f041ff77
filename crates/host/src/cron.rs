//! Components that run on a schedule.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds},
};
use tokio::time::{sleep, timeout};
use wasmtime::component::InstancePre;

use crate::{
    bindings::{
        SpinCronPre,
        cron_types::{Error, Metadata},
    },
    runtime::Runtime,
    state::{Grants, State},
};

/// The pause before another look at a schedule without a next tick.
const FAR_AWAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A component on a schedule. Each run has a new instance.
pub(crate) struct CronComponent {
    runtime: Runtime,
    component: Arc<Grants>,
    pre: SpinCronPre<State>,
}

impl CronComponent {
    /// Fails when the component does not export `handle-cron-event`.
    pub(crate) fn new(runtime: Runtime, component: Arc<Grants>, pre: InstancePre<State>) -> Result<Self> {
        let pre = SpinCronPre::new(pre).map_err(anyhow::Error::from);
        let pre =
            pre.with_context(|| format!("component \"{}\" does not handle cron events", component.name))?;
        Ok(Self { runtime, component, pre })
    }

    /// The component's name.
    pub(crate) fn name(&self) -> &str {
        &self.component.name
    }

    /// Runs the component for the tick that was due at `due`.
    pub(crate) async fn fire(&self, due: DateTime<Utc>) -> Result<()> {
        let _running = self.runtime.running.token();
        let limit = self.runtime.time_limit;
        let ran = timeout(limit, self.run(due)).await;
        ran.with_context(|| format!("component \"{}\" took longer than {limit:?}", self.name()))?
    }

    async fn run(&self, due: DateTime<Utc>) -> Result<()> {
        let metadata = Metadata { timestamp: due.timestamp().try_into()? };
        let mut store = State::store(&self.runtime.engine, self.component.clone());
        let instance = self.pre.instantiate_async(&mut store).await?;
        let ran =
            store.run_concurrent(async |accessor| instance.call_handle_cron_event(accessor, metadata).await);
        let Err(Error::Other(text)) = ran.await?? else { return Ok(()) };
        Err(anyhow!("component \"{}\" failed: {text}", self.name()))
    }
}

/// The times of a component's runs.
pub(crate) struct Schedule(Cron);

impl Schedule {
    /// Parses six fields, seconds first.
    pub(crate) fn parse(expression: &str) -> Result<Self> {
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        let cron = parser.parse(expression);
        let cron = cron.with_context(|| {
            format!("cron_expression \"{expression}\" must have six fields, seconds first")
        })?;
        Ok(Self(cron))
    }

    /// The first tick after `time`; `None` after the last tick.
    fn next(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.find_next_occurrence(&time, false).ok()
    }

    /// Runs `component` at each tick, even while the previous run lasts, and skips missed ticks.
    pub(crate) async fn run(&self, component: &Arc<CronComponent>) {
        let mut last = Utc::now();
        loop {
            let Some(due) = self.next(last.max(Utc::now())) else {
                sleep(FAR_AWAY).await;
                continue;
            };
            sleep((due - Utc::now()).to_std().unwrap_or_default()).await;
            last = due;
            let component = component.clone();
            tokio::spawn(async move {
                if let Err(error) = component.fire(due).await {
                    tracing::error!(component = component.name(), "cron event failed: {error:#}");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::{allowed_hosts::AllowedHosts, engine, key_value::KeyValue, outbound_http::HttpClient};

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    /// A component with this code as its handler and a limit of a tenth of a second.
    fn component(code: &str) -> CronComponent {
        let wat = format!(
            r#"(component
                (type $metadata_type (record (field "timestamp" u64)))
                (export $metadata "metadata" (type $metadata_type))
                (type $error_type (variant (case "other" string)))
                (export $error "error" (type $error_type))
                (core module $module
                    (memory (export "memory") 1)
                    (func (export "run") (param i64) (result i32) {code}))
                (core instance $instance (instantiate $module))
                (func (export "handle-cron-event") async (param "metadata" $metadata) (result (result (error $error)))
                    (canon lift (core func $instance "run") (memory (core memory $instance "memory")))))"#
        );
        let engine = engine::engine(&engine::config(None)).unwrap();
        let linker = engine::linker(&engine).unwrap();
        let compiled = wasmtime::component::Component::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
        let runtime = Runtime { time_limit: Duration::from_millis(100), ..Runtime::new(engine) };
        let grants = Grants {
            name: "test".to_owned(),
            variables: BTreeMap::new(),
            allowed_hosts: AllowedHosts::default(),
            key_value_stores: BTreeSet::new(),
            key_value: KeyValue::new("redis://127.0.0.1:1").unwrap(),
            postgres: crate::postgres::Pools::default(),
            http_client: HttpClient::default(),
        };
        CronComponent::new(runtime, Arc::new(grants), linker.instantiate_pre(&compiled).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_handler_that_returns_has_succeeded() {
        component("i32.const 0").fire(Utc::now()).await.unwrap();
    }

    #[tokio::test]
    async fn a_handler_that_never_ends_is_ended() {
        let error = component("(loop br 0) unreachable").fire(Utc::now()).await.unwrap_err();
        assert!(error.to_string().contains("took longer"), "{error:#}");
    }

    #[tokio::test]
    async fn a_handler_that_never_ends_does_not_hold_up_others() {
        let endless = Arc::new(component("(loop br 0) unreachable"));
        let firing = tokio::spawn({
            let endless = endless.clone();
            async move { endless.fire(Utc::now()).await }
        });
        // Both handlers share one thread.
        let mut turns = 0;
        while !firing.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            turns += 1;
        }
        assert!(turns > 2, "{turns} turns");
    }

    #[tokio::test]
    async fn a_trap_is_an_error() {
        assert!(component("unreachable").fire(Utc::now()).await.is_err());
    }

    #[tokio::test]
    async fn memory_has_a_limit() {
        let grow = |pages: u32| {
            format!(
                "(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then unreachable)) i32.const 0"
            )
        };
        component(&grow(128 * 16 - 1)).fire(Utc::now()).await.unwrap();
        assert!(component(&grow(128 * 16)).fire(Utc::now()).await.is_err());
    }

    #[test]
    fn every_second_is_every_second() {
        let schedule = Schedule::parse("* * * * * *").unwrap();
        assert_eq!(schedule.next(at("2026-11-23T10:00:00.250Z")), Some(at("2026-11-23T10:00:01Z")));
        assert_eq!(schedule.next(at("2026-11-23T10:00:01Z")), Some(at("2026-11-23T10:00:02Z")));
    }

    #[test]
    fn seconds_come_first_and_hours_are_utc() {
        let schedule = Schedule::parse("30 0 2 * * *").unwrap();
        assert_eq!(schedule.next(at("2026-11-23T02:00:30Z")), Some(at("2026-11-24T02:00:30Z")));
    }

    #[test]
    fn five_fields_are_refused() {
        assert!(Schedule::parse("* * * * *").is_err());
        assert!(Schedule::parse("every second").is_err());
    }
}
