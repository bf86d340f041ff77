//! The rules of the chat.

use rollcall_protocol::{ErrorCode, command::Feature};

use crate::{
    event::{EventKind, Person, Recipients},
    history::History,
    ids::{CHAT_BURST, CHAT_INTERVAL, CHAT_LIMIT, EntryId, LATEST, PublicId, RoomNo, Time, User},
    live::{CommandId, Limited, Live},
};

/// A command to the chat of a room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChatCommand {
    pub room: RoomNo,
    /// The member who sends it, and the connection; none for an operator.
    pub by: Option<(User, EntryId)>,
    pub id: CommandId,
    pub action: ChatAction,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ChatAction {
    Send(&'static str),
    /// Deletes the message with this number, counted from the start of the session.
    Delete(u64),
    Mute(User, Option<Time>),
    Unmute(User),
    Slow(Time),
    /// Reads what is next to such a number, or the latest.
    Read(Page),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Page {
    After(u64, usize),
    Before(Option<u64>, usize),
}

/// What is in a chat, in the order of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Item {
    Message(Message),
    Deletion { number: u64, deletes: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Message {
    pub number: u64,
    pub id: CommandId,
    pub author: Person,
    pub text: &'static str,
    pub sent_at: Time,
}

/// The reply to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatReply {
    Done {
        message: Option<Message>,
        epoch: u64,
        seq: u64,
        now: Time,
        is_repeated: bool,
    },
    Read {
        items: Vec<Item>,
        more: bool,
        slow: Option<Time>,
        muted_until: Option<Time>,
        mutes: Vec<(PublicId, Time)>,
        now: Time,
    },
}

impl Item {
    pub fn number(&self) -> u64 {
        match self {
            Self::Message(message) => message.number,
            Self::Deletion { number, .. } => *number,
        }
    }

    fn as_message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            Self::Deletion { .. } => None,
        }
    }
}

impl Live {
    pub fn command_chat(
        &mut self,
        history: &mut History,
        command: &ChatCommand,
        now: Time,
    ) -> Result<ChatReply, ErrorCode> {
        let by = self.sender(command.by)?;
        if let (ChatAction::Read(page), by) = (command.action, by) {
            if by.is_some() && !self.terms.features.contains(&Feature::Chat) {
                return Err(ErrorCode::FeatureOff);
            }
            return Ok(self.read_chat(page, by, now));
        }
        if !self.terms.features.contains(&Feature::Chat) {
            return Err(ErrorCode::FeatureOff);
        }
        let user = by.map(|by| by.user);
        if self.has_applied(user, command.id) {
            let latest = self.chat.iter().rev().take(LATEST).filter_map(Item::as_message);
            let sent = latest.filter(|message| message.id == command.id && Some(message.author.user) == user);
            return Ok(self.chat_done(sent.copied().next(), now, true));
        }
        let is_moderator = user.is_none_or(|user| self.leader() == Some(user));
        let is_for_all = matches!(command.action, ChatAction::Send(_) | ChatAction::Delete(_));
        let is_own_mute = matches!(command.action, ChatAction::Unmute(muted) if Some(muted) == user);
        if is_own_mute || (!is_for_all && !is_moderator) {
            return Err(ErrorCode::NotAllowed);
        }
        if let (Some(user), false) = (user, matches!(command.action, ChatAction::Send(_))) {
            self.limit(Limited::Chat(user), now, CHAT_BURST, CHAT_INTERVAL)?;
        }
        let message = self.apply_chat(history, command, by, now)?;
        self.remember(user, command.id, now);
        Ok(self.chat_done(message, now, false))
    }

    /// The member of a current connection; none for an operator.
    pub fn sender(&self, by: Option<(User, EntryId)>) -> Result<Option<Person>, ErrorCode> {
        let Some((user, entry)) = by else { return Ok(None) };
        let member = self.member(user).filter(|member| member.find_entry(entry).is_some());
        member.map(|member| Some(member.person)).ok_or(ErrorCode::NotInRoom)
    }

