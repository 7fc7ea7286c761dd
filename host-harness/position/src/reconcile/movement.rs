//! I5: the snapshot before, and what the records say was given and taken since, against this one.

use super::line::{ORGANIZATION, not_assessed};
use crate::model::{
    DifferenceReason, Family, License, Line, LineId, LineStatus, Movement, PoolDifference,
    PoolMovement, SeatChange,
};
use crate::number::{counted, grouped};
use crate::time::shown;

/// One line for each family whose licences people hold.
pub(super) fn lines(
    movement: Option<&Movement>,
    families: &[&Family],
    licenses: &[License],
) -> Vec<Line> {
    let Some(movement) = movement else {
        let message = "there is no snapshot before this one to compare with".to_owned();
        return vec![not_assessed(LineId::I5, ORGANIZATION, message)];
    };
    families.iter().map(|family| line(movement, family, licenses)).collect()
}

fn line(movement: &Movement, family: &Family, licenses: &[License]) -> Line {
    let concerns = |of: &str| of.is_empty() || of == family.as_str();
    if let Some((_, reason)) = movement.not_compared.iter().find(|(of, _)| concerns(of)) {
        let message = format!("snapshot {} cannot be compared: {reason}", movement.from);
        return not_assessed(LineId::I5, family.as_str(), message);
    }
    let known: Vec<(&PoolMovement, i64, i64)> = movement
        .pools
        .iter()
        .filter(|pool| pool.family == family.as_str())
        .filter_map(|pool| Some((pool, pool.before?, pool.after?)))
        .collect();
    if known.is_empty() {
        return not_assessed(
            LineId::I5,
            family.as_str(),
            "the vendor reports no number of seats".to_owned(),
        );
    }
    let mut moved = SeatChange::default();
    let (mut before, mut expected, mut reported) = (0, 0, 0);
    let mut with_inactive = false;
    let mut differences = Vec::new();
    for (pool, was, now) in known {
        let seats = &pool.seats;
        // Some counters leave out the seats of inactive accounts, some do not.
        let by_seats = now - was != seats.net_active && now - was == seats.net_held;
        let explained = was + if by_seats { seats.net_held } else { seats.net_active };
        with_inactive |= by_seats;
        before += was;
        expected += explained;
        reported += now;
        add(&mut moved, seats);
        if explained != now {
            let license = licenses.iter().find(|l| l.family == *family && l.key == pool.key);
            differences.push(PoolDifference {
                key: pool.key.clone(),
                name: pool.name.clone(),
                left: explained,
                right: now,
                difference: explained - now,
                reason: match license.and_then(|license| license.counted_at) {
                    Some(_) => DifferenceReason::StaleCount,
                    None => DifferenceReason::Unexplained,
                },
            });
        }
    }
    let mut message = format!(
        "{} in snapshot {} of {}; since then {}: {} expected, {} reported",
        counted(before, "seat assigned", "seats assigned"),
        movement.from,
        shown(movement.from_as_of),
        in_words(&moved),
        grouped(expected),
        grouped(reported)
    );
    if with_inactive {
        message.push_str("; the vendor counts seats of inactive accounts too");
    }
    for pool in differences.iter().take(3) {
        let counted_at = licenses.iter().find(|l| l.family == *family && l.key == pool.key);
        let reason = match counted_at.and_then(|license| license.counted_at) {
            Some(at) => format!("the vendor counted at {}", shown(at)),
            None => "not explained".to_owned(),
        };
        message.push_str(&format!(
            "; `{}`: {} expected, {} reported ({reason})",
            pool.key,
            grouped(pool.left),
            grouped(pool.right)
        ));
    }
    if differences.len() > 3 {
        let more = counted(differences.len() as i64 - 3, "more pool", "more pools");
        message.push_str(&format!("; {more}"));
    }
    Line {
        id: LineId::I5,
        status: if differences.is_empty() { LineStatus::Ok } else { LineStatus::Difference },
        subject: family.to_string(),
        left: Some(expected),
        right: Some(reported),
        difference: Some(expected - reported),
        message,
        pools: differences,
    }
}

fn add(sum: &mut SeatChange, seats: &SeatChange) {
    sum.given_to_new += seats.given_to_new;
    sum.given += seats.given;
    sum.activated += seats.activated;
    sum.taken += seats.taken;
    sum.deactivated += seats.deactivated;
    sum.removed_with_account += seats.removed_with_account;
}

fn in_words(moved: &SeatChange) -> String {
    let causes = [
        (moved.given_to_new, "given to new accounts"),
        (moved.given, "given"),
        (moved.activated, "back with accounts made active"),
        (moved.taken, "taken"),
        (moved.deactivated, "gone with accounts made inactive"),
        (moved.removed_with_account, "gone with their accounts"),
    ];
    let parts: Vec<String> = causes
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{} {words}", grouped(number)))
        .collect();
    if parts.is_empty() { "no seat moved".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::from_ms;

    fn pool(key: &str, before: i64, after: i64, seats: SeatChange) -> PoolMovement {
        PoolMovement {
            family: "user".into(),
            key: key.into(),
            name: key.into(),
            before: Some(before),
            after: Some(after),
            seats,
        }
    }

    fn assessed(pools: Vec<PoolMovement>) -> Line {
        let movement =
            Movement { from: 3, from_as_of: from_ms(0), pools, not_compared: Vec::new() };
        lines(Some(&movement), &[&Family::User], &[]).remove(0)
    }

    #[test]
    fn what_was_given_and_taken_explains_how_the_count_moved() {
        let seats =
            SeatChange { given_to_new: 4, taken: 1, net_active: 3, ..SeatChange::default() };
        let line = assessed(vec![pool("A", 10, 13, seats.clone())]);
        assert_eq!((line.status, line.left, line.right), (LineStatus::Ok, Some(13), Some(13)));
        assert!(line.message.contains("4 given to new accounts, 1 taken"), "{}", line.message);
        // One seat that no record explains.
        let line = assessed(vec![pool("A", 10, 14, seats), pool("B", 5, 5, SeatChange::default())]);
        assert_eq!((line.status, line.difference), (LineStatus::Difference, Some(-1)));
        assert_eq!((line.pools.len(), line.pools[0].reason), (1, DifferenceReason::Unexplained));
    }

    #[test]
    fn a_counter_may_count_the_seats_of_inactive_accounts_too() {
        let left = SeatChange { deactivated: 2, net_active: -2, ..SeatChange::default() };
        let line = assessed(vec![pool("A", 10, 10, left.clone())]);
        assert_eq!(line.status, LineStatus::Ok);
        assert!(line.message.contains("inactive accounts too"), "{}", line.message);
        assert_eq!(assessed(vec![pool("A", 10, 9, left)]).status, LineStatus::Difference);
    }

    #[test]
    fn without_a_snapshot_before_or_with_one_that_was_not_read_it_is_not_assessed() {
        let line = lines(None, &[&Family::User], &[]).remove(0);
        assert_eq!((line.status, line.subject.as_str()), (LineStatus::NotAssessed, "organization"));
        let unread = ("user".to_owned(), "`member` was denied in snapshot 3".to_owned());
        let movement = Movement {
            from: 3,
            from_as_of: from_ms(0),
            pools: vec![pool("A", 1, 1, SeatChange::default())],
            not_compared: vec![unread],
        };
        let line = lines(Some(&movement), &[&Family::User], &[]).remove(0);
        assert_eq!(line.status, LineStatus::NotAssessed);
        assert!(line.message.contains("denied in snapshot 3"), "{}", line.message);
    }
}
