//! Code that the members of a room share with each other.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    CommandId, UserId,
    command::{Action, MemberCommand},
    document::{AwarenessUpdate, DocumentUpdate},
    event::EventKind,
    text,
};

/// The longest text of a snippet, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The longest title of a snippet, in characters.
pub const MAX_TITLE_CHARS: usize = 100;

/// The longest name of a language, in bytes.
pub const MAX_LANGUAGE_BYTES: usize = 32;

/// The text of a snippet, which has lines and tabs and may be empty. Hidden characters are removed: a bidirectional
/// control could make code look like other code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SnippetText(String);

/// A text is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text must have at most {MAX_TEXT_BYTES} bytes")]
pub struct TextTooLong;

impl SnippetText {
    /// Cleans a text.
    pub fn clean(text: &str) -> Result<Self, TextTooLong> {
        let text = text::clean_lines(text);
        (text.len() <= MAX_TEXT_BYTES).then_some(Self(text)).ok_or(TextTooLong)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for SnippetText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::clean(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// One line that says what a snippet is. Hidden characters are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Title(String);

/// A title is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("title must have at most {MAX_TITLE_CHARS} characters")]
pub struct TitleTooLong;

impl Title {
    /// Cleans a text. A text without a visible character is no title.
    pub fn clean(text: &str) -> Result<Option<Self>, TitleTooLong> {
        let line = text::clean_line(text).trim().to_owned();
        if line.chars().count() > MAX_TITLE_CHARS {
            return Err(TitleTooLong);
        }
        Ok((!line.is_empty()).then_some(Self(line)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a programming language, as editors and highlighters write it: `rust`, `c++`, `objective-c`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Language(String);

/// A text is no name of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("language must be from 1 to {MAX_LANGUAGE_BYTES} ASCII letters, digits or characters of +-#._")]
pub struct InvalidLanguage;

impl std::str::FromStr for Language {
    type Err = InvalidLanguage;

    fn from_str(name: &str) -> Result<Self, InvalidLanguage> {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"+-#._".contains(&byte);
        let is_valid = (1..=MAX_LANGUAGE_BYTES).contains(&name.len()) && name.bytes().all(is_usual);
        is_valid.then(|| Self(name.to_owned())).ok_or(InvalidLanguage)
    }
}

/// Who may change a snippet.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Editors {
    /// Only the author.
    #[default]
    Author,
    /// Everybody in the room, one version after the other.
    Everybody,
    /// Everybody in the room at the same time: the snippet is a [document](crate::document).
    Together,
}

/// A snippet without its text, as clients see it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snippet {
    /// The number of the snippet. Numbers of later snippets of the room are larger.
    pub number: u64,
    /// The author's name for the snippet: the id of the command that shared it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: CommandId,
    /// What the snippet is, if the author says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The programming language, if the author names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who may change the snippet.
    pub editors: Editors,
    /// Rises by one with each change, from 1.
    pub version: u64,
    /// The length of the text in bytes. In a document, the length when its updates were last merged.
    pub bytes: u64,
    /// The author.
    pub user_id: UserId,
    /// The author's name at that time.
    pub user_name: String,
    /// When the snippet was shared, in milliseconds since 1970.
    pub shared_at: u64,
    /// Who made the latest version.
    pub updated_by: Editor,
    /// When that was, in milliseconds since 1970.
    pub updated_at: u64,
}

/// A user who changes a snippet.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Editor {
    /// The user.
    pub user_id: UserId,
    /// The user's name at that time.
    pub user_name: String,
}

/// What a change makes of a snippet. A field that is absent stays as it is, and `null` removes a title or a language.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnippetUpdate {
    /// The number of the snippet.
    pub number: u64,
    /// The version that the change starts from.
    pub version: u64,
    /// The whole new text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, max_length = 65_536))]
    pub text: Option<SnippetText>,
    /// The new title. An empty one is none.
    #[serde(default, deserialize_with = "deserialize_title", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 100))]
    pub title: Option<Option<Title>>,
    /// The new language.
    #[serde(default, deserialize_with = "deserialize_language", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<String>, max_length = 32, pattern = r"^[A-Za-z0-9+\-#._]+$")
    )]
    pub language: Option<Option<Language>>,
    /// Who may change the snippet from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Editors))]
    pub editors: Option<Editors>,
}

fn deserialize_title<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Title>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let title = text.as_deref().map_or(Ok(None), Title::clean);
    title.map(Some).map_err(D::Error::custom)
}