    fn apply_chat(
        &mut self,
        history: &mut History,
        command: &ChatCommand,
        by: Option<Person>,
        now: Time,
    ) -> Result<Option<Message>, ErrorCode> {
        let is_moderator = by.is_none_or(|by| self.leader() == Some(by.user));
        let kind = match command.action {
            ChatAction::Send(text) => {
                let author = by.ok_or(ErrorCode::Malformed)?;
                if self.muted_until(author.user, now).is_some() {
                    return Err(ErrorCode::Muted);
                }
                self.limit_messages(author.user, self.slow.filter(|_| !is_moderator), now)?;
                let number = self.next_number();
                let message = Message { number, id: command.id, author, text, sent_at: now };
                self.add_to_chat(Item::Message(message));
                self.publish(history, Recipients::Everybody, EventKind::Message { message, now });
                return Ok(Some(message));
            }
            ChatAction::Delete(position) => {
                let number = self.epoch + position;
                let index = self.chat.iter().position(|item| item.number() == number);
                let index = index.ok_or(ErrorCode::NoSuchMessage)?;
                let message = *self.chat[index].as_message().ok_or(ErrorCode::NoSuchMessage)?;
                if !is_moderator && by.map(|by| by.user) != Some(message.author.user) {
                    return Err(ErrorCode::NotAllowed);
                }
                self.chat.remove(index);
                let (number, deletes) = (self.next_number(), message.number);
                self.add_to_chat(Item::Deletion { number, deletes });
                EventKind::MessageDeleted { number, deletes, by, now }
            }
            ChatAction::Mute(user, time) => {
                self.muted.retain(|_, until| until.is_none_or(|until| until > now));
                self.muted.insert(user, time.map(|time| now + time));
                let until = self.muted_until(user, now);
                EventKind::Muted { user: self.public_id(user), until, by, now }
            }
            ChatAction::Unmute(user) => {
                let is_muted = self.muted_until(user, now).is_some();
                self.muted.remove(user);
                if !is_muted {
                    return Ok(None);
                }
                EventKind::Unmuted { user: self.public_id(user), by, now }
            }
            ChatAction::Slow(interval) => {
                let interval = Some(interval).filter(|&interval| interval > 0);
                if self.slow == interval {
                    return Ok(None);
                }
                self.slow = interval;
                EventKind::Slowed { interval: interval.unwrap_or_default(), by, now }
            }
            ChatAction::Read(_) => return Err(ErrorCode::Malformed),
        };
        self.publish(history, Recipients::Everybody, kind);
        Ok(None)
    }

    /// Counts a message against all limits, or against none if one refuses.
    fn limit_messages(&mut self, user: User, slow: Option<Time>, now: Time) -> Result<(), ErrorCode> {
        if self.is_rate_limited(Limited::Chat(user), now, CHAT_BURST, CHAT_INTERVAL) {
            return Err(ErrorCode::RateLimited);
        }
        if let Some(interval) = slow {
            self.limit_slowly(user, now, interval).map_err(|_| ErrorCode::SlowMode)?;
        }
        self.count_against(Limited::Chat(user), now, CHAT_INTERVAL);
        Ok(())
    }

    fn next_number(&mut self) -> u64 {
        self.chat_count += 1;
        self.epoch + self.chat_count
    }

    fn add_to_chat(&mut self, item: Item) {
        self.chat.push(item);
        if self.chat.len() > CHAT_LIMIT {
            self.chat.remove(0);
        }
    }

    pub fn muted_until(&self, user: User, now: Time) -> Option<Time> {
        let end_at = self.terms.end_at;
        let until = self.muted.get(user).map(|until| until.map_or(Time::MAX, |until| until))?;
        (until > now).then_some(until.min(end_at))
    }

    fn read_chat(&self, page: Page, by: Option<Person>, now: Time) -> ChatReply {
        let number = |position| self.epoch + position;
        let (mut items, more) = match page {
            Page::After(position, limit) => {
                let later = self.chat.iter().filter(|item| item.number() > number(position));
                (later.clone().take(limit).copied().collect::<Vec<_>>(), later.count() > limit)
            }
            Page::Before(position, limit) => {
                let is_before =
                    |item: &&Item| position.is_none_or(|position| item.number() < number(position));
                let earlier = self.chat.iter().rev().filter(is_before);
                (earlier.clone().take(limit).copied().collect(), earlier.count() > limit)
            }
        };
        items.sort_by_key(Item::number);
        let muted_until = by.and_then(|by| self.muted_until(by.user, now));
        ChatReply::Read { items, more, slow: self.slow, muted_until, mutes: self.list_mutes(now), now }
    }

    /// The longest first.
    fn list_mutes(&self, now: Time) -> Vec<(PublicId, Time)> {
        let mut muted: Vec<(Time, User)> =
            self.muted.iter().map(|(user, until)| (until.unwrap_or(Time::MAX), *user)).collect();
        muted.sort();
        let lasting = muted.into_iter().rev().filter(|(until, _)| *until > now);
        lasting.map(|(until, user)| (self.public_id(user), until.min(self.terms.end_at))).collect()
    }

    fn chat_done(&self, message: Option<Message>, now: Time, is_repeated: bool) -> ChatReply {
        ChatReply::Done { message, epoch: self.epoch, seq: self.seq, now, is_repeated }
    }
}
