//! Checks the app before the bridge reports that it is ready: at the start, and whenever the app returns after a silence.
//! A heartbeat alone would not show that a component lacks a key, a variable, or the store of the definitions.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, UnusableComponent},
    health::Health,
};

const PAUSE: Duration = Duration::from_secs(1);

/// Checks the app's components.
pub(super) struct ReadinessCheck {
    pub(super) app: Arc<App>,
    pub(super) health: Arc<Health>,
    /// Ends the checks: an app in this process must not begin a call while it stops.
    pub(super) draining: CancellationToken,
}

impl ReadinessCheck {
    /// Checks whenever it is due, until the bridge drains.
    pub(super) async fn run(self) {
        tokio::select! {
            () = self.draining.cancelled() => {}
            () = self.check_repeatedly() => {}
        }
    }

    async fn check_repeatedly(&self) {
        loop {
            let returns = self.check_until_usable().await;
            self.health.record_app_usable(returns);
            self.health.wait_until_app_returns().await;
        }
    }

    /// Returns how often the app had returned when the last checks began.
    async fn check_until_usable(&self) -> u64 {
        let mut reported = HashMap::new();
        let returns = loop {
            let returns = self.health.app_returns();
            let unusable = self.app.check().await;
            if unusable.is_empty() {
                break returns;
            }
            for UnusableComponent { component, reason } in unusable {
                let Some(reason) = reason else { continue };
                if reported.get(&component) != Some(&reason) {
                    tracing::error!(component = component.name(), reason, "app.unusable");
                    reported.insert(component, reason);
                }
            }
            sleep(PAUSE).await;
        };
        if !reported.is_empty() {
            tracing::info!("app.usable");
        }
        returns
    }
}
