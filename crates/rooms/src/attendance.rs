//! Sums up the attendance of a room.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use rollcall_protocol::{
    UserId,
    attendance::{Attendance, Attendee, Stay},
    status::Status,
};
use serde::Deserialize;

/// One user with at least one stay, from the attendance script.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttendeeRecord {
    /// The user, with the latest type of the id.
    pub user_id: UserId,
    /// The user's latest name.
    pub user_name: String,
    /// The stays, oldest first.
    pub stays: Vec<Stay>,
}

/// Leaves one record of each user. Of several, the first counts.
pub fn unify(mut records: Vec<AttendeeRecord>) -> Vec<AttendeeRecord> {
    let mut users = HashSet::new();
    records.retain(|record| users.insert(record.user_id.as_str().to_owned()));
    records
}

/// Puts the records of two shards together. The later ones have the latest names.
pub fn merge(earlier: Vec<AttendeeRecord>, later: Vec<AttendeeRecord>) -> Vec<AttendeeRecord> {
    let mut records: HashMap<String, AttendeeRecord> = HashMap::new();
    for record in earlier.into_iter().chain(later) {
        match records.entry(record.user_id.as_str().to_owned()) {
            Entry::Vacant(entry) => drop(entry.insert(record)),
            Entry::Occupied(mut entry) => {
                let mut stays = std::mem::take(&mut entry.get_mut().stays);
                stays.extend(record.stays);
                entry.insert(AttendeeRecord { stays, ..record });
            }
        }
    }
    records.into_values().collect()
}

/// Sums up the stays of each user. Orders the users by their first stays. The times of the excluded statuses do not count
/// as study.
pub fn summarize(mut records: Vec<AttendeeRecord>, excluded: &[Status]) -> Attendance {
    let entered_at = |record: &AttendeeRecord| record.stays.first().map(|stay| stay.entered_at);
    records.sort_by(|a, b| {
        entered_at(a).cmp(&entered_at(b)).then_with(|| a.user_id.as_str().cmp(b.user_id.as_str()))
    });
    Attendance { attendees: records.into_iter().map(|record| sum_up(record, excluded)).collect() }
}

fn sum_up(AttendeeRecord { user_id, user_name, stays }: AttendeeRecord, excluded: &[Status]) -> Attendee {
    Attendee {
        user_id,
        user_name,
        present_ms: stays.iter().map(|stay| stay.present_ms).sum(),
        study_ms: stays.iter().map(|stay| study_ms(stay, excluded)).sum(),
        drops: stays.iter().map(|stay| stay.drops).sum(),
        stays,
    }
}

fn study_ms(stay: &Stay, excluded: &[Status]) -> u64 {
    let idle: u64 = excluded.iter().filter_map(|status| stay.status_ms.get(status)).sum();
    stay.present_ms.saturating_sub(idle)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rollcall_protocol::attendance::Ending;

    use super::*;

    fn stay(entered_at: u64, present_ms: u64) -> Stay {
        let left_at = entered_at + present_ms;
        let status_ms = BTreeMap::new();
        Stay { epoch: 1, entered_at, left_at, present_ms, drops: 1, status_ms, ending: Some(Ending::Left) }
    }

    fn record(user: &str, stays: Vec<Stay>) -> AttendeeRecord {
        AttendeeRecord { user_id: user.parse().unwrap(), user_name: user.to_uppercase(), stays }
    }

    #[test]
    fn the_stays_of_each_user_are_summed_up() {
        let records = vec![
            record("zoe", vec![stay(5, 1)]),
            record("ben", vec![stay(5, 10), stay(30, 7)]),
            record("kim", vec![stay(1, 2)]),
        ];
        let attendance = summarize(records, &[]);
        let [kim, ben, zoe] = attendance.attendees.as_slice() else { panic!("{attendance:?}") };
        assert_eq!((kim.user_id.as_str(), kim.stays.len()), ("kim", 1));
        assert_eq!((ben.user_name.as_str(), ben.present_ms, ben.drops, ben.stays.len()), ("BEN", 17, 2, 2));
        assert_eq!(zoe.user_id.as_str(), "zoe", "by id where both entered at the same time");
    }

    #[test]
    fn the_times_of_excluded_statuses_do_not_count_as_study() {
        let status_ms = BTreeMap::from([(Status::Focusing, 3), (Status::Break, 2), (Status::Away, 4)]);
        let stays = vec![Stay { status_ms, ..stay(5, 10) }, stay(30, 7)];
        for (excluded, expected) in [
            (&[] as &[Status], 17),
            (&[Status::Break], 15),
            (&[Status::Break, Status::Away], 11),
            (Status::ALL, 8),
        ] {
            let attendance = summarize(vec![record("ben", stays.clone())], excluded);
            let ben = &attendance.attendees[0];
            assert_eq!((ben.study_ms, ben.present_ms), (expected, 17), "{excluded:?}");
        }
    }

    #[test]
    fn of_several_records_of_a_shard_the_first_counts() {
        let records = unify(vec![record("zoe", vec![stay(5, 1)]), record("zoe", vec![stay(5, 2)])]);
        assert_eq!(records, [record("zoe", vec![stay(5, 1)])]);
    }

    #[test]
    fn the_stays_in_two_shards_follow_each_other() {
        let renamed = AttendeeRecord { user_name: "Zo".to_owned(), ..record("zoe", vec![stay(9, 3)]) };
        let records =
            merge(vec![record("zoe", vec![stay(5, 1)])], vec![renamed.clone(), record("kim", vec![])]);
        let zoe = records.iter().find(|record| record.user_id == renamed.user_id).unwrap();
        assert_eq!((zoe.user_name.as_str(), zoe.stays.len(), zoe.stays[0].entered_at), ("Zo", 2, 5));
        assert_eq!(records.len(), 2);
    }
}
