//! What one change of a room costs a bridge, by the size of the room: bytes to clients, and allocations.
//!
//! The bytes are exact. The allocations are upper bounds, about a tenth above what a quiet machine needs: they depend on
//! how the network cuts streams into pieces. They do not rise with the room. A change that makes an event dearer, or
//! cheaper, changes the number here.

#![expect(clippy::unwrap_used, reason = "a test, and its helpers")]

use std::{
    io::Read,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixStream},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use rollcall_load::{
    connection::Connection,
    harness::{AppPlace, Harness, Settings, debug_binary},
    limits,
    wire::{Incoming, Transport},
};
use serde_json::{Value, json, value::RawValue};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
    time::sleep,
};

/// What a change costs in a room with this many members, the member who joins or leaves among them.
const COSTS: &[Cost] = &[
    Cost::new(1, Change { bytes: 398, allocations: 135 }, Change { bytes: 38, allocations: 112 }),
    Cost::new(10, Change { bytes: 11_668, allocations: 122 }, Change { bytes: 9_524, allocations: 96 }),
    Cost::new(100, Change { bytes: 988_818, allocations: 122 }, Change { bytes: 968_852, allocations: 96 }),
    Cost::new(1000, Change { bytes: 177_118, allocations: 150 }, Change { bytes: 172_865, allocations: 150 }),
];

/// The cheapest of these rounds counts: whatever else the bridge does meanwhile only adds, and so does a number of an
/// event with more digits.
const ROUNDS: usize = 5;

/// Longer than the test: no grace period ends, and no ping is sent.
const NEVER: Duration = Duration::from_secs(600);

const CONCURRENT_JOINS: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    members: usize,
    join: Change,
    leave: Change,
}

impl Cost {
    const fn new(members: usize, join: Change, leave: Change) -> Self {
        Self { members, join, leave }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    bytes: u64,
    allocations: u64,
}

impl Change {
    fn less(self, other: Self) -> Self {
        Self {
            bytes: self.bytes - other.bytes,
            allocations: self.allocations.saturating_sub(other.allocations),
        }
    }

    fn min(self, other: Self) -> Self {
        Self { bytes: self.bytes.min(other.bytes), allocations: self.allocations.min(other.allocations) }
    }

    fn allows(self, found: Self) -> bool {
        found.bytes == self.bytes && found.allocations <= self.allocations
    }
}

/// A member of a room.
struct Member {
    connection: Connection,
    counted: u64,
}

impl Member {
    async fn connect(harness: &Harness, user: &str) -> Self {
        let token = harness.secrets.token_for(user).unwrap();
        let address = harness.bridges[0].address;
        let connection = Connection::open(address, Transport::SocketIo, &token, None).await.unwrap();
        let counted = connection.received_bytes();
        Self { connection, counted }
    }

    async fn request(&mut self, event: &str, data: &Value) {
        let id = self.connection.send_request(event, data).await.unwrap();
        loop {
            match self.connection.receive().await.unwrap() {
                Incoming::Ack { id: acked, data } if acked == id => return assert_success(&data),
                _ => {}
            }
        }
    }

    /// Reads until the next notice. Returns the bytes since the one before.
    async fn read_to_notice(&mut self) -> u64 {
        loop {
            if let Incoming::Event { name, .. } = self.connection.receive().await.unwrap()
                && name == "room:notice"
            {
                let before = std::mem::replace(&mut self.counted, self.connection.received_bytes());
                return self.counted - before;
            }
        }
    }
}

fn assert_success(ack: &RawValue) {
    let ack: Value = serde_json::from_str(ack.get()).unwrap();
    assert_eq!(ack["success"], true, "{ack}");
}

/// A room whose other members stay.
struct Room<'a> {
    harness: &'a Harness,
    id: String,
    others: usize,
    /// The bytes of each member up to a notice.
    noticed: UnboundedReceiver<u64>,
    _tasks: JoinSet<()>,
}

