//! Lists of origins, and origins of pages.
#![no_main]

use arbitrary::Arbitrary;
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use rollcall_protocol::origin::OriginPolicy;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    listed: &'a str,
    label: &'a str,
    origin: &'a [u8],
}

fuzz_target!(|input: Input| {
    let Ok(origin) = HeaderValue::from_bytes(input.origin) else { return };
    let fixed =
        OriginPolicy::parse(["https://study.example", "https://*.preview.example.com"]).expect("origins");
    if fixed.allows(&origin, None) {
        let origin = origin.to_str().expect("text").to_ascii_lowercase();
        let label =
            origin.strip_prefix("https://").and_then(|rest| rest.strip_suffix(".preview.example.com"));
        let is_one_label = label.is_some_and(|label| {
            !label.is_empty() && !label.contains(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        });
        assert!(origin == "https://study.example" || is_one_label, "{origin}");
    }
    let Ok(policy) = OriginPolicy::parse([input.listed]) else { return };
    if let OriginPolicy::Listed(_) = policy {
        assert!(!policy.allows(&HeaderValue::from_static("null"), None));
        let spelled = input.listed.trim().replace('*', input.label);
        if let Ok(page) = HeaderValue::from_str(&spelled) {
            let is_label = !input.label.is_empty()
                && input.label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let is_star = input.listed.contains('*');
            assert_eq!(policy.allows(&page, None), !is_star || is_label, "{spelled}");
        }
    }
});
