//! The address that is asked about messages before members see them.

use std::time::{SystemTime, UNIX_EPOCH};

use hyperium::StatusCode;
use rollcall_protocol::{
    ErrorCode, Refusal,
    call::Secret,
    chat::{ChatCommand, MessageText},
    hook::{Answer, MAX_ANSWER_BYTES, Question},
};
use rollcall_rooms::{Error, settings::parse_setting};

use crate::{
    address::{self, Address},
    instance::PerInstance,
    log,
    variables::{get, misconfigured},
};

/// A bridge waits for 2500 ms by default, in which the app also calls Redis.
const MAX_LIMIT_MS: u64 = 1500;

/// The most characters of a reason that the author gets.
const MAX_REASON_CHARS: usize = 200;

thread_local! {
    static HOOK: PerInstance<Option<Hook>> = const { PerInstance::new() };
}

struct Hook {
    address: Address,
    secret: Secret,
    limit_ms: u64,
    /// Whether members see a message about which the platform says nothing.
    allows_without_answer: bool,
}

/// Whether the component's variables name an address.
pub async fn is_configured() -> Result<bool, Error> {
    Ok(PerInstance::get(&HOOK, read).await?.is_some())
}

/// Asks the platform about a message. Returns the text that members see.
pub async fn ask(command: &ChatCommand, text: &MessageText) -> Result<MessageText, Error> {
    let hook = PerInstance::get(&HOOK, read).await?;
    let Some(hook) = &*hook else { return Ok(text.clone()) };
    match hook.ask(&Question::about(command, text)).await {
        Ok(Answer::Allow(changed)) => Ok(changed.unwrap_or_else(|| text.clone())),
        Ok(Answer::Refuse(reason)) => Err(refuse(reason).into()),
        Err(problem) if hook.allows_without_answer => {
            log::error(format_args!("chat_hook_address: {problem}; the message is allowed"));
            Ok(text.clone())
        }
        Err(problem) => Err(Error::Unavailable(format!("chat_hook_address: {problem}"))),
    }
}

/// Checks the variables.
pub async fn check() -> Result<(), Error> {
    PerInstance::get(&HOOK, read).await.map(drop)
}

fn refuse(reason: Option<String>) -> Refusal {
    match reason {
        None => ErrorCode::MessageRefused.into(),
        Some(reason) => {
            let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
            Refusal::because(ErrorCode::MessageRefused, reason)
        }
    }
}

async fn read() -> Result<Option<Hook>, Error> {
    let path = get("chat_hook_path").await?;
    if path.is_empty() {
        return Ok(None);
    }
    let (scheme, host) = (get("chat_hook_scheme").await?, get("chat_hook_address").await?);
    let limit = get("chat_hook_timeout_ms").await?;
    let secret = get("chat_hook_secret").await?.parse();
    Ok(Some(Hook {
        address: Address::parse("chat_hook", &scheme, &host, &path).map_err(|error| misconfigured(&error))?,
        secret: secret
            .map_err(|error| misconfigured(&format_args!("the variable chat_hook_secret: {error}")))?,
        limit_ms: parse_setting("chat_hook_timeout_ms", &limit, 1..=MAX_LIMIT_MS)
            .map_err(|error| misconfigured(&error))?,
        allows_without_answer: match get("chat_hook_fallback").await?.as_str() {
            "allow" => true,
            "refuse" => false,
            _ => return Err(misconfigured(&"the variable chat_hook_fallback must be refuse or allow")),
        },
    }))
}

impl Hook {
    /// Returns the answer, or why there is none, for the log.
    async fn ask(&self, question: &Question<'_>) -> Result<Answer, String> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now_s = i64::try_from(now_s).unwrap_or_default();
        let request = question.sign(self.address.uri().clone(), now_s, &self.secret);
        let request = request.map_err(|error| error.to_string())?;
        let (head, body) = address::fetch(request, self.limit_ms, MAX_ANSWER_BYTES).await?;
        match head.status {
            StatusCode::NO_CONTENT => Ok(Answer::Allow(None)),
            StatusCode::OK => Answer::read(&body).map_err(|error| error.to_string()),
            status => Err(format!("the response has the status {}, not 200 or 204", status.as_u16())),
        }
    }
}
