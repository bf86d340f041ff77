//! Routes of components.

use anyhow::{Result, ensure};

/// The routes of an application, the most specific first.
#[derive(Debug)]
pub(crate) struct Routes(Vec<Route>);

#[derive(Debug)]
struct Route {
    pattern: Vec<Segment>,
    component: String,
}

/// Ordered from the least to the most specific. Of two matching patterns, the greater pattern wins.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// `...`: any number of segments, including none.
    Rest,
    /// `:name`: one segment.
    Any,
    /// Text: this segment.
    Exactly(String),
    /// The end of a pattern without `...`.
    End,
}

impl Routes {
    /// Parses a path with `:name` for one segment and a final `...` for the rest.
    pub(crate) fn new<'a>(routes: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut sorted = Vec::new();
        for (pattern, component) in routes {
            sorted.push(Route { pattern: parse(pattern)?, component: component.to_owned() });
        }
        sorted.sort_by(|a, b| b.pattern.cmp(&a.pattern));
        let is_twice = sorted.iter().zip(sorted.iter().skip(1)).find(|(a, b)| a.pattern == b.pattern);
        if let Some((a, b)) = is_twice {
            anyhow::bail!("components \"{}\" and \"{}\" have the same route", a.component, b.component);
        }
        Ok(Self(sorted))
    }

    /// The component for `path`.
    pub(crate) fn find(&self, path: &str) -> Option<&str> {
        let segments: Vec<&str> = segments(path).collect();
        self.0.iter().find(|route| matches(&route.pattern, &segments)).map(|route| route.component.as_str())
    }
}

fn parse(pattern: &str) -> Result<Vec<Segment>> {
    ensure!(pattern.starts_with('/'), "route \"{pattern}\" must start with \"/\"");
    let mut parsed: Vec<Segment> = segments(pattern).map(segment).collect();
    let is_open = parsed.last() == Some(&Segment::Rest);
    let rests = parsed.iter().filter(|segment| **segment == Segment::Rest).count();
    ensure!(rests == usize::from(is_open), "route \"{pattern}\" may have \"...\" only at its end");
    if !is_open {
        parsed.push(Segment::End);
    }
    Ok(parsed)
}

fn segment(text: &str) -> Segment {
    match text {
        "..." => Segment::Rest,
        _ if text.starts_with(':') => Segment::Any,
        _ => Segment::Exactly(text.to_owned()),
    }
}

/// A slash at the end makes no difference.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').filter(move |_| !path.is_empty())
}

fn matches(pattern: &[Segment], path: &[&str]) -> bool {
    match (pattern, path) {
        ([Segment::Rest, ..], _) | ([Segment::End, ..], []) => true,
        ([Segment::Any, pattern @ ..], [_, path @ ..]) => matches(pattern, path),
        ([Segment::Exactly(text), pattern @ ..], [first, path @ ..]) => {
            text == first && matches(pattern, path)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(patterns: &[&str], path: &str) -> Option<String> {
        let routes = Routes::new(patterns.iter().map(|pattern| (*pattern, *pattern))).unwrap();
        routes.find(path).map(str::to_owned)
    }

    #[test]
    fn an_exact_route_matches_only_itself() {
        assert_eq!(found(&["/events/join"], "/events/join").as_deref(), Some("/events/join"));
        assert_eq!(found(&["/events/join"], "/events/join/").as_deref(), Some("/events/join"));
        assert_eq!(found(&["/events/join"], "/events"), None);
        assert_eq!(found(&["/events/join"], "/events/join/now"), None);
        assert_eq!(found(&["/"], "/").as_deref(), Some("/"));
        assert_eq!(found(&["/"], "/a"), None);
    }

    #[test]
    fn three_dots_match_any_rest() {
        for path in ["/rooms", "/rooms/", "/rooms/a", "/rooms/a/b"] {
            assert_eq!(found(&["/rooms/..."], path).as_deref(), Some("/rooms/..."), "{path}");
        }
        assert_eq!(found(&["/rooms/..."], "/roomses"), None);
    }

    #[test]
    fn a_name_matches_one_segment() {
        assert!(found(&["/rooms/:id/members"], "/rooms/a/members").is_some());
        assert!(found(&["/rooms/:id/members"], "/rooms/members").is_none());
    }

    #[test]
    fn the_more_specific_route_wins() {
        let patterns = ["/...", "/rooms/...", "/rooms/:id", "/rooms/new", "/rooms"];
        for (path, route) in [
            ("/rooms/new", "/rooms/new"),
            ("/rooms/a", "/rooms/:id"),
            ("/rooms/a/b", "/rooms/..."),
            ("/rooms", "/rooms"),
            ("/other", "/..."),
        ] {
            assert_eq!(found(&patterns, path).as_deref(), Some(route));
        }
    }

    #[test]
    fn a_route_that_cannot_work_is_refused() {
        for routes in [vec!["rooms"], vec!["/.../rooms"], vec!["/:a", "/:b"]] {
            assert!(Routes::new(routes.iter().map(|route| (*route, "a"))).is_err(), "{routes:?}");
        }
    }
}
