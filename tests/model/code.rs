//! The rules of the code that members share.

use rollcall_protocol::{ErrorCode, code::Editors, command::Feature};

use crate::{
    document::{Document, Word},
    event::{EventKind, Person, Recipients},
    history::History,
    ids::{
        CODE_BURST, CODE_INTERVAL, CODE_LIMIT, CODE_READ_BURST, CODE_READ_INTERVAL, CODE_SHARE, EntryId,
        RoomNo, Time, User,
    },
    live::{CommandId, Limited, Live},
};

/// A command to the code of a room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodeCommand {
    pub room: RoomNo,
    /// The member who sends it, and the connection; none for an operator.
    pub by: Option<(User, EntryId)>,
    pub id: CommandId,
    pub action: CodeAction,
}

/// Snippets are named by their numbers, counted from the start of the session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CodeAction {
    Share { text: &'static str, title: Option<&'static str>, editors: Editors },
    Update(Update),
    Close(u64),
    Get(u64),
    List,
    Open(u64),
    Edit(u64, Word),
    Show(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    pub position: u64,
    pub version: u64,
    pub text: Option<&'static str>,
    pub title: Option<Option<&'static str>>,
    pub editors: Option<Editors>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Snippet {
    pub number: u64,
    pub id: CommandId,
    pub title: Option<&'static str>,
    pub editors: Editors,
    pub version: u64,
    /// The text, or what the document began with.
    pub text: &'static str,
    /// The length of the text, or of that of the document when its updates were merged last.
    pub bytes: usize,
    pub author: Person,
    pub shared_at: Time,
    pub updated_by: Person,
    pub updated_at: Time,
}

/// The reply to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum CodeReply {
    Done {
        snippet: Option<Snippet>,
        epoch: u64,
        seq: u64,
        now: Time,
        is_repeated: bool,
    },
    ClosedByOperator,
    /// The text is that of the snippet, unless it is a document.
    Conflict {
        current: Snippet,
        text: Option<String>,
        now: Time,
    },
    Content {
        snippet: Snippet,
        text: String,
        now: Time,
    },
    Listed {
        snippets: Vec<Snippet>,
        now: Time,
    },
    Opened {
        snippet: Snippet,
        text: String,
        edit: u64,
        now: Time,
    },
    Edited {
        edit: u64,
        now: Time,
    },
}

impl Live {
    pub fn command_code(
        &mut self,
        history: &mut History,
        command: &CodeCommand,
        now: Time,
    ) -> Result<CodeReply, ErrorCode> {
        let by = self.sender(command.by)?;
        let is_read = matches!(command.action, CodeAction::Get(_) | CodeAction::List | CodeAction::Open(_));
        let is_operators_read = is_read && by.is_none();
        if !is_operators_read && !self.terms.features.contains(&Feature::Code) {
            return Err(ErrorCode::FeatureOff);
        }
        if is_read {
            return self.read_code(command.action, by.map(|by| by.user), now);
        }
        let user = by.map(|by| by.user);
        if let CodeAction::Edit(position, word) = command.action {
            return self.edit(history, command, position, Some(word), now);
        }
        if let CodeAction::Show(position) = command.action {
            return self.edit(history, command, position, None, now);
        }
        if let CodeAction::Update(Update { position, text: None, editors: Some(Editors::Together), .. }) =
            command.action
        {
            let snippet = self.read_snippet(position, user, now)?;
            self.check_text_for_document(snippet)?;
        }
        if self.has_applied(user, command.id) {
            if by.is_none() {
                return Ok(CodeReply::ClosedByOperator);
            }
            let snippet = self.find_repeated(command, user);
            return Ok(self.code_done(snippet, now, true));
        }
        if let CodeAction::Update(update) = command.action
            && let Some(current) = self.check_update(update, user, now)?
        {
            if current.editors == Editors::Together {
                return Ok(CodeReply::Conflict { current, text: None, now });
            }
            self.limit_reads(user, now)?;
            return Ok(CodeReply::Conflict { current, text: Some(current.text.to_owned()), now });
        }
        self.check_other(command.action, user, now)?;
        if let Some(user) = user {
            self.limit(Limited::Code(user), now, CODE_BURST, CODE_INTERVAL)?;
        }
        let snippet = self.apply_code(history, command, by, now)?;
        self.remember(user, command.id, now);
        if by.is_none() {
            return Ok(CodeReply::ClosedByOperator);
        }
        Ok(self.code_done(snippet, now, false))
    }

    /// Checks a change. Returns the snippet if the change starts from another version.
    fn check_update(
        &self,
        update: Update,
        user: Option<User>,
        now: Time,
    ) -> Result<Option<Snippet>, ErrorCode> {
        let user = user.ok_or(ErrorCode::Malformed)?;
        if self.muted_until(user, now).is_some() {
            return Err(ErrorCode::Muted);
        }
        let snippet = self.find_snippet(update.position).ok_or(ErrorCode::NoSuchSnippet)?;
        let is_open = snippet.editors == Editors::Everybody && update.editors.is_none();
        if snippet.author.user != user && !is_open {
            return Err(ErrorCode::NotAllowed);
        }
        let keeps_text = update.text.is_none() && update.editors.is_none();
        if snippet.editors == Editors::Together && !keeps_text {
            return Err(ErrorCode::EditedTogether);
        }
        Ok((snippet.version != update.version).then_some(snippet))
    }

