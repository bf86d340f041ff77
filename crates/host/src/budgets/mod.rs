//! What each event costs inside its component: instructions of Wasm, and calls to the host by name.
//!
//! The calls are exact. The instructions have a margin, because compilers differ a little, and so do the moments at which
//! a reply arrives. A change that makes an event dearer, or cheaper, changes the number here.

mod app;
mod calls;

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use jwt_simple::{
    prelude::{Claims, Duration, HS256Key, MACLike},
    reexports::ct_codecs::{Base64UrlSafeNoPadding, Encoder},
};
use rollcall_protocol::{
    EventJson,
    batch::Batch,
    call,
    chat::{ChatAction, ChatCommand, MessageText},
    client::{Ack, Profile},
    code::{CodeAck, CodeAction, CodeCommand, Editors, SnippetText},
    document::DocumentUpdate,
    event::{
        AppEvent, Connect, Disconnect, EntryRef, EventKind, Heartbeat, Join, Leave, Membership, Read, Sweep,
    },
    lobby::CountRooms,
    status::{Goal, Status, StatusAction, StatusCommand, StatusUpdate},
    timer::{TimerAction, TimerCommand, TimerPlan},
};
use rollcall_servers::RedisServer;

use self::{
    app::{App, Instance},
    calls::{CallCounter, Calls},
};

/// Each event, its instructions in thousands, and its calls to the host for what it does.
const COSTS: &str = "
connect, new instance       263  6 variables.get, 2 wall-clock.now
connect                     234  2 wall-clock.now
join, new instance          287  monotonic-clock.wait-for, redis.connection.execute, redis.connection.open, 8 variables.get, wall-clock.now
join, first of a session    271  key-value.store.get, key-value.store.open, monotonic-clock.wait-for, 2 redis.connection.execute, wall-clock.now
join, room of ten           251  monotonic-clock.wait-for, redis.connection.execute, wall-clock.now
join, ten in a call        2180  insecure-seed.insecure-seed, monotonic-clock.wait-for, 10 redis.connection.execute, wall-clock.now
read, new instance          429  monotonic-clock.wait-for, redis.connection.execute, redis.connection.open, 7 variables.get, wall-clock.now
read, room of twenty        375  monotonic-clock.wait-for, redis.connection.execute, wall-clock.now
timer, new instance         252  monotonic-clock.wait-for, redis.connection.execute, redis.connection.open, 8 variables.get, wall-clock.now
timer                       191  monotonic-clock.wait-for, redis.connection.execute, wall-clock.now
status, new instance        253  monotonic-clock.wait-for, redis.connection.execute, redis.connection.open, 8 variables.get, wall-clock.now
status                      194  monotonic-clock.wait-for, redis.connection.execute, wall-clock.now
chat, new instance          279  monotonic-clock.wait-for, redis.connection.execute, redis.connection.open, 9 variables.get, wall-clock.now
chat                        207  monotonic-clock.wait-for, redis.connection.execute, wall-clock.now
code, new instance          606  monotonic-clock.wait-for, redis.connection.execute, redis.connection.open, 8 variables.get, wall-clock.now
code                        536  monotonic-clock.wait-for, redis.connection.execute, wall-clock.now
document, new instance      273  monotonic-clock.wait-for, redis.connection.execute, redis.connection.open, 8 variables.get, wall-clock.now
document                    198  monotonic-clock.wait-for, redis.connection.execute, wall-clock.now
lobby, new instance         676  monotonic-clock.wait-for, 13 redis.connection.execute, redis.connection.open, 8 variables.get, wall-clock.now
lobby, twenty rooms         603  monotonic-clock.wait-for, 13 redis.connection.execute, wall-clock.now
disconnect, new instance    217  monotonic-clock.wait-for, redis.connection.execute, redis.connection.open, 7 variables.get, wall-clock.now
disconnect                  158  monotonic-clock.wait-for, redis.connection.execute, wall-clock.now
leave, new instance         216  monotonic-clock.wait-for, redis.connection.execute, redis.connection.open, 7 variables.get, wall-clock.now
leave                       157  monotonic-clock.wait-for, redis.connection.execute, wall-clock.now
heartbeat, new instance     714  monotonic-clock.wait-for, 17 redis.connection.execute, redis.connection.open, 7 variables.get, wall-clock.now
heartbeat                   650  monotonic-clock.wait-for, 17 redis.connection.execute, wall-clock.now
sweep, new instance         257  monotonic-clock.wait-for, 2 redis.connection.execute, redis.connection.open, 7 variables.get, wall-clock.now
sweep                       202  monotonic-clock.wait-for, 2 redis.connection.execute, wall-clock.now";

