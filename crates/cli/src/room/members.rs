//! `rollcall room who`: reads all pages of the members of a room.

use anyhow::bail;
use rollcall_protocol::api::{RoomMembers, RoomState};

use super::output::{Output, parse};
use crate::{
    api::{Api, url::encode},
    display,
};

/// How many members a page holds.
const PAGE_SIZE: u32 = 1000;

pub(super) fn run(api: &Api, path: &str) -> anyhow::Result<Output> {
    let room = read_pages(path, |path| api.get(path))?;
    Ok(Output { json: serde_json::to_string(&room)?, text: Ok(display::roster(room)) })
}

/// Reads the room with the members of all pages.
fn read_pages(path: &str, get: impl Fn(&str) -> anyhow::Result<String>) -> anyhow::Result<RoomState> {
    let mut members = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let cursor = after.as_deref().map(|cursor| format!("&after={}", encode(cursor))).unwrap_or_default();
        let page: RoomMembers = parse(&get(&format!("{path}?limit={PAGE_SIZE}{cursor}"))?)?;
        members.extend(page.room.members.unwrap_or_default());
        match page.next {
            None => return Ok(RoomState { members: Some(members), ..page.room }),
            next if next == after => bail!("the app answers the same page of members again and again"),
            next => after = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;

    fn page(users: &[&str], next: Option<&str>) -> String {
        let members: Vec<_> = users
            .iter()
            .map(|user| json!({"userId": user, "userName": user, "joinedAt": 1, "state": "present"}))
            .collect();
        let mut page = json!({
            "groupId": "a", "count": 3, "endAt": 2, "remainMs": 1, "leaderId": "x", "epoch": 1, "seq": 1,
            "members": members,
        });
        if let Some(next) = next {
            page["next"] = next.into();
        }
        page.to_string()
    }

    #[test]
    fn all_pages_are_read() {
        let requests = RefCell::new(Vec::new());
        let room = read_pages("/rooms/a/members", |path| {
            requests.borrow_mut().push(path.to_owned());
            let is_first = requests.borrow().len() == 1;
            Ok(if is_first { page(&["x", "y"], Some("1:2")) } else { page(&["z"], None) })
        });
        let users: Vec<_> =
            room.unwrap().members.unwrap().into_iter().map(|it| it.user_id.to_string()).collect();
        assert_eq!(users, ["x", "y", "z"]);
        let expected = ["/rooms/a/members?limit=1000", "/rooms/a/members?limit=1000&after=1%3A2"];
        assert_eq!(requests.into_inner(), expected);
    }

    #[test]
    fn a_page_that_repeats_is_an_error() {
        assert!(read_pages("/rooms/a/members", |_| Ok(page(&[], Some("x")))).is_err());
    }
}
