//! Redis replies and errors in Spin's form.

use redis::{ErrorKind, FromRedisValue, ParsingError, RedisError, ServerErrorKind, Value};

use crate::bindings::redis::{Error, RedisResult};

/// Flattens a reply: the elements of nested arrays follow one another.
#[derive(Debug)]
pub(crate) struct FlatReply(pub(crate) Vec<RedisResult>);

impl FromRedisValue for FlatReply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut flat = Vec::new();
        flatten(value, &mut flat)?;
        Ok(Self(flat))
    }
}

fn flatten(value: Value, flat: &mut Vec<RedisResult>) -> Result<(), ParsingError> {
    let element = match value {
        Value::Array(values) | Value::Set(values) => {
            return values.into_iter().try_for_each(|value| flatten(value, flat));
        }
        Value::Nil => RedisResult::Nil,
        Value::Int(number) => RedisResult::Int64(number),
        Value::Boolean(is_true) => RedisResult::Int64(is_true.into()),
        Value::Double(number) => RedisResult::Binary(number.to_string().into_bytes()),
        Value::BigNumber(digits) => RedisResult::Binary(digits),
        Value::BulkString(bytes) => RedisResult::Binary(bytes),
        Value::SimpleString(text) => RedisResult::Status(text),
        Value::Okay => RedisResult::Status("OK".to_owned()),
        _ => return Err("Redis replied with a type that is not supported".into()),
    };
    flat.push(element);
    Ok(())
}

/// Words an error as Spin does, because components look for `NoScriptError` and for the codes of their scripts.
///
/// Spin uses an older version of the same client, which worded errors differently.
pub(crate) fn error(error: RedisError) -> Error {
    let detail = error.detail();
    match error.kind() {
        ErrorKind::UnexpectedReturnType => Error::TypeError,
        ErrorKind::Server(kind) => Error::Other(match detail {
            Some(detail) => format!("{SIGNALLED} - {}: {detail}", name(kind)),
            None => format!("{SIGNALLED} - {}", name(kind)),
        }),
        ErrorKind::Extension => Error::Other(match (error.code(), detail) {
            (Some(code), Some(detail)) => format!("{code}: {detail}"),
            (Some(code), None) => code.to_owned(),
            _ => error.to_string(),
        }),
        _ => Error::Other(error.to_string()),
    }
}

const SIGNALLED: &str = "An error was signalled by the server";

fn name(kind: ServerErrorKind) -> String {
    match kind {
        ServerErrorKind::NoScript => "NoScriptError".to_owned(),
        ServerErrorKind::BusyLoading => "BusyLoadingError".to_owned(),
        ServerErrorKind::ExecAbort => "ExecAbortError".to_owned(),
        _ => format!("{kind:?}"),
    }
}