/// The calls of every event for the request and the response.
const HTTP: &str = "types.fields.copy-all, types.fields.from-list, types.request.consume-body, \
                    types.request.get-headers, types.response.new, types.response.set-status-code";

/// The calls for a request to a component that handles other requests, too.
const ROUTED_HTTP: &str = "types.fields.copy-all, types.fields.from-list, types.fields.get, \
                           types.request.consume-body, types.request.get-authority, \
                           2 types.request.get-headers, types.request.get-method, types.request.get-options, \
                           types.request.get-path-with-query, types.request.get-scheme, types.response.new, \
                           types.response.set-status-code";

const COMPONENTS: &[&str] = &[
    "connect",
    "join",
    "read",
    "timer",
    "status",
    "chat",
    "code",
    "lobby",
    "disconnect",
    "leave",
    "heartbeat",
    "sweep-http",
];

/// An update of Yjs: the editor 11 types a letter.
const EDIT: &[u8] = b"\x01\x01\x0b\x00\x04\x01\x04text\x01a\x00";

/// How far the instructions may be from the table, in percent.
const MARGIN: u64 = 8;

const BRIDGE_SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const TOKEN_KEY: &[u8] = b"01234567890123456789012345678901";

fn variables(redis: &RedisServer) -> BTreeMap<String, String> {
    let key = Base64UrlSafeNoPadding::encode_to_string(TOKEN_KEY).unwrap();
    let given = [
        ("redis_address", redis.address()),
        ("bridge_secrets", BRIDGE_SECRET.to_owned()),
        ("jwt_keys", format!(r#"{{"keys":[{{"kty":"oct","alg":"HS256","k":"{key}"}}]}}"#)),
        ("operator_tokens", "operator-token-of-the-tests".to_owned()),
        ("features", "timer status chat code lobby".to_owned()),
        // Longer than the test.
        ("grace_ms", "300000".to_owned()),
        ("lease_ms", "300000".to_owned()),
    ];
    given.map(|(name, value)| (name.to_owned(), value)).into()
}

fn now_s() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().try_into().unwrap()
}

fn sign(event: &impl AppEvent) -> Request<Bytes> {
    call::sign(event, "event", &"node".parse().unwrap(), now_s(), &BRIDGE_SECRET.parse().unwrap()).unwrap()
}

fn sign_batch(joins: impl Iterator<Item = Join>) -> Request<Bytes> {
    let mut batch = Batch::new(EventKind::Join, &"node".parse().unwrap());
    for (number, join) in joins.enumerate() {
        assert!(batch.add(&format!("event-{number}"), None, &EventJson::new(&join).unwrap()).unwrap());
    }
    batch.sign("call", now_s(), &BRIDGE_SECRET.parse().unwrap()).unwrap()
}

fn entry(number: usize) -> String {
    format!("01998b5c-9d3e-7000-8000-{number:012}")
}

fn membership(number: usize) -> Membership {
    Membership {
        room_id: "algebra".parse().unwrap(),
        user_id: format!("user-{number:04}").parse().unwrap(),
        entry_id: entry(number).parse().unwrap(),
    }
}

fn timer_command(number: usize) -> TimerCommand {
    let plan = TimerPlan::Countdown { duration_ms: 60_000 };
    TimerCommand {
        membership: membership(0),
        command_id: format!("command-{number}").parse().unwrap(),
        action: TimerAction::Set(plan),
    }
}

fn chat_command(number: usize) -> ChatCommand {
    ChatCommand {
        membership: membership(0),
        command_id: format!("command-{number}").parse().unwrap(),
        action: ChatAction::Send { text: MessageText::clean(&"Hello ".repeat(20)).unwrap() },
    }
}

fn code_command(number: usize) -> CodeCommand {
    let text = SnippetText::clean(&"let x = \"y\";\n".repeat(80)).unwrap();
    CodeCommand {
        membership: membership(0),
        command_id: format!("command-{number}").parse().unwrap(),
        action: CodeAction::Share { text, title: None, language: None, editors: Editors::Author },
    }
}

fn share_document() -> CodeCommand {
    let text = SnippetText::clean("let x").unwrap();
    let action = CodeAction::Share { text, title: None, language: None, editors: Editors::Together };
    CodeCommand { command_id: "document".parse().unwrap(), action, ..code_command(0) }
}

fn edit_document(number: u64) -> CodeCommand {
    let update = DocumentUpdate::new(EDIT.to_vec()).unwrap();
    CodeCommand { action: CodeAction::Edit { number, update }, ..code_command(0) }
}

fn status_command(number: usize) -> StatusCommand {
    let goal = Goal::clean(&format!("Chapter {number}")).unwrap();
    let update = StatusUpdate { status: Some(Some(Status::Focusing)), goal: Some(goal) };
    StatusCommand {
        membership: membership(0),
        command_id: format!("command-{number}").parse().unwrap(),
        action: StatusAction::Update(update),
    }
}

fn join(number: usize) -> Join {
    let Membership { room_id, user_id, entry_id } = membership(number);
    Join {
        room_id,
        profile: Profile { user_id, user_name: format!("Name of user {number:04}"), user_role: None },
        entry_id,
        grant: None,
        node_id: "node".parse().unwrap(),
        resume_hash: "0".repeat(64).parse().unwrap(),
        resumes: None,
        replaces: None,
        refreshes: 0,
    }
}

fn join_of_another_room() -> Join {
    Join { room_id: "botany".parse().unwrap(), ..join(0) }
}

fn read() -> Read {
    let entry = |number| {
        let Membership { user_id, entry_id, .. } = membership(number);
        EntryRef { user_id, entry_id }
    };
    Read { room_id: "algebra".parse().unwrap(), entries: (0..10).map(entry).collect() }
}

fn connect() -> Connect {
    let claims = Claims::create(Duration::from_hours(1)).with_subject("user-0001");
    Connect { token: HS256Key::from_bytes(TOKEN_KEY).authenticate(claims).unwrap() }
}

fn define(redis: &RedisServer, room: &str) {
    let mut redis = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    let json = r#"{"revision":1,"definition":{"endAt":4000000000000,"leaderId":"user-0000"}}"#;
    redis::cmd("SET").arg(format!("session:{room}")).arg(json).exec(&mut redis).unwrap();
}

/// Measures events of all components of an application.
struct Meter {
    app: App,
    calls: CallCounter,
    costs: Vec<Cost>,
}

impl Meter {
    /// Sends the first request to an instance of its own, so that Redis has the scripts, and the others to a second
    /// instance. Records the costs of requests with a name.
    async fn measure(&mut self, component: &str, requests: Vec<(&'static str, Request<Bytes>)>) {
        let mut requests = requests.into_iter();
        let (_, first) = requests.next().unwrap();
        respond(&mut self.app.start(component).await, first).await;

        self.calls.take();
        let mut instance = self.app.start(component).await;
        let mut before = 0;
        for (name, request) in requests {
            respond(&mut instance, request).await;
            let instructions = instance.instructions() - before;
            before += instructions;
            let (http, other): (Calls, Calls) =
                self.calls.take().into_iter().partition(|(call, _)| call.starts_with("types."));
            let expected = if component == "sweep-http" { ROUTED_HTTP } else { HTTP };
            assert_eq!(describe(&http), expected, "{name}");
            if !name.is_empty() {
                let (event, instructions) = (name.to_owned(), instructions.div_ceil(1000));
                self.costs.push(Cost { event, instructions, calls: describe(&other) });
            }
        }
    }
}

/// Returns the body of the response.
async fn respond(instance: &mut Instance, request: Request<Bytes>) -> Bytes {
    let response = instance.handle(request).await;
    assert_eq!(response.status(), StatusCode::OK, "{:?}", response.body());
    response.into_body()
}

fn describe(calls: &Calls) -> String {
    let call = |(name, count): (&String, &u64)| match count {
        1 => name.clone(),
        count => format!("{count} {name}"),
    };
    calls.iter().map(call).collect::<Vec<_>>().join(", ")
}

/// Reads the table.
fn budgets() -> Vec<Cost> {
    let budget = |line: &str| {
        let mut columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty());
        let mut next = || columns.next().unwrap().to_owned();
        Cost { event: next(), instructions: next().parse().unwrap(), calls: next() }
    };
    COSTS.trim().lines().map(budget).collect()
}

/// An event, its instructions in thousands, and its calls.
struct Cost {
    event: String,
    instructions: u64,
    calls: String,
}

impl Cost {
    fn is_near(&self, found: &Self) -> bool {
        let difference = self.instructions.abs_diff(found.instructions);
        self.event == found.event
            && self.calls == found.calls
            && difference * 100 <= self.instructions * MARGIN
    }
}

impl Display for Cost {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { event, instructions, calls } = self;
        write!(f, "{event:26}{instructions:>5}  {calls}")
    }
}

