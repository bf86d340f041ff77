//! When sessions begin and end, how large they are, and what their members do: the assumptions of the simulation.

use fastrand::Rng;

use super::calendar::Second;

/// The number of a room.
pub type RoomNo = u32;

const MINUTE: Second = 60;

/// When the first sessions begin.
const FIRST_START: Second = 5 * MINUTE;

/// How long before the start the first members come.
const EARLY: Second = 2 * MINUTE;

/// Before, nothing happens but heartbeats and sweeps.
pub const FIRST_ARRIVAL: Second = FIRST_START - EARLY;

/// The mean time between the beginning of the arrivals and an arrival is twice this time: most come around the start.
const MEAN_STEP: f64 = 60.0;

/// The mean time between two losses of a connection.
const MEAN_CONNECTION: f64 = 4.0 * 3600.0;

/// The mean time for which the connection is lost. Some come back after the grace period.
const MEAN_ABSENCE: f64 = 8.0;

/// How often a bridge reports that it is alive: a third of the lease, as by default.
pub const HEARTBEAT_INTERVAL: Second = 5;

/// In which time after the end of a session the study service reads the attendance.
pub const READING: Second = 5 * MINUTE;

/// How long each session lasts.
const SESSION_LENGTH: Second = 50 * MINUTE;

/// A session, in the seconds of the simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// How many members come.
    pub size: u32,
    /// When it begins.
    pub starts_at: Second,
    /// When it ends.
    pub ends_at: Second,
}

/// Plans sessions for this many members. All of them are live before the first one ends.
pub fn plan_sessions(members: u32, rng: &mut Rng) -> Vec<Session> {
    let mut sessions = Vec::new();
    let mut left = members;
    while left > 0 {
        let size = pick_size(rng).min(left);
        left -= size;
        let starts_at = FIRST_START + pick_delay(rng);
        sessions.push(Session { size, starts_at, ends_at: starts_at + SESSION_LENGTH });
    }
    sessions
}

/// When a bridge is killed: while all sessions are live.
pub const KILLED_AT: Second = FIRST_START + 46 * MINUTE;

/// When most members are there: before the first end, and after those of the killed bridge have come back.
pub const FULLEST_AT: Second = FIRST_START + 49 * MINUTE;

/// Half of the sessions begin at once, and the others at the next two quarters of the hour.
fn pick_delay(rng: &mut Rng) -> Second {
    match rng.u8(..4) {
        0..2 => 0,
        2 => 15 * MINUTE,
        _ => 30 * MINUTE,
    }
}

/// Tutoring, small groups, groups, classes, lectures: eight members on average.
fn pick_size(rng: &mut Rng) -> u32 {
    match rng.u32(..10_000) {
        0..2500 => 2,
        2500..6000 => rng.u32(3..=6),
        6000..9000 => rng.u32(8..=15),
        9000..9995 => rng.u32(20..=30),
        _ => 500,
    }
}

/// When a member comes. One in ten is late, by up to half of the session.
pub fn pick_arrival(session: &Session, rng: &mut Rng) -> Second {
    if rng.u8(..10) == 0 {
        return rng.u32(session.starts_at..(session.starts_at + session.ends_at) / 2);
    }
    let offset = pick_exponential(MEAN_STEP, rng) + pick_exponential(MEAN_STEP, rng);
    (session.starts_at - EARLY + offset).min(session.ends_at - MINUTE)
}

/// When a member leaves before the end; two in ten do.
pub fn pick_departure(session: &Session, arrived_at: Second, rng: &mut Rng) -> Option<Second> {
    (rng.u8(..10) < 2 && arrived_at + 1 < session.ends_at).then(|| rng.u32(arrived_at + 1..session.ends_at))
}

/// When the study service reads the attendance.
pub fn pick_reading(session: &Session, rng: &mut Rng) -> Second {
    session.ends_at + rng.u32(1..READING)
}

/// After how many seconds a connection is lost.
pub fn pick_connection_length(rng: &mut Rng) -> Second {
    1 + pick_exponential(MEAN_CONNECTION, rng)
}

/// After how many seconds a member with a lost connection comes back; one in ten does not.
pub fn pick_absence(rng: &mut Rng) -> Option<Second> {
    (rng.u8(..10) < 9).then(|| 1 + pick_exponential(MEAN_ABSENCE, rng))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds within some days")]
fn pick_exponential(mean: f64, rng: &mut Rng) -> Second {
    // Never the logarithm of zero.
    (-mean * (1.0 - rng.f64()).ln()) as Second
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: u32 = 50_000;

    fn rng() -> Rng {
        Rng::with_seed(7)
    }

    #[test]
    fn the_sessions_have_all_members_and_about_eight_each() {
        let sessions = plan_sessions(MEMBERS, &mut rng());
        assert_eq!(sessions.iter().map(|session| session.size).sum::<u32>(), MEMBERS);
        let mean = MEMBERS / u32::try_from(sessions.len()).unwrap();
        assert!((7..=9).contains(&mean), "{mean}");
    }

    #[test]
    fn all_sessions_are_live_at_once() {
        for session in plan_sessions(MEMBERS, &mut rng()) {
            assert!(session.starts_at < KILLED_AT && FULLEST_AT < session.ends_at, "{session:?}");
        }
    }

    #[test]
    fn members_come_around_the_start_and_leave_before_the_end() {
        let mut rng = rng();
        let session = Session { size: 2, starts_at: 1000, ends_at: 4000 };
        let arrivals: Vec<_> = (0..1000).map(|_| pick_arrival(&session, &mut rng)).collect();
        assert!(arrivals.iter().all(|at| (880..4000).contains(at)));
        let near = arrivals.iter().filter(|at| **at < 1300).count();
        assert!((850..950).contains(&near), "{near}");
        let departures: Vec<_> =
            arrivals.iter().filter_map(|&at| Some((at, pick_departure(&session, at, &mut rng)?))).collect();
        assert!(departures.iter().all(|(arrived, left)| arrived < left && *left < 4000));
        assert!((150..250).contains(&departures.len()), "{}", departures.len());
    }

    #[test]
    fn connections_last_four_hours_on_average_and_most_members_come_back_within_the_grace_period() {
        let mut rng = rng();
        let lengths: u32 = (0..1000).map(|_| pick_connection_length(&mut rng)).sum();
        assert!((13_000..16_000).contains(&(lengths / 1000)), "{lengths}");
        let absences: Vec<_> = (0..1000).filter_map(|_| pick_absence(&mut rng)).collect();
        assert!((850..950).contains(&absences.len()), "{}", absences.len());
        let late = absences.iter().filter(|seconds| **seconds > 30).count();
        assert!((1..100).contains(&late), "{late}");
    }
}
