//! What the platform refuses although its grammar allows it.

use crate::error::ApiError;
use crate::soql::ast::{Condition, Literal, Query, SelectItem, Set};

/// Characters of one string in WHERE.
const LONGEST_STRING: usize = 4_000;
/// Semi-joins and anti-joins of one query.
const MOST_JOINS: usize = 2;
/// 1700-01-01 and 4000-12-31, in days since 1970.
const DATES: std::ops::RangeInclusive<i64> = -98_615..=741_807;
const DAY_MS: i64 = 86_400_000;

/// Checks a parsed query.
///
/// # Errors
/// 400 `MALFORMED_QUERY`.
pub(crate) fn check(query: &Query) -> Result<(), ApiError> {
    if query.select == [SelectItem::CountRows] && !query.order_by.is_empty() {
        return Err(ApiError::malformed("COUNT() cannot be used with ORDER BY"));
    }
    let Some(condition) = &query.condition else { return Ok(()) };
    literals(condition)?;
    let mut joins = 0;
    semi_joins(query, condition, false, &mut joins)?;
    if joins > MOST_JOINS {
        return Err(ApiError::malformed("Cannot have more than 2 semi join sub-selects"));
    }
    Ok(())
}

fn semi_joins(
    outer: &Query,
    condition: &Condition,
    shut: bool,
    joins: &mut usize,
) -> Result<(), ApiError> {
    match condition {
        Condition::And(parts) => {
            parts.iter().try_for_each(|part| semi_joins(outer, part, shut, joins))
        }
        Condition::Or(parts) => {
            parts.iter().try_for_each(|part| semi_joins(outer, part, true, joins))
        }
        Condition::Not(inner) => semi_joins(outer, inner, true, joins),
        Condition::In { left, set: Set::Query(inner), .. } => {
            *joins += 1;
            let own_name = |name: &String| {
                outer.alias.as_deref().is_some_and(|alias| alias.eq_ignore_ascii_case(name))
                    || outer.from.text.eq_ignore_ascii_case(name)
            };
            let hops = left.path.parts.len() - 1;
            let over = hops > 1 || hops == 1 && !own_name(&left.path.parts[0]);
            let refusal = if shut {
                "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions"
            } else if over {
                "The left operand of a semi join cannot be a field of a relationship"
            } else if inner.from.text.eq_ignore_ascii_case(&outer.from.text) {
                "The inner and outer selects of a semi join cannot be on the same object type"
            } else if inner.select == [SelectItem::CountRows]
                || !inner.order_by.is_empty()
                || inner.limit.is_some()
            {
                "COUNT, ORDER BY and LIMIT are not allowed in a semi join sub-select"
            } else if inner.condition.as_ref().is_some_and(joins_in) {
                "Nesting of semi join sub-selects is not supported"
            } else {
                return inner.condition.as_ref().map_or(Ok(()), literals);
            };
            Err(ApiError::malformed(refusal))
        }
        _ => Ok(()),
    }
}

fn joins_in(condition: &Condition) -> bool {
    match condition {
        Condition::And(parts) | Condition::Or(parts) => parts.iter().any(joins_in),
        Condition::Not(inner) => joins_in(inner),
        Condition::In { set, .. } => matches!(set, Set::Query(_)),
        _ => false,
    }
}

fn literals(condition: &Condition) -> Result<(), ApiError> {
    match condition {
        Condition::And(parts) | Condition::Or(parts) => parts.iter().try_for_each(literals),
        Condition::Not(inner) => literals(inner),
        Condition::Compare { value, .. } => literal(value),
        Condition::In { set: Set::List(values), .. } | Condition::Includes { values, .. } => {
            values.iter().try_for_each(literal)
        }
        Condition::In { .. } => Ok(()),
    }
}

fn literal(value: &Literal) -> Result<(), ApiError> {
    let day = match value {
        Literal::Text(text) if text.chars().count() > LONGEST_STRING => {
            return Err(ApiError::malformed(
                "The string literal in the WHERE clause is longer than 4000 characters",
            ));
        }
        Literal::Date(days) => *days,
        Literal::Instant(ms) => ms.div_euclid(DAY_MS),
        _ => return Ok(()),
    };
    if DATES.contains(&day) {
        return Ok(());
    }
    Err(ApiError::malformed("Date literals are allowed from 1700-01-01 to 4000-12-31"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soql::parser::parse;

    fn refused(soql: &str) -> bool {
        check(&parse(soql).expect("a query")).is_err()
    }

    const LOGINS: &str = "Id IN (SELECT UserId FROM LoginHistory)";

    #[test]
    fn semi_joins_are_top_level_conditions_over_another_object() {
        assert!(!refused(&format!("SELECT Id FROM User WHERE {LOGINS}")));
        assert!(!refused(&format!("SELECT Id FROM User WHERE IsActive = true AND {LOGINS}")));
        assert!(!refused("SELECT Id FROM User WHERE Id NOT IN (SELECT UserId FROM LoginHistory)"));
        assert!(!refused("SELECT Id FROM User u WHERE u.Id IN (SELECT UserId FROM LoginHistory)"));
        assert!(refused(&format!("SELECT Id FROM User WHERE IsActive = true OR {LOGINS}")));
        assert!(refused(&format!("SELECT Id FROM User WHERE NOT {LOGINS}")));
        assert!(refused(&format!(
            "SELECT Id FROM User WHERE IsActive = true AND (Title = 'x' OR {LOGINS})"
        )));
        assert!(refused("SELECT Id FROM User WHERE Id IN (SELECT Id FROM User)"));
        assert!(refused("SELECT Id FROM User WHERE Profile.Id IN (SELECT ParentId FROM X)"));
        assert!(refused(
            "SELECT Id FROM User WHERE Id IN (SELECT UserId FROM LoginHistory LIMIT 1)"
        ));
        assert!(refused(
            "SELECT Id FROM A WHERE Id IN (SELECT X FROM B WHERE Y IN (SELECT Z FROM C))"
        ));
        let three = [LOGINS; 3].join(" AND ");
        assert!(refused(&format!("SELECT Id FROM User WHERE {three}")));
    }

    #[test]
    fn strings_and_dates_have_bounds() {
        let name =
            |length: usize| format!("SELECT Id FROM User WHERE Name = '{}'", "x".repeat(length));
        assert!(!refused(&name(4_000)));
        assert!(refused(&name(4_001)));
        let born = |date: &str| format!("SELECT Id FROM User WHERE CreatedDate > {date}T00:00:00Z");
        assert!(!refused(&born("1700-01-01")) && !refused(&born("4000-12-31")));
        assert!(refused(&born("1699-12-31")) && refused(&born("4001-01-01")));
    }
}
