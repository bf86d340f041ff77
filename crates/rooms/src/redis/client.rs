//! A client that finds the server which has the keys of a command: another server behind the same name after a failover,
//! or the nodes of a cluster.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{Redis, RedisError};

/// How often a command is tried. The pauses between the attempts last for as long as a failover may take. A time limit of
/// the caller may come first.
const MAX_ATTEMPTS: u32 = 100;

/// So many attempts follow each other without a pause: to another node, and to a new connection there.
const ATTEMPTS_AT_ONCE: u32 = 3;

/// The time between two attempts, in milliseconds.
pub const PAUSE_MS: u64 = 50;

/// How a client reaches servers.
///
/// Futures need not be `Send`, because a component has one thread.
#[allow(async_fn_in_trait)]
pub trait Network {
    /// A connection to one server.
    type Connection;

    /// Connects to a node, or without one to the configured address. Looks a name up anew each time, because another server
    /// may have taken the name over.
    async fn connect(&self, node: Option<&str>) -> Result<Self::Connection, RedisError>;

    /// Runs a command once.
    async fn execute(
        &self,
        connection: &Self::Connection,
        name: &str,
        arguments: &[&[u8]],
    ) -> Result<Vec<Vec<u8>>, RedisError>;

    /// Waits for [`PAUSE_MS`].
    async fn pause(&self);
}

/// A node of a cluster, as host and port; none for the configured address.
type Node = Option<Rc<str>>;

/// A client with one connection to each server that it needs.
pub struct Client<N: Network> {
    network: N,
    connections: RefCell<BTreeMap<Node, Rc<N::Connection>>>,
    /// The nodes that have the keys with a tag: what stands in the braces of a key. The configured address answers for all
    /// other tags.
    nodes: RefCell<BTreeMap<Vec<u8>, Rc<str>>>,
}

impl<N: Network> Client<N> {
    /// A client without a connection. The first command connects.
    pub fn new(network: N) -> Self {
        Self { network, connections: RefCell::default(), nodes: RefCell::default() }
    }

    /// Whether the client has a connection.
    pub fn is_connected(&self) -> bool {
        !self.connections.borrow().is_empty()
    }

    /// Drops all connections, which may be broken. The next commands open new ones.
    pub fn disconnect(&self) {
        self.connections.borrow_mut().clear();
    }

    /// Runs a command where its keys are.
    async fn run(
        &self,
        name: &str,
        arguments: &[&[u8]],
        may_run_twice: bool,
    ) -> Result<Vec<Vec<u8>>, RedisError> {
        let tag = find_tag(name, arguments);
        let mut node = self.node_of(tag);
        let mut attempt = 1;
        loop {
            let outcome = self.attempt(&node, name, arguments, may_run_twice).await;
            let Err(error) = &outcome else { return outcome };
            match self.next_node(node, tag, error) {
                Some(next) if attempt < MAX_ATTEMPTS => node = next,
                _ => return outcome,
            }
            if attempt >= ATTEMPTS_AT_ONCE {
                self.network.pause().await;
            }
            attempt += 1;
        }
    }

    /// The node to ask after an error that left everything as it was; none after other errors.
    fn next_node(&self, node: Node, tag: Option<&[u8]>, error: &RedisError) -> Option<Node> {
        match error {
            RedisError::Moved(address) => {
                let address = Rc::from(address.as_str());
                if let Some(tag) = tag {
                    self.nodes.borrow_mut().insert(tag.to_vec(), Rc::clone(&address));
                }
                Some(Some(address))
            }
            RedisError::NotPrimary(_) => Some(None),
            RedisError::NotYet(_) => Some(node),
            RedisError::Unreachable(_) => self.node_beside(&node),
            _ => None,
        }
    }

    /// Another node to ask where the keys of a node are that cannot be reached.
    fn node_beside(&self, lost: &Node) -> Option<Node> {
        let mut nodes = self.nodes.borrow_mut();
        match lost {
            Some(lost) => {
                nodes.retain(|_, node| **node != **lost);
                Some(None)
            }
            None => nodes.values().next().map(|node| Some(Rc::clone(node))),
        }
    }

    /// Runs a command on the kept connection to a node, or on a new one. The kept connection may have broken since its last
    /// use, because the server has restarted. Then a command that may run twice runs again on a new connection; before
    /// others, a command that changes nothing finds out.
    async fn attempt(
        &self,
        node: &Node,
        name: &str,
        arguments: &[&[u8]],
        may_run_twice: bool,
    ) -> Result<Vec<Vec<u8>>, RedisError> {
        if let Some(kept) = self.kept(node) {
            let (probe, rest) = if may_run_twice { (name, arguments) } else { ("TIME", &[][..]) };
            let outcome = self.execute(node, &kept, probe, rest).await;
            let is_broken = matches!(outcome, Err(RedisError::Failed(_)));
            if may_run_twice && !is_broken {
                return outcome;
            }
        }
        self.execute(node, &self.connection(node).await?, name, arguments).await
    }