    fn check_other(&self, action: CodeAction, user: Option<User>, now: Time) -> Result<(), ErrorCode> {
        match action {
            CodeAction::Share { .. } => {
                let user = user.ok_or(ErrorCode::Malformed)?;
                if self.muted_until(user, now).is_some() {
                    return Err(ErrorCode::Muted);
                }
                let own = self.snippets.iter().filter(|snippet| snippet.author.user == user).count();
                let is_full = self.snippets.len() >= CODE_LIMIT || own >= CODE_SHARE;
                if is_full { Err(ErrorCode::TooManySnippets) } else { Ok(()) }
            }
            CodeAction::Close(position) => {
                let snippet = self.find_snippet(position).ok_or(ErrorCode::NoSuchSnippet)?;
                let may = user.is_none_or(|user| self.leader() == Some(user) || snippet.author.user == user);
                if may { Ok(()) } else { Err(ErrorCode::NotAllowed) }
            }
            _ => Ok(()),
        }
    }

    fn apply_code(
        &mut self,
        history: &mut History,
        command: &CodeCommand,
        by: Option<Person>,
        now: Time,
    ) -> Result<Option<Snippet>, ErrorCode> {
        let (kind, snippet) = match command.action {
            CodeAction::Share { text, title, editors } => {
                let author = by.ok_or(ErrorCode::Malformed)?;
                self.snippet_count += 1;
                let snippet = Snippet {
                    number: self.epoch + self.snippet_count,
                    id: command.id,
                    title,
                    editors,
                    version: 1,
                    text,
                    bytes: text.len(),
                    author,
                    shared_at: now,
                    updated_by: author,
                    updated_at: now,
                };
                self.snippets.push(snippet);
                self.begin_document(snippet);
                (EventKind::SnippetShared { snippet, now }, Some(snippet))
            }
            CodeAction::Update(Update { position, text, title, editors, .. }) => {
                let number = self.epoch + position;
                let snippet = self.snippets.iter_mut().find(|snippet| snippet.number == number);
                let snippet = snippet.ok_or(ErrorCode::NoSuchSnippet)?;
                let becomes_document = editors == Some(Editors::Together);
                *snippet = Snippet {
                    version: snippet.version + 1,
                    text: text.unwrap_or(snippet.text),
                    bytes: text.map_or(snippet.bytes, str::len),
                    title: title.unwrap_or(snippet.title),
                    editors: editors.unwrap_or(snippet.editors),
                    updated_by: by.ok_or(ErrorCode::Malformed)?,
                    updated_at: now,
                    ..*snippet
                };
                let snippet = *snippet;
                if becomes_document {
                    self.begin_document(snippet);
                }
                (EventKind::SnippetUpdated { snippet, now }, Some(snippet))
            }
            CodeAction::Close(position) => {
                let number = self.epoch + position;
                self.snippets.retain(|snippet| snippet.number != number);
                self.documents.remove(&number);
                (EventKind::SnippetClosed { number, by, now }, None)
            }
            _ => return Err(ErrorCode::Malformed),
        };
        self.publish(history, Recipients::Everybody, kind);
        Ok(snippet)
    }

    fn limit_reads(&mut self, user: Option<User>, now: Time) -> Result<(), ErrorCode> {
        user.map_or(Ok(()), |user| {
            self.limit(Limited::CodeRead(user), now, CODE_READ_BURST, CODE_READ_INTERVAL)
        })
    }

    fn read_code(
        &mut self,
        action: CodeAction,
        user: Option<User>,
        now: Time,
    ) -> Result<CodeReply, ErrorCode> {
        match action {
            CodeAction::Get(position) => {
                let snippet = self.read_snippet(position, user, now)?;
                Ok(CodeReply::Content { snippet, text: self.text_of(snippet), now })
            }
            CodeAction::Open(position) => {
                let snippet = self.read_snippet(position, user, now)?;
                self.open_document(snippet, now)
            }
            _ => Ok(CodeReply::Listed { snippets: self.snippets.clone(), now }),
        }
    }

    fn read_snippet(&mut self, position: u64, user: Option<User>, now: Time) -> Result<Snippet, ErrorCode> {
        self.limit_reads(user, now)?;
        self.find_snippet(position).ok_or(ErrorCode::NoSuchSnippet)
    }

    fn edit(
        &mut self,
        history: &mut History,
        command: &CodeCommand,
        position: u64,
        word: Option<Word>,
        now: Time,
    ) -> Result<CodeReply, ErrorCode> {
        let (user, entry) = command.by.ok_or(ErrorCode::Malformed)?;
        if self.muted_until(user, now).is_some() {
            return Err(ErrorCode::Muted);
        }
        let snippet = self.find_snippet(position).ok_or(ErrorCode::NoSuchSnippet)?;
        let by = self.member(user).ok_or(ErrorCode::NotInRoom)?.person;
        self.edit_document(history, snippet, word, (by, entry), now)
    }

    fn begin_document(&mut self, snippet: Snippet) {
        if snippet.editors == Editors::Together {
            self.documents.insert(snippet.number, Document::new(snippet.text));
        }
    }

    fn find_snippet(&self, position: u64) -> Option<Snippet> {
        self.snippets.iter().find(|snippet| snippet.number == self.epoch + position).copied()
    }

    fn find_repeated(&self, command: &CodeCommand, user: Option<User>) -> Option<Snippet> {
        match command.action {
            CodeAction::Update(Update { position, .. }) | CodeAction::Close(position) => {
                self.find_snippet(position)
            }
            _ => self
                .snippets
                .iter()
                .find(|snippet| snippet.id == command.id && Some(snippet.author.user) == user)
                .copied(),
        }
    }

    fn code_done(&self, snippet: Option<Snippet>, now: Time, is_repeated: bool) -> CodeReply {
        CodeReply::Done { snippet, epoch: self.epoch, seq: self.seq, now, is_repeated }
    }
}
