//! Lists of origins, and origins of pages.
#![no_main]

use arbitrary::Arbitrary;
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use rollcall_protocol::origin::{ListedOrigin, OriginPolicy};
use url::Url;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    listed: &'a str,
    label: &'a str,
    host: &'a [u8],
    origin: &'a [u8],
}

fuzz_target!(|input: Input| {
    let Ok(origin) = HeaderValue::from_bytes(input.origin) else { return };
    let fixed =
        OriginPolicy::parse(["https://study.example", "https://*.preview.example.com"]).expect("origins");
    if fixed.allows(&origin, None) {
        let url = bare_url(&origin);
        let host = url.host_str().expect("a host");
        let label = host.strip_suffix(".preview.example.com");
        let is_one_label = label.is_some_and(|label| !label.is_empty() && !label.contains('.'));
        assert_eq!((url.scheme(), url.port()), ("https", None), "{origin:?}");
        assert!(host == "study.example" || is_one_label, "{origin:?}");
    }
    let own = OriginPolicy::parse([]).expect("no origins");
    assert!(!own.allows(&origin, None));
    if let Ok(host) = HeaderValue::from_bytes(input.host)
        && own.allows(&origin, Some(&host))
    {
        let host = std::str::from_utf8(host.as_bytes()).expect("text");
        let url = bare_url(&origin);
        let as_url = Url::parse(&format!("{}://{host}", url.scheme())).expect("a URL");
        assert_eq!(as_url.origin(), url.origin(), "{origin:?} {host}");
    }

    let Ok(policy) = OriginPolicy::parse([input.listed]) else { return };
    let OriginPolicy::Listed(listed) = &policy else { return };
    let text = input.listed.trim();
    assert_eq!(policy.allows(&HeaderValue::from_static("null"), None), text == "null");
    match listed.first() {
        None => assert_eq!(text, ""),
        Some(ListedOrigin::Exact(_)) => {
            if let Ok(page) = HeaderValue::from_str(text) {
                assert!(policy.allows(&page, None), "{text}");
            }
        }
        Some(ListedOrigin::OneLabel { domain, .. }) => {
            let Ok(page) = HeaderValue::from_str(&text.replace('*', input.label)) else { return };
            let is_allowed = policy.allows(&page, None);
            let is_word = !input.label.is_empty() && input.label.bytes().all(|b| b.is_ascii_alphabetic());
            assert!(is_allowed || !is_word, "{page:?}");
            if is_allowed {
                let labels = |host: &str| host.split('.').count();
                assert_eq!(labels(bare_url(&page).host_str().expect("a host")), labels(domain), "{page:?}");
            }
        }
        Some(ListedOrigin::AnyHost { .. }) => assert!(text.ends_with("://*"), "{text}"),
    }
});

/// An allowed origin as a URL, which holds nothing but a scheme, a host and a port.
fn bare_url(origin: &HeaderValue) -> Url {
    let url = Url::parse(std::str::from_utf8(origin.as_bytes()).expect("text")).expect("a URL");
    assert_eq!((url.username(), url.password(), url.query(), url.fragment()), ("", None, None, None));
    assert_eq!(url.path(), "/", "{origin:?}");
    url
}