impl<'a> Room<'a> {
    async fn fill(harness: &'a Harness, others: usize) -> Self {
        let id = format!("room-{:04}", others + 1);
        let definition = json!({"endAt": 4_000_000_000_000_u64, "leaderId": "nobody"});
        harness.api.define(&id, definition).await.unwrap();
        let join = |number: usize| {
            let payload = json!({"groupId": id});
            async move {
                let mut member = Member::connect(harness, &format!("user-{number:04}")).await;
                member.request("room:join", &payload).await;
                member
            }
        };
        let members: Vec<_> =
            stream::iter((1..=others).map(join)).buffer_unordered(CONCURRENT_JOINS).collect().await;
        let (notify, noticed) = unbounded_channel();
        let mut tasks = JoinSet::new();
        for mut member in members {
            let notify = notify.clone();
            tasks.spawn(async move { while notify.send(member.read_to_notice().await).is_ok() {} });
        }
        Self { harness, id, others, noticed, _tasks: tasks }
    }

    /// Sends a notice, which follows all changes of the room, and waits until all have it. Returns what all of this and
    /// what came before has cost since the last time.
    async fn settle(&mut self, mover: Option<&mut Member>, meter: &mut Meter) -> Change {
        assert!(self.harness.api.notice(&self.id, "x").await.unwrap());
        let mut bytes = 0;
        for _ in 0..self.others {
            bytes += self.noticed.recv().await.unwrap();
        }
        if let Some(mover) = mover {
            bytes += mover.read_to_notice().await;
        }
        Change { bytes, allocations: meter.read().await }
    }

    async fn measure(&mut self, meter: &mut Meter) -> Cost {
        let payload = json!({"groupId": self.id});
        let mut mover = Member::connect(self.harness, "user-0000").await;
        // Both sides allocate some things once.
        mover.request("room:join", &payload).await;
        mover.request("room:leave", &json!({})).await;
        let mut cheapest: Option<[Change; 4]> = None;
        for _ in 0..ROUNDS {
            self.settle(None, meter).await;
            mover.counted = mover.connection.received_bytes();
            let notice_outside = self.settle(None, meter).await;
            mover.request("room:join", &payload).await;
            let joined = self.settle(Some(&mut mover), meter).await;
            let notice_inside = self.settle(Some(&mut mover), meter).await;
            mover.request("room:leave", &json!({})).await;
            let left = self.settle(None, meter).await;
            let ack = mover.connection.received_bytes() - mover.counted;
            let left = Change { bytes: left.bytes + ack, ..left };
            let round = [joined, notice_inside, left, notice_outside];
            println!("{round:?}");
            cheapest = Some(match cheapest {
                Some(before) => std::array::from_fn(|part| before[part].min(round[part])),
                None => round,
            });
        }
        let [joined, notice_inside, left, notice_outside] = cheapest.unwrap();
        Cost::new(self.others + 1, joined.less(notice_inside), left.less(notice_outside))
    }
}

/// Counts the allocations of a bridge.
struct Meter {
    socket: SocketAddr,
    counted: u64,
}

impl Meter {
    fn new(bridge: u32) -> Self {
        let socket = SocketAddr::from_abstract_name(format!("rollcall-allocations-{bridge}")).unwrap();
        Self { socket, counted: 0 }
    }

    /// Waits until the bridge is at rest. Returns the allocations since the last time.
    async fn read(&mut self) -> u64 {
        let before = self.counted;
        loop {
            let mut count = String::new();
            UnixStream::connect_addr(&self.socket).unwrap().read_to_string(&mut count).unwrap();
            let last = std::mem::replace(&mut self.counted, count.parse().unwrap());
            if last == self.counted {
                return self.counted - before;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn counting_bridge() -> PathBuf {
    debug_binary().parent().unwrap_or(Path::new(".")).join("examples/counting_bridge")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_costs_what_the_table_says_in_a_room_of_each_size() {
    limits::raise_open_files().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        binary: counting_bridge(),
        folder: folder.path().to_owned(),
        app: AppPlace::OwnProcess,
        bridges: 1,
        grace: NEVER,
        ping: NEVER,
    };
    let harness = Harness::start(&settings).await.unwrap();
    let mut meter = Meter::new(harness.bridges[0].process.id());
    let mut found = Vec::new();
    for Cost { members, .. } in COSTS {
        found.push(Room::fill(&harness, members - 1).await.measure(&mut meter).await);
    }
    let allows =
        |(cost, found): (&Cost, &Cost)| cost.join.allows(found.join) && cost.leave.allows(found.leave);
    assert!(COSTS.iter().zip(&found).all(allows), "found {found:#?}");
}
