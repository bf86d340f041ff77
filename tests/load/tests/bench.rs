//! The benchmark measures everything of every kind of service. What it finds on a busy machine, with programs that are not
//! optimised, says nothing.

use std::time::Duration;

use rollcall_load::{
    bench::{Command, Effort, Metric, Variant, compare},
    harness::{AppPlace, debug_binary},
};

const EFFORT: Effort =
    Effort { rounds: 1, members: 10, warm_up_cycles: 0, cycles: 1, trial: Duration::from_millis(300) };

/// What a variant cannot have.
fn lacks(variant: Variant, metric: Metric) -> bool {
    match metric {
        Metric::WebSocketSocket => variant == Variant::Reference,
        Metric::SocketIoSocket => variant == Variant::Colyseus,
        Metric::GatewayCpu | Metric::AppCpu | Metric::AckP99 => true,
        _ => false,
    }
}

/// What every service uses, however little it does.
const NEVER_ZERO: [Metric; 6] =
    [Metric::Commands, Metric::Bytes, Metric::EventsPerSecond, Metric::JoinP99, Metric::Idle, Metric::Back];

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_of_every_variant_is_measured() {
    // An app in a process of its own is started as for the soak.
    let variants = [Variant::Reference, Variant::Colyseus, Variant::Rollcall(AppPlace::InBridge)];
    let folder = tempfile::tempdir().unwrap();
    let results = compare(&variants, EFFORT, debug_binary(), folder.path().to_owned()).await.unwrap();
    for (variant, measured) in results {
        let values = measured.values;
        for metric in Metric::ALL {
            assert_eq!(values.contains_key(&metric), !lacks(variant, metric), "{variant:?} {metric:?}");
        }
        for metric in NEVER_ZERO {
            assert!(values[&metric] > 0.0, "{variant:?} {metric:?}: {values:?}");
        }
        for command in Command::ALL.into_iter().filter(|_| matches!(variant, Variant::Rollcall(_))) {
            let costs = &measured.costs[&command];
            for metric in [Metric::Commands, Metric::Bytes, Metric::AckP99] {
                assert!(costs[&metric] > 0.0, "{command:?} {metric:?}: {costs:?}");
            }
        }
    }
}
