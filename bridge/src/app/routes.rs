//! The app's HTTP routes on an address of their own, for other bridges, operators and users. Strangers may reach this
//! address, so nothing of a body is read before the head shows that the caller may send one.

use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, StatusCode, Uri, header};
use http_body_util::BodyExt;
use rollcall_host::Host;
use rollcall_protocol::{
    ErrorCode,
    api::Problem,
    call::{self, Secret},
    lobby,
};
use subtle::ConstantTimeEq;
use tokio::time::timeout;

use crate::limits::{Carrier, ClientNetwork, idle};

/// Twice the size of an operator's largest request.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Requests of one address without a valid signature or an operator's token. A whole school may read its rooms from one
/// address.
const STRANGERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();
const STRANGERS_AT_ONCE: NonZeroU32 = NonZeroU32::new(1000).unwrap();

/// Requests with one operator's token.
const OPERATORS_PER_SECOND: NonZeroU32 = NonZeroU32::new(1000).unwrap();

/// The most requests that one for counts counts as: it costs a script for each shard in which its rooms lie, and there are
/// 16 shards by default.
const MAX_WEIGHT: u32 = 16;

/// Value of `Retry-After` for a caller that is too fast.
const RETRY_AFTER_S: &str = "1";

/// Who calls.
enum Caller<'a> {
    /// A bridge, which limits its calls by itself.
    Bridge,
    Operator(&'a Token),
    /// Anybody else, also users with a token of their own.
    Stranger,
}

/// Who may send a body, and how fast callers may be.
pub(super) struct Callers {
    tokens: Vec<Token>,
    secrets: Vec<Secret>,
    strangers: DefaultKeyedRateLimiter<IpAddr>,
}

/// An operator's token, or one for sweeps.
struct Token {
    text: String,
    limit: DefaultDirectRateLimiter,
}

impl Callers {
    /// Reads tokens and secrets from the variables of the app. The app itself complains about variables that it cannot
    /// use, and refuses all calls.
    pub(super) fn new(variables: &BTreeMap<String, String>) -> Self {
        let values = |name| variables.get(name).map(String::as_str).unwrap_or_default().split_whitespace();
        let limit = || RateLimiter::direct(Quota::per_second(OPERATORS_PER_SECOND));
        let tokens = ["operator_tokens", "operator_read_tokens", "sweep_tokens"].into_iter().flat_map(values);
        Self {
            tokens: tokens.map(|text| Token { text: text.to_owned(), limit: limit() }).collect(),
            secrets: values("bridge_secrets").filter_map(|secret| secret.parse().ok()).collect(),
            strangers: RateLimiter::keyed(
                Quota::per_second(STRANGERS_PER_SECOND).allow_burst(STRANGERS_AT_ONCE),
            ),
        }
    }

    pub(super) async fn evict_idle(&self) {
        idle::evict_idle(&self.strangers).await;
    }

    fn find_token(&self, headers: &HeaderMap) -> Option<&Token> {
        let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        // Each comparison takes the same time, and so does the search.
        let known = self.tokens.iter().fold(None, |found, known| {
            if bool::from(known.text.as_bytes().ct_eq(token.trim().as_bytes())) { Some(known) } else { found }
        });
        known.filter(|_| scheme.eq_ignore_ascii_case("bearer"))
    }

    /// Counts a request as so many as its weight, if the caller may make it.
    fn admits(&self, caller: &Caller, network: IpAddr, weight: NonZeroU32) -> bool {
        let outcome = match caller {
            Caller::Bridge => return true,
            Caller::Operator(token) => token.limit.check_n(weight),
            Caller::Stranger => self.strangers.check_key_n(&network, weight),
        };
        outcome.is_ok_and(|admitted| admitted.is_ok())
    }
}

/// The app's HTTP routes.
#[derive(Clone)]
pub(super) struct Routes {
    pub(super) host: Host,
    pub(super) callers: Arc<Callers>,
    /// How long a body may take.
    pub(super) body_limit: Duration,
}

impl Routes {
    pub(super) fn into_router(self) -> Router {
        Router::new().fallback(handle).with_state(self)
    }
}

