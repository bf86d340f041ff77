//! Asks the app for a sweep when something is due, so that deadlines are punctual without a scheduler.

use std::{sync::Arc, time::Duration};

use rollcall_protocol::event::{Sweep, Swept};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{self, App, AppError, sweep_timer::SweepTimer},
    telemetry::metrics,
};

/// Asks for sweeps, one at a time.
pub(super) struct Sweeper {
    pub(super) app: Arc<App>,
    pub(super) timer: Arc<SweepTimer>,
    /// Ends the asks: the next bridge asks then, and an app in this process must not begin a call while it stops.
    pub(super) draining: CancellationToken,
}

impl Sweeper {
    /// Asks whenever something is due, until the bridge drains.
    pub(super) async fn run(self) {
        tokio::select! {
            () = self.draining.cancelled() => {}
            () = self.ask_repeatedly() => {}
        }
    }

    async fn ask_repeatedly(&self) {
        loop {
            self.timer.wait_until_due().await;
            match self.app.call(&Sweep {}, &app::new_event_id()).await {
                Ok(swept) => self.record(swept),
                Err(AppError::Refused { refusal, .. }) => {
                    tracing::error!(code = %refusal.code, "sweep.refused");
                }
                // The app module logs these errors.
                Err(AppError::Overloaded | AppError::CircuitOpen | AppError::NoResponse) => {}
            }
            self.timer.end_ask();
        }
    }

    fn record(&self, Swept { report, next_due }: Swept) {
        if report.settled > 0 {
            metrics::record_sweep(Duration::from_millis(report.late_ms));
        }
        if let Some(next_due) = next_due {
            self.timer.learn(next_due);
        }
    }
}
