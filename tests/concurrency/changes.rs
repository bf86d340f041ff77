//! Changes of live sessions, and definitions of new ones.

use rollcall_protocol::{UserId, definition::SessionDefinition};

use crate::{
    caller::Caller,
    ids::{ROOMS, USERS, id, now_ms},
};

/// A new session, open to everybody.
pub fn new_session(room: usize, random: &mut fastrand::Rng) -> SessionDefinition {
    SessionDefinition {
        leader_id: Some(pick_user(random)),
        duplicates: ROOMS[room].duplicates,
        capacity: ROOMS[room].capacity,
        ..SessionDefinition::until(now_ms() + random.u64(400..1100))
    }
}

/// Changes or deletes the room's definition. Sometimes the caller crashes.
pub async fn change(caller: &mut Caller, room: usize, random: &mut fastrand::Rng) {
    let current = caller.harness.rooms[room].store.session().map(|session| session.definition);
    let definition = match current.filter(|definition| definition.end_at > now_ms()) {
        None => new_session(room, random),
        Some(definition) => pick_change(definition, random),
    };
    let definition = (random.u8(..16) > 0).then_some(definition);
    match definition {
        definition if random.u8(..8) == 0 => caller.crash(room, definition, random.bool()).await,
        None => caller.undefine(room).await,
        Some(definition) => caller.define(room, definition).await,
    }
}

fn pick_change(definition: SessionDefinition, random: &mut fastrand::Rng) -> SessionDefinition {
    match random.u8(..16) {
        0..4 => SessionDefinition { end_at: now_ms() + random.u64(210..700), ..definition },
        4 => SessionDefinition { end_at: now_ms(), ..definition },
        5..9 => SessionDefinition { leader_id: Some(pick_user(random)), ..definition },
        9..14 => SessionDefinition { members: Some(pick_users(random)), ..definition },
        _ => SessionDefinition { members: None, leader_id: Some(pick_user(random)), ..definition },
    }
}

fn pick_user(random: &mut fastrand::Rng) -> UserId {
    id(USERS[random.usize(..USERS.len())])
}

fn pick_users(random: &mut fastrand::Rng) -> Vec<UserId> {
    random.choose_multiple(USERS, USERS.len() / 2).into_iter().map(id).collect()
}