#[tokio::test]
async fn each_event_costs_what_the_table_says() {
    let redis = RedisServer::start().unwrap();
    ["algebra", "botany"].into_iter().for_each(|room| define(&redis, room));
    let calls = CallCounter::default();
    let _counting = tracing::subscriber::set_default(calls.clone());
    let app = App::load(&redis, variables(&redis), COMPONENTS).await;
    let mut meter = Meter { app, calls, costs: Vec::new() };
    let in_turn = |names: [&'static str; 2], sign: &dyn Fn(usize) -> Request<Bytes>| {
        ["", names[0], names[1]]
            .into_iter()
            .enumerate()
            .map(|(number, name)| (name, sign(number)))
            .collect::<Vec<_>>()
    };

    meter.measure("connect", in_turn(["connect, new instance", "connect"], &|_| sign(&connect()))).await;
    let mut joins = vec![
        ("", sign(&join(0))),
        ("join, new instance", sign(&join(1))),
        ("join, first of a session", sign(&join_of_another_room())),
    ];
    joins.extend((2..9).map(|number| ("", sign(&join(number)))));
    joins.push(("join, room of ten", sign(&join(9))));
    joins.push(("join, ten in a call", sign_batch((10..20).map(join))));
    meter.measure("join", joins).await;
    meter.measure("read", in_turn(["read, new instance", "read, room of twenty"], &|_| sign(&read()))).await;
    let timer = |number| sign(&timer_command(number));
    meter.measure("timer", in_turn(["timer, new instance", "timer"], &timer)).await;
    let status = |number| sign(&status_command(number));
    meter.measure("status", in_turn(["status, new instance", "status"], &status)).await;
    let chat = |number| sign(&chat_command(number));
    meter.measure("chat", in_turn(["chat, new instance", "chat"], &chat)).await;
    let code = |number| sign(&code_command(number));
    meter.measure("code", in_turn(["code, new instance", "code"], &code)).await;
    let shared = respond(&mut meter.app.start("code").await, sign(&share_document())).await;
    let shared: Ack<CodeAck> = serde_json::from_slice(&shared).unwrap();
    let number = shared.into_result().unwrap().snippet.unwrap().number;
    let document = |_| sign(&edit_document(number));
    meter.measure("code", in_turn(["document, new instance", "document"], &document)).await;
    let lobby = |_| {
        let ids = (0..20).map(|number| format!("room-{number}").parse().unwrap());
        sign(&CountRooms { ids: ids.collect() })
    };
    meter.measure("lobby", in_turn(["lobby, new instance", "lobby, twenty rooms"], &lobby)).await;
    let disconnect = |number| sign(&Disconnect(membership(number)));
    meter.measure("disconnect", in_turn(["disconnect, new instance", "disconnect"], &disconnect)).await;
    let leave = |number| sign(&Leave(membership(number)));
    meter.measure("leave", in_turn(["leave, new instance", "leave"], &leave)).await;
    let heartbeat = Heartbeat { node_id: "node".parse().unwrap(), is_leaving: false };
    meter
        .measure("heartbeat", in_turn(["heartbeat, new instance", "heartbeat"], &|_| sign(&heartbeat)))
        .await;
    meter.measure("sweep-http", in_turn(["sweep, new instance", "sweep"], &|_| sign(&Sweep {}))).await;

    let (budgets, found) = (budgets(), meter.costs);
    let are_near = budgets.len() == found.len()
        && budgets.iter().zip(&found).all(|(budget, found)| budget.is_near(found));
    let table: Vec<String> = found.iter().map(Cost::to_string).collect();
    assert!(are_near, "found:\n{}", table.join("\n"));
}
