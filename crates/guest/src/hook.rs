//! The address that is asked about messages before members see them.

use std::{
    pin::pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Limited};
use rollcall_protocol::{
    ErrorCode, Refusal,
    call::Secret,
    chat::{ChatCommand, MessageText},
    hook::{Answer, MAX_ANSWER_BYTES, Question},
    text,
};
use rollcall_rooms::{Error, settings::parse_setting};
use spin_sdk::http::{FullBody, StatusCode};

use crate::{
    address::Address,
    instance::PerInstance,
    log,
    variables::{get, misconfigured},
};

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

/// Asks the platform about a message, if the component's variables name an address. Returns the text that members see.
pub async fn ask(command: &ChatCommand, text: &MessageText) -> Result<MessageText, Error> {
    let hook = PerInstance::get(&HOOK, read).await?;
    let Some(hook) = &*hook else { return Ok(text.clone()) };
    match hook.ask_in_time(&Question::about(command, text)).await {
        Ok(Answer { allow: true, text: changed, .. }) => Ok(changed.unwrap_or_else(|| text.clone())),
        Ok(Answer { reason, .. }) => Err(refuse(reason).into()),
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
            let reason = text::clean_line(&reason).chars().take(MAX_REASON_CHARS).collect::<String>();
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
        limit_ms: parse_setting("chat_hook_timeout_ms", &limit, 1..=3000)
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
    async fn ask_in_time(&self, question: &Question<'_>) -> Result<Answer, String> {
        let clock = pin!(spin_sdk::time::sleep(Duration::from_millis(self.limit_ms)));
        match select(pin!(self.ask(question)), clock).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(format!("no response within {} ms", self.limit_ms)),
        }
    }

    async fn ask(&self, question: &Question<'_>) -> Result<Answer, String> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let request =
            question.sign(self.address.uri().clone(), i64::try_from(now_s).unwrap_or(0), &self.secret);
        let request = request.map_err(|error| error.to_string())?.map(FullBody::new);
        let response =
            spin_sdk::http::send(request).await.map_err(|error| format!("no response: {error:?}"))?;
        let (head, body) = response.into_parts();
        if head.status == StatusCode::NO_CONTENT {
            return Ok(Answer::ALLOWED);
        }
        if head.status != StatusCode::OK {
            return Err(format!("the response has the status {}, not 200 or 204", head.status.as_u16()));
        }
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        let body =
            body.map_err(|_| format!("the response broke off, or is larger than {MAX_ANSWER_BYTES} bytes"))?;
        Answer::read(&body.to_bytes()).map_err(|error| format!("the response is not an answer: {error}"))
    }
}
