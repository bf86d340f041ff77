//! `rollcall room ls`: reads all pages of the list of live rooms.

use anyhow::bail;
use serde_json::{json, value::RawValue};

use super::output::{Output, parse};
use crate::{
    api::{Api, responses::RoomsPage, url::encode},
    display,
};

/// How many rooms a page holds.
const PAGE_SIZE: u32 = 500;

pub(super) fn run(api: &Api) -> anyhow::Result<Output> {
    let rooms = read_pages(|path| api.get(path))?;
    let json = serde_json::to_string(&json!({"rooms": rooms}))?;
    let rooms: anyhow::Result<_> = rooms.iter().map(|room| parse(room.get())).collect();
    Ok(Output { json, text: rooms.map(display::rooms) })
}

fn read_pages(get: impl Fn(&str) -> anyhow::Result<String>) -> anyhow::Result<Vec<Box<RawValue>>> {
    let mut rooms = Vec::new();
    let mut after = None;
    loop {
        let cursor = after.as_deref().map(|cursor| format!("&after={}", encode(cursor))).unwrap_or_default();
        let page: RoomsPage = parse(&get(&format!("/rooms?limit={PAGE_SIZE}{cursor}"))?)?;
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

    #[test]
    fn all_pages_are_read() {
        let requests = RefCell::new(Vec::new());
        let rooms = read_pages(|path| {
            requests.borrow_mut().push(path.to_owned());
            Ok(match requests.borrow().len() {
                1 => r#"{"rooms":[{"id":"a"}],"next":"0:a&b"}"#,
                2 => r#"{"rooms":[],"next":"1:0"}"#,
                _ => r#"{"rooms":[{"id":"b"}]}"#,
            }
            .to_owned())
        });
        let rooms: Vec<_> = rooms.unwrap().iter().map(|room| room.get().to_owned()).collect();
        assert_eq!(rooms, [r#"{"id":"a"}"#, r#"{"id":"b"}"#]);
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
