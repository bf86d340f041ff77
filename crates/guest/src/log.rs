//! Log lines that name their request and its trace.
//!
//! Requests of one instance take turns at every await, so each request's work carries its own context.

use std::{
    cell::RefCell,
    fmt::{self, Display},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use rollcall_protocol::EventId;

thread_local! {
    static CURRENT: RefCell<Rc<RequestContext>> = RefCell::default();
}

/// The ids that a request claims for itself and for its trace. Nothing verifies them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RequestContext {
    request_id: Option<String>,
    trace_id: Option<String>,
}

impl RequestContext {
    /// Reads headers: the id of the event or else of the call, and the trace.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let request_id = header("ce-id").or_else(|| header("webhook-id")).or_else(|| header("x-request-id"));
        Self::checked(request_id, header("traceparent"))
    }

    /// The context of one event of a batch.
    pub fn of_event(id: &EventId, traceparent: Option<&str>) -> Self {
        Self::checked(Some(id.as_str()), traceparent)
    }

    /// Drops malformed ids.
    fn checked(request_id: Option<&str>, traceparent: Option<&str>) -> Self {
        Self {
            request_id: request_id.filter(|id| is_request_id(id)).map(str::to_owned),
            trace_id: traceparent.and_then(trace_id).map(str::to_owned),
        }
    }

    /// Does work whose log lines name this context.
    pub async fn within<T>(self, work: impl Future<Output = T>) -> T {
        let own = Rc::new(self);
        let mut work = pin!(work);
        std::future::poll_fn(move |cx| {
            let outer = CURRENT.replace(Rc::clone(&own));
            let poll: Poll<T> = work.as_mut().poll(cx);
            CURRENT.set(outer);
            poll
        })
        .await
    }
}

/// Logs an error.
pub fn error(message: impl Display) {
    eprintln!("{}", line(message));
}

fn line(message: impl Display) -> String {
    CURRENT.with_borrow(|context| format!("{message}{context}"))
}

impl Display for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.request_id {
            write!(f, " request_id={id}")?;
        }
        if let Some(id) = &self.trace_id {
            write!(f, " trace_id={id}")?;
        }
        Ok(())
    }
}

/// Whether an id can stand in a log line without posing as more than an id.
fn is_request_id(id: &str) -> bool {
    const MAX_CHARS: usize = 128;
    (1..=MAX_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// The trace in a `traceparent` of W3C Trace Context, version 00.
fn trace_id(parent: &str) -> Option<&str> {
    let is_hex = |text: &str, chars: usize| {
        text.len() == chars && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_null = |text: &str| text.bytes().all(|byte| byte == b'0');
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_valid = version == "00"
        && is_hex(trace, 32)
        && is_hex(span, 16)
        && is_hex(flags, 2)
        && !is_null(trace)
        && !is_null(span)
        && parts.next().is_none();
    is_valid.then_some(trace)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use futures_util::{FutureExt, future::join, task::noop_waker_ref};

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn line_of(headers: &[(&str, &str)]) -> String {
        let headers: HashMap<_, _> = headers.iter().copied().collect();
        let context = RequestContext::read(|name| headers.get(name).copied());
        context.within(async { line("m") }).now_or_never().unwrap()
    }

    #[test]
    fn a_line_names_the_event_and_the_trace() {
        assert_eq!(
            line_of(&[("ce-id", "e-1"), ("x-request-id", "r-1"), ("traceparent", PARENT)]),
            "m request_id=e-1 trace_id=0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(line_of(&[("webhook-id", "b-1"), ("x-request-id", "r-1")]), "m request_id=b-1");
        assert_eq!(line_of(&[("x-request-id", "r-1")]), "m request_id=r-1");
        assert_eq!(line_of(&[]), "m");
    }

    #[test]
    fn malformed_ids_do_not_reach_the_log() {
        for id in ["", "a b", "a\nunavailable: b", "a=b", &"x".repeat(129)] {
            assert_eq!(line_of(&[("ce-id", id)]), "m");
        }
        for parent in [
            "",
            "x",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert_eq!(line_of(&[("traceparent", parent)]), "m", "{parent}");
        }
    }

    #[test]
    fn requests_that_take_turns_keep_their_own_contexts() {
        async fn request(id: &str) -> String {
            let context = RequestContext { request_id: Some(id.to_owned()), trace_id: None };
            let work = async {
                let before = line("before");
                yield_once().await;
                format!("{before}, {}", line("after"))
            };
            context.within(work).await
        }
        let mut both = pin!(join(request("a"), request("b")));
        let mut cx = std::task::Context::from_waker(noop_waker_ref());
        assert!(both.as_mut().poll(&mut cx).is_pending());
        let Poll::Ready((a, b)) = both.as_mut().poll(&mut cx) else { panic!("both requests have ended") };
        assert_eq!(a, "before request_id=a, after request_id=a");
        assert_eq!(b, "before request_id=b, after request_id=b");
        assert_eq!(line("outside"), "outside");
    }

    async fn yield_once() {
        let mut has_yielded = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut has_yielded, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