    /// Runs a command once. Drops a broken connection, and one to a server that has become a replica.
    async fn execute(
        &self,
        node: &Node,
        connection: &Rc<N::Connection>,
        name: &str,
        arguments: &[&[u8]],
    ) -> Result<Vec<Vec<u8>>, RedisError> {
        let outcome = self.network.execute(connection, name, arguments).await;
        if let Err(RedisError::Failed(_) | RedisError::NotPrimary(_)) = outcome {
            self.forget(node, connection);
        }
        outcome
    }

    /// Returns the kept connection to a node, or else a new one.
    async fn connection(&self, node: &Node) -> Result<Rc<N::Connection>, RedisError> {
        if let Some(kept) = self.kept(node) {
            return Ok(kept);
        }
        let opened = Rc::new(self.network.connect(node.as_deref()).await?);
        self.connections.borrow_mut().insert(node.clone(), Rc::clone(&opened));
        Ok(opened)
    }

    fn kept(&self, node: &Node) -> Option<Rc<N::Connection>> {
        self.connections.borrow().get(node).cloned()
    }

    /// Drops a connection, unless another request has replaced it already.
    fn forget(&self, node: &Node, connection: &Rc<N::Connection>) {
        let mut connections = self.connections.borrow_mut();
        if connections.get(node).is_some_and(|kept| Rc::ptr_eq(kept, connection)) {
            connections.remove(node);
        }
    }

    fn node_of(&self, tag: Option<&[u8]>) -> Node {
        self.nodes.borrow().get(tag?).cloned()
    }
}

impl<N: Network> Redis for Client<N> {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        self.run(name, arguments, true).await
    }

    async fn command_once(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        self.run(name, arguments, false).await
    }
}

