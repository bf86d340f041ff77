//! Limits how many sockets there are, and how fast new ones are opened.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{Uri, header};
use rollcall_protocol::{ErrorCode, Refusal};
use tokio_util::sync::CancellationToken;

use super::address::TrustedProxies;
use crate::{
    limits::{
        Carrier, ClientNetwork, SocketPermit, idle,
        permits::Permits,
        places::{PlaceLimits, Places},
    },
    telemetry::metrics,
};

/// Value of `Retry-After` for a refused client.
const RETRY_AFTER_S: &str = "1";

/// Limits for new sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdmissionLimits {
    pub(crate) proxies: TrustedProxies,
    pub(crate) max_sockets: usize,
    pub(crate) max_sockets_per_address: usize,
    /// How fast one address may open sockets.
    pub(crate) new_connections: Quota,
}

/// Admits new connections within the limits.
pub(crate) struct Admission {
    sockets: Arc<Places>,
    sockets_per_address: Permits<IpAddr>,
    new_connections: DefaultKeyedRateLimiter<IpAddr>,
    draining: CancellationToken,
    is_continuation: fn(&Uri) -> bool,
}

impl Admission {
    /// Admits nobody once `draining` is cancelled. `is_continuation` recognises requests of a session that exists
    /// already, as a polling client sends them: the session holds its permit, and its requests need no other.
    pub(crate) fn new(
        limits: AdmissionLimits,
        draining: CancellationToken,
        is_continuation: fn(&Uri) -> bool,
    ) -> Self {
        metrics::record_max_sockets(limits.max_sockets);
        Self {
            sockets: Places::new(PlaceLimits {
                total: limits.max_sockets,
                without_session: limits.max_sockets,
                per_network: None,
                // Proxies have named the client.
                is_behind_proxies: false,
            }),
            sockets_per_address: Permits::new(limits.max_sockets_per_address),
            new_connections: RateLimiter::keyed(limits.new_connections),
            draining,
            is_continuation,
        }
    }

    /// Evicts addresses that have opened no connection for a while, until the process ends.
    pub(crate) async fn evict_idle(self: Arc<Self>) {
        idle::evict_idle(&self.new_connections).await;
    }

    fn acquire_permit(&self, request: &Request) -> Result<SocketPermit, Refusal> {
        if self.draining.is_cancelled() {
            return Err(Refusal::because(
                ErrorCode::Unavailable,
                "This bridge is stopping; connect again to reach another one.",
            ));
        }
        let &ClientNetwork(address) = request.extensions().get().ok_or(ErrorCode::Unavailable)?;
        let address_permit =
            self.sockets_per_address.try_acquire(address).ok_or(ErrorCode::TooManyFromAddress)?;
        // Each client with a permit costs the app one call, which checks the token, even if the app refuses the client.
        self.new_connections.check_key(&address).map_err(|_| ErrorCode::TooManyFromAddress)?;
        Ok(SocketPermit::new(self.sockets.acquire(address)?, address_permit))
    }
}

/// Adds a [`SocketPermit`] to the extensions of a request for a new socket, or refuses the request.
pub(crate) async fn admit(
    State(admission): State<Arc<Admission>>,
    mut request: Request,
    next: Next,
) -> Response {
    if (admission.is_continuation)(request.uri()) {
        return next.run(request).await;
    }
    match admission.acquire_permit(&request) {
        Ok(permit) => {
            if let Some(connection) = request.extensions().get::<Carrier>() {
                permit.adopt(connection);
            }
            request.extensions_mut().insert(permit);
            next.run(request).await
        }
        Err(refusal) => {
            metrics::record_connection_refused(refusal.code);
            let body = serde_json::to_string(&refusal).unwrap_or_default();
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::RETRY_AFTER, RETRY_AFTER_S)];
            (refusal.code.status(), headers, body).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use axum::body::Body;

    use super::*;

    fn admission(max_sockets: usize, max_sockets_per_address: usize) -> Admission {
        let new_connections = Quota::per_hour(NonZeroU32::MIN).allow_burst(NonZeroU32::new(4).unwrap());
        let proxies = TrustedProxies::NONE;
        let limits = AdmissionLimits { proxies, max_sockets, max_sockets_per_address, new_connections };
        Admission::new(limits, CancellationToken::new(), |_| false)
    }

    fn request_from(address: &str) -> Request {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(ClientNetwork(address.parse().unwrap()));
        request
    }

    fn acquire(admission: &Admission, address: &str) -> Result<SocketPermit, ErrorCode> {
        admission.acquire_permit(&request_from(address)).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_permit_is_free_again_when_its_last_copy_is_dropped() {
        let admission = admission(1, 1);
        let permit = acquire(&admission, "1.2.3.4").unwrap();
        let copy = permit.clone();
        drop(permit);
        assert_eq!(acquire(&admission, "1.2.3.5").err(), Some(ErrorCode::Overloaded));
        drop(copy);
        assert!(acquire(&admission, "1.2.3.5").is_ok());
    }

    #[test]
    fn one_address_cannot_take_all_permits() {
        let admission = admission(3, 1);
        let _permit = acquire(&admission, "1.2.3.4").unwrap();
        assert_eq!(acquire(&admission, "1.2.3.4").err(), Some(ErrorCode::TooManyFromAddress));
        assert!(acquire(&admission, "1.2.3.5").is_ok());
    }

    #[test]
    fn an_address_that_opens_connections_too_fast_is_refused_and_no_other_address_is() {
        let admission = admission(3, 3);
        for _ in 0..4 {
            assert!(acquire(&admission, "1.2.3.4").is_ok());
        }
        assert_eq!(acquire(&admission, "1.2.3.4").err(), Some(ErrorCode::TooManyFromAddress));
        assert!(acquire(&admission, "1.2.3.5").is_ok());
    }

    #[test]
    fn a_stopping_bridge_admits_nobody() {
        let admission = admission(3, 3);
        admission.draining.cancel();
        assert_eq!(acquire(&admission, "1.2.3.4").err(), Some(ErrorCode::Unavailable));
    }
}
