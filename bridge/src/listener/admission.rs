//! Who comes in: what lies between a connection and a session.
//!
//! | module | what it does |
//! |---|---|
//! | [`address`] | where a client is, behind proxies too |
//! | [`files`] | how many files the process may open, which sockets are |
//! | [`serve`] | accepts connections and serves HTTP on them |
//! | [`stream`] | closes connections so that the last thing said is heard |
//! | [`tls`] | certificates, and new ones while the bridge runs |

pub(crate) mod address;
#[path = "file_limit.rs"]
pub(crate) mod files;
#[path = "accept.rs"]
pub(crate) mod serve;
mod stream;
pub(crate) mod tls;

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::header;
use rollcall_protocol::{ErrorCode, Refusal};
use tokio_util::sync::CancellationToken;

use self::{
    address::{Proxies, network},
    serve::Peer,
};
use crate::{
    quiet, socketio,
    tally::{Guard, Tally},
    telemetry::metrics,
};

/// After how many seconds somebody who found no place may try again.
const RETRY_AFTER_S: &str = "1";

/// Lets newcomers in as long as there is place.
pub(crate) struct Door {
    proxies: Proxies,
    sockets: Tally<()>,
    sockets_per_address: Tally<IpAddr>,
    newcomers: DefaultKeyedRateLimiter<IpAddr>,
    draining: CancellationToken,
}

/// A place for one socket. It travels with the request that asks for the socket, which whoever serves the socket keeps
/// until it is closed.
#[derive(Clone)]
pub(crate) struct Ticket {
    _place: Arc<(Guard<()>, Guard<IpAddr>)>,
}

impl Door {
    pub(crate) fn new(limits: DoorLimits, draining: CancellationToken) -> Self {
        Self {
            proxies: limits.proxies,
            sockets: Tally::new(limits.max_sockets),
            sockets_per_address: Tally::new(limits.max_sockets_per_address),
            newcomers: RateLimiter::keyed(limits.newcomers),
            draining,
        }
    }

    /// Forgets addresses from which nobody came of late, until the process ends.
    pub(crate) async fn forget_the_quiet(self: Arc<Self>) {
        quiet::forget(&self.newcomers).await;
    }

    fn ticket(&self, request: &Request) -> Result<Ticket, Refusal> {
        if self.draining.is_cancelled() {
            return Err(Refusal::because(ErrorCode::Unavailable, "This bridge stops; another one is there."));
        }
        let peer = request.extensions().get::<Peer>().ok_or(ErrorCode::Unavailable)?;
        let address = network(self.proxies.client(request.headers(), peer.0));
        let of_address = self.sockets_per_address.enter(address).ok_or(ErrorCode::TooManyFromAddress)?;
        let of_all = self.sockets.enter(()).ok_or(ErrorCode::Overloaded)?;
        // Whoever finds a place is asked who they are, which costs the app a call whatever they say.
        self.newcomers.check_key(&address).map_err(|_| ErrorCode::TooManyFromAddress)?;
        Ok(Ticket { _place: Arc::new((of_all, of_address)) })
    }
}

/// How many may come in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DoorLimits {
    pub(crate) proxies: Proxies,
    pub(crate) max_sockets: usize,
    pub(crate) max_sockets_per_address: usize,
    /// How fast they may come from one address.
    pub(crate) newcomers: Quota,
}

/// Gives newcomers a place, or answers that there is none. Those who are connected by polling have one.
pub(crate) async fn admit(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    if socketio::is_of_session(request.uri()) {
        return next.run(request).await;
    }
    match door.ticket(&request) {
        Ok(ticket) => {
            request.extensions_mut().insert(ticket);
            next.run(request).await
        }
        Err(refusal) => {
            metrics::connection_refused(refusal.code);
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
    use crate::door::address::ForwardedHeader;

    fn door(max_sockets: usize, max_sockets_per_address: usize) -> Door {
        let proxies = Proxies { count: 1, header: ForwardedHeader::XForwardedFor };
        let newcomers = Quota::per_hour(NonZeroU32::MIN).allow_burst(NonZeroU32::new(4).unwrap());
        let limits = DoorLimits { proxies, max_sockets, max_sockets_per_address, newcomers };
        Door::new(limits, CancellationToken::new())
    }

    fn from(address: &str) -> Request {
        let mut request = Request::builder().header("x-forwarded-for", address).body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer("10.0.0.1:80".parse().unwrap()));
        request
    }

    fn code(door: &Door, address: &str) -> Result<Ticket, ErrorCode> {
        door.ticket(&from(address)).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_place_is_free_again_when_the_last_copy_of_its_ticket_is_gone() {
        let door = door(1, 1);
        let ticket = code(&door, "1.2.3.4").unwrap();
        let copy = ticket.clone();
        drop(ticket);
        assert_eq!(code(&door, "1.2.3.5").err(), Some(ErrorCode::Overloaded));
        drop(copy);
        assert!(code(&door, "1.2.3.5").is_ok());
    }

    #[test]
    fn one_address_cannot_take_all_places() {
        let door = door(3, 1);
        let _ticket = code(&door, "1.2.3.4").unwrap();
        assert_eq!(code(&door, "1.2.3.4").err(), Some(ErrorCode::TooManyFromAddress));
        assert!(code(&door, "1.2.3.5").is_ok());
    }

    #[test]
    fn who_comes_and_goes_too_fast_is_kept_out_and_nobody_else() {
        let door = door(3, 3);
        for _ in 0..4 {
            assert!(code(&door, "1.2.3.4").is_ok());
        }
        assert_eq!(code(&door, "1.2.3.4").err(), Some(ErrorCode::TooManyFromAddress));
        assert!(code(&door, "1.2.3.5").is_ok());
    }

    #[test]
    fn nobody_comes_in_while_the_bridge_stops() {
        let door = door(3, 3);
        door.draining.cancel();
        assert_eq!(code(&door, "1.2.3.4").err(), Some(ErrorCode::Unavailable));
    }
}