fn deserialize_language<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Language>>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    name.map(|name| name.parse()).transpose().map(Some).map_err(D::Error::custom)
}

/// What to do with the code of a room. The names are those of the events that clients send.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", content = "data")]
pub enum CodeAction {
    /// Share a snippet.
    #[serde(rename = "code:share")]
    Share {
        /// The text.
        #[cfg_attr(feature = "openapi", schema(value_type = String, max_length = 65_536))]
        text: SnippetText,
        /// What it is. An empty title is none.
        #[serde(
            default,
            deserialize_with = "deserialize_new_title",
            skip_serializing_if = "Option::is_none"
        )]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 100))]
        title: Option<Title>,
        /// The programming language.
        #[serde(
            default,
            deserialize_with = "deserialize_new_language",
            skip_serializing_if = "Option::is_none"
        )]
        #[cfg_attr(
            feature = "openapi",
            schema(value_type = Option<String>, max_length = 32, pattern = r"^[A-Za-z0-9+\-#._]+$")
        )]
        language: Option<Language>,
        /// Who may change the snippet.
        #[serde(default)]
        editors: Editors,
    },
    /// Change a snippet.
    #[serde(rename = "code:update")]
    Update(SnippetUpdate),
    /// Remove a snippet.
    #[serde(rename = "code:close")]
    Close {
        /// The number of the snippet.
        number: u64,
    },
    /// Read a snippet with its text.
    #[serde(rename = "code:get")]
    Get {
        /// The number of the snippet.
        number: u64,
    },
    /// List the snippets, without their texts.
    #[serde(rename = "code:list")]
    List {},
    /// Read a document. The bridge passes on what happens in it from then on.
    #[serde(rename = "document:open")]
    Open {
        /// The number of the snippet.
        number: u64,
    },
    /// Change a document.
    #[serde(rename = "document:update")]
    Edit {
        /// The number of the snippet.
        number: u64,
        /// What changes.
        #[cfg_attr(
            feature = "openapi",
            schema(value_type = String, max_length = 90_112, content_encoding = "base64")
        )]
        update: DocumentUpdate,
    },
    /// Show the others where a user is in a document.
    #[serde(rename = "document:awareness")]
    Awareness {
        /// The number of the snippet.
        number: u64,
        /// What the editor shows of its user.
        #[cfg_attr(
            feature = "openapi",
            schema(value_type = String, max_length = 2_732, content_encoding = "base64")
        )]
        update: AwarenessUpdate,
    },
}

fn deserialize_new_title<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Title>, D::Error> {
    Ok(deserialize_title(deserializer)?.flatten())
}

fn deserialize_new_language<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Language>, D::Error> {
    Ok(deserialize_language(deserializer)?.flatten())
}

/// A command of a member to the code of the room.
pub type CodeCommand = MemberCommand<CodeAction>;

impl Action for CodeAction {
    const KIND: EventKind = EventKind::Code;
}

/// The data of the ack of `code:share`, `code:update` and `code:close`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeAck {
    /// The snippet as it is now; none if it has been closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
    /// The session.
    pub epoch: u64,
    /// The last event that the ack includes.
    pub seq: u64,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

/// A snippet and its text.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnippetContent {
    /// The snippet.
    pub snippet: Snippet,
    /// Plain text, which clients must not interpret.
    pub text: String,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

