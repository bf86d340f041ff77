//! What a number of events cost.

use std::time::Duration;

use anyhow::Result;
use redis::aio::MultiplexedConnection;

use super::{
    crowd::Crowd,
    metric::{Metric, Values},
    service::Service,
};
use crate::{proc_stat, redis_usage::RedisUsage};

/// What everybody has used at a moment.
pub struct Usage {
    gateway: Duration,
    app: Option<Duration>,
    client: Duration,
    redis: RedisUsage,
    bytes: u64,
}

impl Usage {
    pub async fn read(service: &Service, redis: &mut MultiplexedConnection, crowd: &Crowd) -> Result<Self> {
        let (gateway, app) = service.cpu()?;
        let redis = RedisUsage::read(redis).await?;
        Ok(Self { gateway, app, client: proc_stat::own_cpu()?, redis, bytes: crowd.received_bytes() })
    }

    /// What each of the events since an earlier moment cost.
    pub fn per_event_since(&self, earlier: &Self, events: f64) -> Values {
        let ms = |now: Duration, before: Duration| (now - before).as_secs_f64() * 1000.0 / events;
        #[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
        let count = |count: u64| count as f64 / events;
        let gateway = ms(self.gateway, earlier.gateway);
        let redis = self.redis - earlier.redis;
        let mut values = Values::from([
            (Metric::ServerCpu, gateway),
            (Metric::RedisCpu, ms(redis.cpu, Duration::ZERO)),
            (Metric::Commands, count(redis.commands)),
            (Metric::Scripts, count(redis.scripts)),
            (Metric::Bytes, count(self.bytes - earlier.bytes)),
            (Metric::ClientCpu, ms(self.client, earlier.client)),
        ]);
        if let (Some(now), Some(before)) = (self.app, earlier.app) {
            let app = ms(now, before);
            values.extend([
                (Metric::ServerCpu, gateway + app),
                (Metric::GatewayCpu, gateway),
                (Metric::AppCpu, app),
            ]);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(ms: u64, app: Option<u64>, count: u64) -> Usage {
        let cpu = Duration::from_millis(ms);
        let redis = RedisUsage { cpu, commands: count, scripts: count };
        Usage { gateway: cpu, app: app.map(Duration::from_millis), client: cpu, redis, bytes: count }
    }

    #[test]
    fn the_app_counts_to_the_servers() {
        let values = usage(30, Some(70), 40).per_event_since(&usage(10, Some(10), 20), 10.0);
        assert_eq!(values[&Metric::GatewayCpu], 2.0);
        assert_eq!(values[&Metric::AppCpu], 6.0);
        assert_eq!(values[&Metric::ServerCpu], 8.0);
        assert_eq!(values[&Metric::RedisCpu], 2.0);
        assert_eq!(
            [Metric::Bytes, Metric::Commands, Metric::Scripts].map(|metric| values[&metric]),
            [2.0; 3]
        );
    }

    #[test]
    fn a_single_process_has_no_shares() {
        let values = usage(30, None, 0).per_event_since(&usage(10, None, 0), 10.0);
        assert_eq!(values[&Metric::ServerCpu], 2.0);
        assert!(!values.contains_key(&Metric::GatewayCpu) && !values.contains_key(&Metric::AppCpu));
    }
}
