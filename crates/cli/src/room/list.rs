//! `rollcall room ls`: reads all pages of the list of live rooms.

use anyhow::bail;
use rollcall_protocol::api::{LiveRoom, LiveRooms};

use super::output::{Output, parse};
use crate::{
    api::{Api, url::encode},
    display,
};

/// How many rooms a page holds.
const PAGE_SIZE: u32 = 500;

pub(super) fn run(api: &Api) -> anyhow::Result<Output> {
    let rooms = read_pages(|path| api.get(path))?;
    let all = LiveRooms { rooms, next: None };
    Ok(Output { json: serde_json::to_string(&all)?, text: Ok(display::rooms(all.rooms)) })
}

fn read_pages(get: impl Fn(&str) -> anyhow::Result<String>) -> anyhow::Result<Vec<LiveRoom>> {
    let mut rooms = Vec::new();
    let mut after = None;
    loop {
        let cursor = after.as_deref().map(|cursor| format!("&after={}", encode(cursor))).unwrap_or_default();
        let page: LiveRooms = parse(&get(&format!("/rooms?limit={PAGE_SIZE}{cursor}"))?)?;
        rooms.extend(page.rooms);
        match page.next {
            None => return Ok(rooms),
            next if next == after => bail!("the app answers the same page of rooms again and again"),
            next => after = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn room(id: &str) -> LiveRoom {
        LiveRoom { id: id.parse().unwrap(), epoch: 1, started_at: 1, end_at: 2, count: 3 }
    }

    #[test]
    fn all_pages_are_read() {
        let requests = RefCell::new(Vec::new());
        let rooms = read_pages(|path| {
            requests.borrow_mut().push(path.to_owned());
            let (rooms, next) = match requests.borrow().len() {
                1 => (vec![room("a")], Some("0:a&b".to_owned())),
                2 => (vec![], Some("1:0".to_owned())),
                _ => (vec![room("b")], None),
            };
            Ok(serde_json::to_string(&LiveRooms { rooms, next })?)
        });
        assert_eq!(rooms.unwrap(), [room("a"), room("b")]);
        let requests = requests.into_inner();
        assert_eq!(requests[0], "/rooms?limit=500");
        assert_eq!(requests[1], "/rooms?limit=500&after=0%3Aa%26b");
        assert_eq!(requests[2], "/rooms?limit=500&after=1%3A0");
    }

    #[test]
    fn a_page_that_repeats_is_an_error() {
        assert!(read_pages(|_| Ok(r#"{"rooms":[],"next":"x"}"#.to_owned())).is_err());
    }
}