/// The snippets of a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippets {
    /// The snippets, oldest first.
    pub snippets: Vec<Snippet>,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(command: &str, data: &str) -> Result<CodeAction, String> {
        let json = format!(r#"{{"command":"{command}","data":{data}}}"#);
        serde_json::from_str(&json).map_err(|error| error.to_string())
    }

    fn update(data: &str) -> SnippetUpdate {
        match action("code:update", data).unwrap() {
            CodeAction::Update(update) => update,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_text_keeps_its_lines_and_tabs_and_loses_hidden_characters() {
        let clean = |text: &str| SnippetText::clean(text).unwrap().as_str().to_owned();
        assert_eq!(clean("\tif a {\r\n\t}\n\n"), "\tif a {\n\t}\n\n");
        assert_eq!(clean("/* \u{202e} } \u{2066}if admin\u{2069} */"), "/*  } if admin */");
        assert_eq!(clean(""), "");
        let longest = "x".repeat(MAX_TEXT_BYTES);
        assert_eq!(clean(&longest), longest);
        assert_eq!(SnippetText::clean(&"가".repeat(MAX_TEXT_BYTES / 3 + 1)), Err(TextTooLong));
    }

    #[test]
    fn a_title_is_one_line() {
        let clean = |text: &str| Title::clean(text).unwrap().map(|title| title.as_str().to_owned());
        assert_eq!(clean(" Quick\nsort "), Some("Quick sort".to_owned()));
        assert_eq!(clean(" \u{200b}"), None);
        let longest = "가".repeat(MAX_TITLE_CHARS);
        assert_eq!(clean(&longest), Some(longest.clone()));
        assert_eq!(Title::clean(&(longest + "가")), Err(TitleTooLong));
    }

    #[test]
    fn a_snippet_is_the_authors_and_has_no_title_and_no_language_unless_it_says_so() {
        let text = SnippetText::clean("x").unwrap();
        let plain = CodeAction::Share { text, title: None, language: None, editors: Editors::Author };
        for data in [r#"{"text":"x"}"#, r#"{"id":"c","text":"x","title":" ","language":null}"#] {
            assert_eq!(action("code:share", data).unwrap(), plain);
        }
        let full = r#"{"text":"x","title":"Sort","language":"c++","editors":"everybody"}"#;
        let json = serde_json::to_string(&action("code:share", full).unwrap()).unwrap();
        assert_eq!(json, format!(r#"{{"command":"code:share","data":{full}}}"#));
    }

    #[test]
    fn a_change_says_what_stays_what_changes_and_what_goes() {
        let same = update(r#"{"number":7,"version":1}"#);
        assert_eq!((same.text, same.title, same.language, same.editors), (None, None, None, None));
        let changed = update(r#"{"number":7,"version":1,"title":null,"language":null,"editors":"author"}"#);
        assert_eq!(
            (changed.title, changed.language, changed.editors),
            (Some(None), Some(None), Some(Editors::Author))
        );
        let json = r#"{"number":7,"version":1,"text":"","title":"Sort"}"#;
        assert_eq!(serde_json::to_string(&update(json)).unwrap(), json);
    }

    #[test]
    fn what_the_code_of_a_room_does_not_know_is_refused_by_name() {
        let long_title = format!(r#"{{"text":"x","title":"{}"}}"#, "x".repeat(MAX_TITLE_CHARS + 1));
        let long_text = format!(r#"{{"text":"{}"}}"#, "x".repeat(MAX_TEXT_BYTES + 1));
        for (command, data, reason) in [
            ("code:share", "{}", "text"),
            ("code:share", &long_text, "at most 65536 bytes"),
            ("code:share", &long_title, "at most 100 characters"),
            ("code:share", r#"{"text":"x","language":"<b>"}"#, "language must be"),
            ("code:share", r#"{"text":"x","language":""}"#, "language must be"),
            ("code:share", r#"{"text":"x","editors":"nobody"}"#, "author"),
            ("code:update", r#"{"number":1}"#, "version"),
            ("code:update", r#"{"version":1}"#, "number"),
            ("code:update", r#"{"number":1,"version":"1"}"#, "u64"),
            ("code:close", r#"{"number":-1}"#, "u64"),
            ("code:get", "{}", "number"),
            ("document:update", r#"{"number":1,"update":"?"}"#, "Base64"),
            ("document:awareness", r#"{"number":1}"#, "update"),
            ("code:run", "{}", "code:share"),
        ] {
            let error = action(command, data).unwrap_err();
            assert!(error.contains(reason), "{command} {data}: {error}");
        }
    }
}
