//! The features of this deployment.

use rollcall_protocol::{ErrorCode, command::Feature};
use rollcall_rooms::Error;

use crate::{instance::PerInstance, variables};

thread_local! {
    static FEATURES: PerInstance<Vec<Feature>> = const { PerInstance::new() };
}

/// Refuses with `FEATURE_OFF` unless the deployment has the feature.
pub async fn ensure(feature: Feature) -> Result<(), Error> {
    let features = PerInstance::get(&FEATURES, read).await?;
    if features.contains(&feature) { Ok(()) } else { Err(ErrorCode::FeatureOff.into()) }
}

/// Checks the variable `features`.
pub async fn check() -> Result<(), Error> {
    PerInstance::get(&FEATURES, read).await.map(drop)
}

async fn read() -> Result<Vec<Feature>, Error> {
    let names = variables::get("features").await?;
    Feature::parse_list(&names)
        .map_err(|error| variables::misconfigured(&format_args!("the variable features: {error}")))
}
