//! A session as a row of the study service's own tables.

use rollcall_protocol::{
    UserId,
    command::Feature,
    definition::{EARLIEST_END_MS, LATEST_END_MS, SessionDefinition},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A row with the columns of one session, about one user.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRow {
    columns: Map<String, Value>,
    end_at_ms: Option<f64>,
}

/// A row does not say what a session needs. The text names the column and never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRow {
    /// The columns are not a JSON object.
    #[error("the row is not a JSON object")]
    NoObject,
    /// The row has no such column.
    #[error("the column {0} is missing")]
    Missing(&'static str),
    /// A column has a value that it cannot have.
    #[error("the column {column} must be {expected}")]
    Unusable {
        /// The name of the column.
        column: &'static str,
        /// What the column may hold.
        expected: &'static str,
    },
}

impl SessionRow {
    /// Parses the columns from a JSON object. `end_at_ms` is the time in the column `end_at`, if the row has one, as
    /// the database has translated it.
    pub fn parse(columns: &str, end_at_ms: Option<f64>) -> Result<Self, InvalidRow> {
        let columns = serde_json::from_str(columns).map_err(|_| InvalidRow::NoObject)?;
        Ok(Self { columns, end_at_ms })
    }

    /// Returns the definition for the user whom the row is about, or nothing if no session is planned.
    pub fn definition(&self, user: &UserId) -> Result<Option<SessionDefinition>, InvalidRow> {
        let Some(end_at) = self.end_at()? else { return Ok(None) };
        let is_member: Option<bool> = self.required("is_member", "a boolean")?;
        let capacity: Option<u32> = self.optional("capacity", "an integer from 1 to 4294967295, or null")?;
        if capacity == Some(0) {
            return Err(InvalidRow::Unusable { column: "capacity", expected: "at least 1, or null" });
        }
        Ok(Some(SessionDefinition {
            end_at,
            leader_id: self.leader(user)?,
            // The row says of one user only whether the user is a member.
            members: Some(if is_member.unwrap_or(false) { vec![user.clone()] } else { Vec::new() }),
            duplicates: self
                .optional("duplicates", "'refuse', 'takeover', 'share' or null")?
                .unwrap_or_default(),
            capacity,
            timer_by: self.optional("timer_by", "'leader', 'host', 'anyone' or null")?.unwrap_or_default(),
            features: self.features()?,
        }))
    }

    /// Returns the leader. A table may hold ids as text where tokens hold numbers, and the leader's id has the type that
    /// the ids of tokens have.
    fn leader(&self, user: &UserId) -> Result<Option<UserId>, InvalidRow> {
        let leader: Option<UserId> = self.optional("leader_id", "the id of a user, or null")?;
        Ok(leader.map(|leader| leader.with_type_of(user)))
    }

    /// Returns the features that the session uses: names separated by spaces, as a table would hold them.
    fn features(&self) -> Result<Option<Vec<Feature>>, InvalidRow> {
        const EXPECTED: &str = "names of features separated by spaces, or null";
        let Some(names) = self.optional::<String>("features", EXPECTED)? else { return Ok(None) };
        let unusable = InvalidRow::Unusable { column: "features", expected: EXPECTED };
        Feature::parse_list(&names).map(Some).map_err(|_| unusable)
    }

    /// Returns the end as Rollcall can store it. An end before all that Rollcall stores is over, whatever it is exactly.
    /// An end after all that Rollcall stores, such as `infinity` or the year 9999, stands for no end, and without an end
    /// no session is planned.
    fn end_at(&self) -> Result<Option<u64>, InvalidRow> {
        let Some(end_at_ms) = self.milliseconds()? else { return Ok(None) };
        let (earliest, latest) = (EARLIEST_END_MS as f64, LATEST_END_MS as f64);
        Ok((end_at_ms <= latest).then(|| end_at_ms.max(earliest) as u64))
    }

    fn milliseconds(&self) -> Result<Option<f64>, InvalidRow> {
        if self.columns.contains_key("end_at") {
            return Ok(self.end_at_ms);
        }
        let unusable =
            InvalidRow::Unusable { column: "end_at_ms", expected: "milliseconds since 1970, or null" };
        match self.columns.get("end_at_ms") {
            None => Err(InvalidRow::Missing("end_at")),
            Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => number.as_f64().map(Some).ok_or(unusable),
            // JSON has no infinite numbers.
            Some(Value::String(text)) if text == "Infinity" => Ok(Some(f64::INFINITY)),
            Some(Value::String(text)) if text == "-Infinity" => Ok(Some(f64::NEG_INFINITY)),
            Some(_) => Err(unusable),
        }
    }

    fn required<T: DeserializeOwned>(
        &self,
        column: &'static str,
        expected: &'static str,
    ) -> Result<T, InvalidRow> {
        let value = self.columns.get(column).ok_or(InvalidRow::Missing(column))?;
        T::deserialize(value.clone()).map_err(|_| InvalidRow::Unusable { column, expected })
    }

    fn optional<T: DeserializeOwned>(
        &self,
        column: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, InvalidRow> {
        match self.columns.get(column) {
            None => Ok(None),
            Some(_) => self.required(column, expected),
        }
    }
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::definition::{Duplicates, TimerBy};

    use super::*;

    fn definition(columns: &str, end_at_ms: Option<f64>) -> Result<Option<SessionDefinition>, InvalidRow> {
        SessionRow::parse(columns, end_at_ms).unwrap().definition(&"kim".parse().unwrap())
    }

    fn with_end(end_at_ms: &str) -> Option<u64> {
        let columns = format!(r#"{{"end_at_ms": {end_at_ms}, "leader_id": "lea", "is_member": true}}"#);
        definition(&columns, None).unwrap().map(|definition| definition.end_at)
    }

    #[test]
    fn all_columns_have_an_effect() {
        let columns = r#"{"end_at": "2030-03-17T17:46:40", "leader_id": 8, "is_member": true, "capacity": 30,
                          "duplicates": "share", "timer_by": "anyone", "features": "timer", "other": {}}"#;
        let found = definition(columns, Some(1_900_000_000_000.5)).unwrap().unwrap();
        let members = Some(vec!["kim".parse().unwrap()]);
        assert_eq!(
            found,
            SessionDefinition {
                end_at: 1_900_000_000_000,
                leader_id: Some("8".parse().unwrap()),
                members,
                duplicates: Duplicates::Share,
                capacity: Some(30),
                timer_by: TimerBy::Anyone,
                features: Some(vec![Feature::Timer]),
            }
        );
    }

    #[test]
    fn optional_columns_may_be_absent_or_null() {
        for rest in [
            "",
            r#", "leader_id": null, "capacity": null, "duplicates": null, "timer_by": null, "features": null"#,
        ] {
            let columns = format!(r#"{{"end_at": "x", "is_member": null{rest}}}"#);
            let found = definition(&columns, Some(1.9e12)).unwrap().unwrap();
            assert_eq!((found.members, found.leader_id, found.capacity), (Some(Vec::new()), None, None));
            assert_eq!(found.duplicates, Duplicates::Refuse);
            assert_eq!((found.timer_by, found.features), (TimerBy::Host, None));
        }
    }

    #[test]
    fn ends_outside_of_the_range_are_over_or_stand_for_no_end() {
        assert_eq!(with_end("1900000000000"), Some(1_900_000_000_000));
        for over in ["999999999999", "0", "-63517824000000", "\"-Infinity\""] {
            assert_eq!(with_end(over), Some(EARLIEST_END_MS), "{over}");
        }
        for never in ["null", "99999999999999.5", "253402300799000", "9.2e18", "\"Infinity\""] {
            assert_eq!(with_end(never), None, "{never}");
        }
        assert_eq!(with_end("99999999999999"), Some(LATEST_END_MS));
        assert_eq!(definition(r#"{"end_at": null}"#, None), Ok(None));
        assert_eq!(definition(r#"{"end_at": "infinity"}"#, Some(f64::INFINITY)), Ok(None));
    }

    #[test]
    fn a_column_with_a_value_that_it_cannot_have_is_named() {
        for (column, value) in [
            ("end_at_ms", r#""2030-03-17""#),
            ("end_at_ms", r#""NaN""#),
            ("end_at_ms", "true"),
            ("leader_id", r#""""#),
            ("leader_id", "1.5"),
            ("is_member", r#""yes""#),
            ("is_member", "1"),
            ("timer_by", r#""me""#),
            ("features", r#"["timer"]"#),
            ("features", r#""teleport""#),
            ("capacity", r#""30""#),
            ("capacity", "0"),
            ("capacity", "-1"),
            ("capacity", "1.5"),
            ("capacity", "4294967296"),
            ("duplicates", r#""replace""#),
            ("duplicates", "1"),
        ] {
            let mut columns: Map<String, Value> =
                serde_json::from_str(r#"{"end_at_ms": 1900000000000, "leader_id": 8, "is_member": true}"#)
                    .unwrap();
            columns.insert(column.to_owned(), serde_json::from_str(value).unwrap());
            let error = definition(&Value::Object(columns).to_string(), None).unwrap_err().to_string();
            assert!(error.contains(&format!("the column {column} must be")), "{column} {value}: {error}");
        }
        let error = definition(r#"{"leader_id": "lea", "is_member": true}"#, None).unwrap_err();
        assert_eq!(error, InvalidRow::Missing("end_at"));
        assert_eq!(SessionRow::parse("[]", None), Err(InvalidRow::NoObject));
    }
}