/// Finds what stands in the braces of a command's first key. All keys with the same tag are in one node.
fn find_tag<'a>(name: &str, arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    let key = match name {
        "EVAL" | "EVALSHA" => arguments.get(2)?,
        _ => arguments.first()?,
    };
    let after = &key[key.iter().position(|&byte| byte == b'{')? + 1..];
    Some(&after[..after.iter().position(|&byte| byte == b'}')?])
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::VecDeque};

    use futures_util::FutureExt;

    use super::*;

    const CONFIGURED: &str = "configured";

    /// Servers that reply as they are told, and otherwise with "OK".
    #[derive(Default)]
    struct Servers {
        replies: RefCell<VecDeque<RedisError>>,
        /// What reached which server.
        log: RefCell<Vec<String>>,
        pauses: Cell<u32>,
    }

    impl Network for Servers {
        type Connection = String;

        async fn connect(&self, node: Option<&str>) -> Result<String, RedisError> {
            let node = node.unwrap_or(CONFIGURED).to_owned();
            self.log.borrow_mut().push(format!("connect {node}"));
            Ok(node)
        }

        async fn execute(&self, node: &String, name: &str, _: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
            self.log.borrow_mut().push(format!("{name} {node}"));
            match self.replies.borrow_mut().pop_front() {
                Some(error) => Err(error),
                None => Ok(vec![b"OK".to_vec()]),
            }
        }

        async fn pause(&self) {
            self.pauses.set(self.pauses.get() + 1);
        }
    }

    impl Client<Servers> {
        /// Runs a command while the servers reply with these errors at first. Returns the reply, and what reached which
        /// server.
        fn runs(
            &self,
            name: &str,
            may_run_twice: bool,
            errors: &[RedisError],
        ) -> (Result<Vec<Vec<u8>>, RedisError>, String) {
            self.network.replies.replace(errors.iter().cloned().collect());
            let arguments: [&[u8]; 1] = [b"rollcall:{7}:room"];
            let reply = if may_run_twice {
                self.command(name, &arguments).now_or_never()
            } else {
                self.command_once(name, &arguments).now_or_never()
            };
            let reply = reply.unwrap();
            (reply, self.network.log.take().join(", "))
        }
    }

    fn client() -> Client<Servers> {
        Client::new(Servers::default())
    }

    fn ok() -> Result<Vec<Vec<u8>>, RedisError> {
        Ok(vec![b"OK".to_vec()])
    }

    fn moved() -> RedisError {
        RedisError::Moved("other".to_owned())
    }

    fn failed() -> RedisError {
        RedisError::Failed("no reply".to_owned())
    }

    fn unreachable() -> RedisError {
        RedisError::Unreachable("refused".to_owned())
    }

    #[test]
    fn a_connection_is_opened_for_the_first_command_and_kept() {
        let client = client();
        assert!(!client.is_connected());
        assert_eq!(client.runs("GET", true, &[]), (ok(), "connect configured, GET configured".to_owned()));
        assert!(client.is_connected());
        assert_eq!(client.runs("GET", true, &[]), (ok(), "GET configured".to_owned()));
        client.disconnect();
        assert!(!client.is_connected());
    }

    #[test]
    fn commands_go_where_the_keys_have_moved_and_stay_there() {
        let client = client();
        let (reply, log) = client.runs("GET", true, &[moved()]);
        assert_eq!(
            (reply, log.as_str()),
            (ok(), "connect configured, GET configured, connect other, GET other")
        );
        assert_eq!(client.runs("GET", true, &[]), (ok(), "GET other".to_owned()));
        assert_eq!(client.network.pauses.get(), 0);
    }

    #[test]
    fn the_configured_address_knows_where_the_keys_of_a_lost_node_are() {
        let client = client();
        drop(client.runs("GET", true, &[moved()]));
        assert_eq!(
            client.runs("GET", true, &[unreachable()]),
            (ok(), "GET other, GET configured".to_owned())
        );
        assert_eq!(client.runs("GET", true, &[]), (ok(), "GET configured".to_owned()));
    }

    #[test]
    fn a_node_answers_while_the_configured_address_is_away() {
        let client = client();
        drop(client.runs("GET", true, &[moved()]));
        client.network.replies.replace(VecDeque::from([unreachable()]));
        let reply = client.command("PUBLISH", &[b"no tag"]).now_or_never().unwrap();
        assert_eq!(
            (reply, client.network.log.take().join(", ")),
            (ok(), "PUBLISH configured, PUBLISH other".to_owned())
        );
    }

    #[test]
    fn a_command_runs_again_over_a_new_connection_if_the_kept_one_is_broken() {
        let client = client();
        drop(client.runs("GET", true, &[]));
        assert_eq!(
            client.runs("GET", true, &[failed()]),
            (ok(), "GET configured, connect configured, GET configured".to_owned())
        );
    }

    #[test]
    fn a_command_that_may_run_once_follows_a_command_that_changes_nothing() {
        let client = client();
        drop(client.runs("GET", true, &[]));
        assert_eq!(
            client.runs("EVAL", false, &[failed()]),
            (ok(), "TIME configured, connect configured, EVAL configured".to_owned())
        );
        client.disconnect();
        assert_eq!(
            client.runs("EVAL", false, &[failed()]),
            (Err(failed()), "connect configured, EVAL configured".to_owned()),
            "nobody knows whether the command has run"
        );
    }

    #[test]
    fn a_server_that_is_a_replica_now_is_looked_up_anew() {
        let client = client();
        assert_eq!(
            client.runs("GET", true, &[RedisError::NotPrimary("READONLY".to_owned())]),
            (ok(), "connect configured, GET configured, connect configured, GET configured".to_owned())
        );
    }

    #[test]
    fn other_errors_are_the_answer_at_once() {
        let client = client();
        for error in [RedisError::NoScript, RedisError::Refused("OOM".to_owned())] {
            let (reply, log) = client.runs("GET", true, std::slice::from_ref(&error));
            assert_eq!(reply, Err(error));
            assert_eq!(log.matches("GET").count(), 1, "{log}");
        }
    }

    #[test]
    fn keys_on_their_way_are_asked_for_with_pauses_and_not_for_ever() {
        let client = client();
        let not_yet = || RedisError::NotYet("TRYAGAIN".to_owned());
        let (reply, log) = client.runs("GET", true, &vec![not_yet(); 1000]);
        assert_eq!(reply, Err(not_yet()));
        assert_eq!(log.matches("GET").count(), MAX_ATTEMPTS as usize);
        assert_eq!(client.network.pauses.get(), MAX_ATTEMPTS - ATTEMPTS_AT_ONCE);
    }

    #[test]
    fn the_tag_of_a_key_stands_in_its_first_braces() {
        let tag = |name, arguments: &[&'static str]| {
            let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
            find_tag(name, &arguments).map(|tag| str::from_utf8(tag).unwrap().to_owned())
        };
        assert_eq!(tag("GET", &["rollcall:{jwks}:set"]).as_deref(), Some("jwks"));
        assert_eq!(tag("EVALSHA", &["hash", "1", "a:{7}:room:{x}", "{}"]).as_deref(), Some("7"));
        assert_eq!(tag("PUBLISH", &["rollcall:events:\tnode", "{x}"]), None);
        assert_eq!(tag("TIME", &[]), None);
        assert_eq!(tag("GET", &["{"]), None);
    }
}
