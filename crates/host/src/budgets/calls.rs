//! Counts a component's calls to the host, from the spans that the bindings of Wasmtime open.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Calls by the names of their interface and function.
pub(super) type Calls = BTreeMap<String, u64>;

/// The calls of this thread.
#[derive(Clone, Default)]
pub(super) struct CallCounter(Arc<Mutex<Calls>>);

impl CallCounter {
    /// The calls since the last time.
    pub(super) fn take(&self) -> Calls {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for CallCounter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.name() == "wit-bindgen import"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut name = Name::default();
        span.record(&mut name);
        // "[method]connection.execute"
        let function = name.function.split(']').next_back().unwrap_or_default();
        *self.0.lock().unwrap().entry(format!("{}.{function}", name.module)).or_default() += 1;
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Name {
    module: String,
    function: String,
}

impl Visit for Name {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "module" => value.clone_into(&mut self.module),
            "function" => value.clone_into(&mut self.function),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
