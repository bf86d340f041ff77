//! Translates parameters and values between components and PostgreSQL.

use tokio_postgres::{
    Row,
    types::{FromSql, ToSql, Type},
};

use crate::bindings::postgres::{DbDataType, DbValue, Error, ParameterValue};

/// A parameter and its type. The type is declared to the server, because only a named prepared statement would tell
/// which type the server infers.
pub(super) type Parameter = (Box<dyn ToSql + Sync + Send>, Type);

pub(super) fn parameter(value: ParameterValue) -> Result<Parameter, Error> {
    Ok(match value {
        ParameterValue::Boolean(value) => (Box::new(value), Type::BOOL),
        ParameterValue::Int8(value) => (Box::new(i16::from(value)), Type::INT2),
        ParameterValue::Int16(value) => (Box::new(value), Type::INT2),
        ParameterValue::Int32(value) => (Box::new(value), Type::INT4),
        ParameterValue::Int64(value) => (Box::new(value), Type::INT8),
        ParameterValue::Floating32(value) => (Box::new(value), Type::FLOAT4),
        ParameterValue::Floating64(value) => (Box::new(value), Type::FLOAT8),
        ParameterValue::Str(value) => (Box::new(value), Type::TEXT),
        ParameterValue::Binary(value) => (Box::new(value), Type::BYTEA),
        ParameterValue::DbNull => (Box::new(Option::<String>::None), Type::TEXT),
        _ => return Err(Error::BadParameter("this host knows no parameters of that type".to_owned())),
    })
}

pub(super) fn data_type(column: &Type) -> DbDataType {
    match *column {
        Type::BOOL => DbDataType::Boolean,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::FLOAT4 => DbDataType::Floating32,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => DbDataType::Str,
        Type::BYTEA => DbDataType::Binary,
        ref other => DbDataType::Other(other.name().to_owned()),
    }
}

pub(super) fn values(row: &Row) -> Result<Vec<DbValue>, Error> {
    (0..row.len()).map(|index| value(row, index)).collect()
}

fn value(row: &Row, index: usize) -> Result<DbValue, Error> {
    fn get<'a, T: FromSql<'a>>(
        row: &'a Row,
        index: usize,
        wrap: impl Fn(T) -> DbValue,
    ) -> Result<DbValue, Error> {
        let value = row.try_get::<_, Option<T>>(index);
        let value = value.map_err(|error| Error::ValueConversionFailed(error.to_string()))?;
        Ok(value.map_or(DbValue::DbNull, wrap))
    }

    match row.columns()[index].type_() {
        &Type::BOOL => get(row, index, DbValue::Boolean),
        &Type::INT2 => get(row, index, DbValue::Int16),
        &Type::INT4 => get(row, index, DbValue::Int32),
        &Type::INT8 => get(row, index, DbValue::Int64),
        &Type::FLOAT4 => get(row, index, DbValue::Floating32),
        &Type::FLOAT8 => get(row, index, DbValue::Floating64),
        &Type::TEXT | &Type::VARCHAR | &Type::BPCHAR | &Type::NAME => get(row, index, DbValue::Str),
        &Type::BYTEA => get(row, index, DbValue::Binary),
        _ => get(row, index, |Raw(bytes)| DbValue::Unsupported(bytes)),
    }
}

/// A value in the server's format.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
