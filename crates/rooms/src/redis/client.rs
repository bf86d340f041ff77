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
    use super::*;

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