async fn handle(State(routes): State<Routes>, request: Request) -> Response {
    let Some(&ClientNetwork(network)) = request.extensions().get() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let connection = request.extensions().get::<Carrier>().cloned();
    let (head, body) = request.into_parts();
    let is_event = head.uri.path().starts_with("/events/");
    let weight = weight_of(&head.uri);
    let token = routes.callers.find_token(&head.headers);
    // One byte more than the app takes, so that the app refuses what is longer. A caller who may not send a body is
    // refused by the app for its head.
    let max_bytes = match (is_event, &token) {
        (true, _) if call::is_signed(&head.headers) => call::MAX_BODY_BYTES + 1,
        (false, Some(_)) => MAX_BODY_BYTES + 1,
        _ => 0,
    };
    // A signature is checked with the body. Until then, whoever sends the body is a stranger.
    let connection = connection.filter(|_| token.is_none());
    connection.iter().for_each(|connection| connection.wait_for_body());
    let body = timeout(routes.body_limit, read(body, max_bytes)).await;
    connection.iter().for_each(|connection| connection.receive_body());
    let body = match body {
        Ok(Ok(body)) => body,
        incomplete => {
            if !routes.callers.admits(&token.map_or(Caller::Stranger, Caller::Operator), network, weight) {
                return refuse(ErrorCode::RateLimited);
            }
            let refusal = match incomplete {
                Ok(_) => (StatusCode::BAD_REQUEST, "the body is incomplete"),
                Err(_) => (StatusCode::REQUEST_TIMEOUT, "the body took too long"),
            };
            return refusal.into_response();
        }
    };
    let caller = match token {
        _ if is_event && call::check_signature(&head.headers, &body, &routes.callers.secrets).is_ok() => {
            Caller::Bridge
        }
        Some(token) => Caller::Operator(token),
        None => Caller::Stranger,
    };
    if !routes.callers.admits(&caller, network, weight) {
        return refuse(ErrorCode::RateLimited);
    }
    routes.host.handle(Request::from_parts(head, body)).await.map(Body::from)
}

/// How many requests a request counts as: one for counts as many as it names rooms.
fn weight_of(uri: &Uri) -> NonZeroU32 {
    let ids = lobby::ids_in_query(uri.query()).filter(|_| uri.path() == lobby::COUNTS_PATH);
    let rooms = ids.map_or(1, |ids| ids.split(',').count());
    u32::try_from(rooms)
        .ok()
        .and_then(|rooms| NonZeroU32::new(rooms.min(MAX_WEIGHT)))
        .unwrap_or(NonZeroU32::MIN)
}

/// Reads a body up to a limit, and nothing of what is longer.
async fn read(mut body: Body, max_bytes: usize) -> Result<Bytes, axum::Error> {
    let mut read = BytesMut::new();
    while read.len() < max_bytes {
        let Some(frame) = body.frame().await else { break };
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data[..data.len().min(max_bytes - read.len())]);
        }
    }
    Ok(read.freeze())
}

fn refuse(code: ErrorCode) -> Response {
    let (title, status) = (code.message().to_owned(), code.status());
    let problem = Problem { detail: title.clone(), title, status: status.as_u16(), code };
    let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::RETRY_AFTER, RETRY_AFTER_S)];
    (status, headers, serde_json::to_string(&problem).unwrap_or_default()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_token_is_found() {
        let variables = [("operator_tokens", "first-token second-token"), ("sweep_tokens", "sweep-token")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let callers = Callers::new(&variables.into());
        let find = |text: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, text.parse().unwrap())]);
            callers.find_token(&headers).map(|token| token.text.clone())
        };
        for token in ["first-token", "second-token", "sweep-token"] {
            assert_eq!(find(&format!("Bearer {token}")).as_deref(), Some(token));
            assert_eq!(find(&format!("bearer  {token}")).as_deref(), Some(token));
        }
        for text in ["", "Bearer", "Bearer ", "Bearer first", "Basic first-token", "first-token"] {
            assert_eq!(find(text), None, "{text}");
        }
        assert!(callers.find_token(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_request_for_counts_counts_as_many_times_as_it_names_rooms() {
        let counts = |rooms: usize| format!("/rooms/counts?x=1&ids={}", vec!["a"; rooms].join(","));
        for (uri, weight) in [
            (counts(1), 1),
            (counts(5), 5),
            (counts(100), 16),
            ("/rooms/counts?ids=a%2Cb".to_owned(), 2),
            ("/rooms/counts".to_owned(), 1),
            ("/rooms?ids=a,b".to_owned(), 1),
        ] {
            assert_eq!(weight_of(&uri.parse().unwrap()).get(), weight, "{uri}");
        }
        let callers = Callers::new(&BTreeMap::new());
        let weight = weight_of(&counts(100).parse().unwrap());
        let admits = || callers.admits(&Caller::Stranger, [192, 0, 2, 1].into(), weight);
        let admitted = (0..1000).take_while(|_| admits()).count();
        assert!((62..100).contains(&admitted), "{admitted} requests at once");
    }

    #[tokio::test]
    async fn what_is_longer_than_the_limit_is_not_read() {
        let read = async |text: &'static str, max| read(Body::from(text), max).await.unwrap();
        assert_eq!(read("12345", 9).await, "12345");
        assert_eq!(read("12345", 3).await, "123");
        assert_eq!(read("12345", 0).await, "");
    }
}
