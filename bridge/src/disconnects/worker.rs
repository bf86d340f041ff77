//! Sends pending disconnects to the app, one call at a time.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use rollcall_protocol::{Refusal, client::Done};
use tokio::time::sleep;

use super::queue::{Disconnects, Pending};
use crate::app::{App, AppError};

/// Sends disconnects until the future is dropped.
pub(crate) async fn run(disconnects: Arc<Disconnects>, app: Arc<App>) {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .with_jitter();
    let mut next_pauses = pauses.build();
    loop {
        let taken = disconnects.next().await;
        let count = taken.len();
        let left = send(&app, taken).await;
        let has_progress = left.len() < count;
        disconnects.mark_done(count - left.len());
        disconnects.put_back(left);
        if has_progress {
            next_pauses = pauses.build();
        } else {
            sleep(next_pauses.next().unwrap_or_default()).await;
        }
    }
}

/// Makes one call. Returns the disconnects that must be sent again.
async fn send(app: &App, pending: Vec<Pending>) -> Vec<Pending> {
    let items: Vec<_> = pending.iter().map(|pending| &pending.item).collect();
    match app.send_batch(&items).await {
        Ok(mut outcomes) => {
            pending.into_iter().filter(|it| !is_delivered(it, outcomes.remove(&it.item.id))).collect()
        }
        // The app accepts no batches, or one event of the batch spoils it for the others.
        Err(AppError::Refused { refusal, .. }) => {
            tracing::error!(disconnects = pending.len(), %refusal, "disconnects.refused");
            pending.into_iter().map(Pending::into_alone).collect()
        }
        // The app module logs these errors.
        Err(AppError::Overloaded | AppError::CircuitOpen | AppError::NoResponse) => pending,
    }
}

/// Whether the app knows of the disconnect now. Without an outcome, the call had no space for the disconnect.
fn is_delivered(pending: &Pending, outcome: Option<Result<Done, Refusal>>) -> bool {
    let Some(outcome) = outcome else { return false };
    let (request_id, code) = (pending.item.id.as_str(), outcome.err().map(|refusal| refusal.code));
    match code {
        Some(code) if code.may_retry() => {
            tracing::warn!(request_id, %code, "disconnect.delayed");
            false
        }
        code => {
            tracing::debug!(request_id, code = code.map(|code| code.as_str()), "disconnect.delivered");
            true
        }
    }
}
