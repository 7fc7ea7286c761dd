//! Conditions with their names looked up and their literals checked, and how rows are tested.

use std::collections::HashSet;

use crate::clock::DAY;
use crate::error::ApiError;
use crate::id::Id;
use crate::schema::Kind;
use crate::soql::Context;
use crate::soql::ast::{Condition, Expression, Literal, Operator, Position, Set};
use crate::soql::dates;
use crate::value::Value;

/// A condition ready to be tested. Values are named by their position in a list the caller keeps.
#[derive(Debug)]
pub(crate) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// Has no value.
    Null(usize),
    Bool(usize, bool),
    Text(usize, Operator, String),
    Like(usize, Vec<Piece>),
    Number(usize, Operator, f64),
    Id(usize, Operator, Id),
    /// Milliseconds: from, and the first after.
    Time(usize, Operator, i64, i64),
    TextIn(usize, HashSet<String>),
    IdIn(usize, HashSet<Id>),
    /// Holds one of these combinations of a multi-select picklist.
    Includes(usize, Vec<Vec<String>>),
}

/// A piece of a LIKE pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// This character, in lower case.
    Just(char),
    /// `_`.
    Any,
    /// `%`.
    Many,
}

/// Gives values by position.
pub(crate) trait Fetch {
    /// Passes the value at `position` to `then`.
    fn with(&mut self, position: usize, then: &mut dyn FnMut(&Value<'_>));
}

/// Looks up the left side of an operator: its position, kind and name.
pub(crate) trait Resolve {
    /// Looks up an expression of the condition.
    fn resolve(&mut self, expression: &Expression) -> Result<(usize, Kind, String), ApiError>;
}

/// Binds a condition.
pub(crate) fn bind(
    context: &Context<'_>,
    condition: &Condition,
    resolve: &mut dyn Resolve,
) -> Result<Test, ApiError> {
    let mut all = |parts: &[Condition]| {
        parts.iter().map(|part| bind(context, part, resolve)).collect::<Result<_, _>>()
    };
    Ok(match condition {
        Condition::And(parts) => Test::All(all(parts)?),
        Condition::Or(parts) => Test::Any(all(parts)?),
        Condition::Not(inner) => Test::Not(Box::new(bind(context, inner, resolve)?)),
        Condition::Compare { left, operator, value, operator_at } => {
            let target = Target::new(resolve, left, *operator_at)?;
            compare(context, &target, *operator, value)?
        }
        Condition::In { left, negated, set, operator_at } => {
            let target = Target::new(resolve, left, *operator_at)?;
            let test = match set {
                Set::List(literals) => member(context, &target, literals)?,
                Set::Query(query) if target.kind == Kind::Id => {
                    Test::IdIn(target.position, crate::soql::plan::sub_select(context, query)?)
                }
                Set::Query(_) => {
                    return Err(context.invalid_field(target.at, "The left operand field in the where expression should be of type id or reference for a semi join"));
                }
            };
            if *negated { Test::Not(Box::new(test)) } else { test }
        }
        Condition::Includes { left, negated, values, operator_at } => {
            let target = Target::new(resolve, left, *operator_at)?;
            if target.kind != Kind::MultiPicklist {
                return Err(invalid_operator(context, *operator_at));
            }
            let mut choices = Vec::new();
            for value in values {
                match value {
                    Literal::Text(text) => {
                        choices.push(text.split(';').map(str::to_lowercase).collect())
                    }
                    _ => return Err(wrong_type(context, &target)),
                }
            }
            let test = Test::Includes(target.position, choices);
            if *negated { Test::Not(Box::new(test)) } else { test }
        }
    })
}

struct Target {
    position: usize,
    kind: Kind,
    name: String,
    at: Position,
    operator_at: Position,
}

impl Target {
    fn new(
        resolve: &mut dyn Resolve,
        left: &Expression,
        operator_at: Position,
    ) -> Result<Self, ApiError> {
        let (position, kind, name) = resolve.resolve(left)?;
        Ok(Self { position, kind, name, at: left.at, operator_at })
    }
}

fn compare(
    context: &Context<'_>,
    to: &Target,
    operator: Operator,
    literal: &Literal,
) -> Result<Test, ApiError> {
    let position = to.position;
    let is_null = matches!(literal, Literal::Null)
        || matches!(literal, Literal::Text(text) if text.is_empty());
    if is_null
        && (literal == &Literal::Null
            || matches!(to.kind, Kind::Text | Kind::MultiPicklist | Kind::Id))
    {
        return match operator {
            Operator::Equal => Ok(Test::Null(position)),
            Operator::NotEqual => Ok(Test::Not(Box::new(Test::Null(position)))),
            // Nothing is less, greater or like no value.
            _ => Ok(Test::Any(Vec::new())),
        };
    }
    if operator == Operator::Like && !matches!(to.kind, Kind::Text | Kind::MultiPicklist) {
        return Err(invalid_operator(context, to.operator_at));
    }
    let is_order = !matches!(operator, Operator::Equal | Operator::NotEqual);
    let test = |operator: Operator| -> Result<Test, ApiError> {
        Ok(match (to.kind, literal) {
            (Kind::Text | Kind::MultiPicklist, Literal::Text(text))
                if operator == Operator::Like =>
            {
                Test::Like(position, pattern(text))
            }
            (Kind::Text | Kind::MultiPicklist, Literal::Text(text)) => {
                Test::Text(position, operator, plain(text).to_lowercase())
            }
            (Kind::Bool, Literal::Bool(_)) if is_order => {
                return Err(invalid_operator(context, to.operator_at));
            }
            (Kind::Bool, Literal::Bool(value)) => Test::Bool(position, *value),
            (Kind::Number, Literal::Number(number)) => Test::Number(position, operator, *number),
            (Kind::Id, Literal::Text(text)) => Test::Id(position, operator, id(context, to, text)?),
            (Kind::Instant, Literal::Instant(millis)) => {
                Test::Time(position, operator, *millis, *millis + 1)
            }
            (Kind::Date, Literal::Date(days)) => {
                Test::Time(position, operator, days * DAY * 1_000, days * DAY * 1_000 + 1)
            }
            (Kind::Date | Kind::Instant, Literal::Named(word, number)) => {
                let (from, to) = dates::range(word, *number, context.estate.present())
                    .ok_or_else(|| ApiError::malformed(format!("unexpected token: '{word}'")))?;
                Test::Time(position, operator, from * DAY * 1_000, to * DAY * 1_000)
            }
            _ => return Err(wrong_type(context, to)),
        })
    };
    // "Not equal" holds for rows without a value, so it is the opposite of "equal".
    match operator {
        Operator::NotEqual => Ok(Test::Not(Box::new(test(Operator::Equal)?))),
        _ => test(operator),
    }
}

fn member(context: &Context<'_>, to: &Target, literals: &[Literal]) -> Result<Test, ApiError> {
    let mut tests = Vec::new();
    let (mut texts, mut ids) = (HashSet::new(), HashSet::new());
    for literal in literals {
        match (to.kind, literal) {
            (Kind::Text | Kind::MultiPicklist, Literal::Text(text)) if !text.is_empty() => {
                texts.insert(plain(text).to_lowercase());
            }
            (Kind::Id, Literal::Text(text)) if !text.is_empty() => {
                ids.insert(id(context, to, text)?);
            }
            _ => tests.push(compare(context, to, Operator::Equal, literal)?),
        }
    }
    if !texts.is_empty() {
        tests.push(Test::TextIn(to.position, texts));
    }
    if !ids.is_empty() {
        tests.push(Test::IdIn(to.position, ids));
    }
    Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Test::Any(tests) })
}

fn id(context: &Context<'_>, to: &Target, text: &str) -> Result<Id, ApiError> {
    Id::parse(text).ok_or_else(|| {
        context.error_at(
            to.at,
            "INVALID_QUERY_FILTER_OPERATOR",
            &format!("invalid ID field: {text}"),
        )
    })
}

fn wrong_type(context: &Context<'_>, to: &Target) -> ApiError {
    let (kind, quotes) = match to.kind {
        Kind::Bool => ("boolean", "should not be enclosed in quotes"),
        Kind::Number => ("double", "should not be enclosed in quotes"),
        Kind::Date => ("date", "should not be enclosed in quotes"),
        Kind::Instant => ("dateTime", "should not be enclosed in quotes"),
        Kind::Id => ("id", "should be enclosed in quotes"),
        _ => ("string", "should be enclosed in quotes"),
    };
    let name = &to.name;
    context.invalid_field(
        to.at,
        &format!(
            "value of filter criterion for field '{name}' must be of type {kind} and {quotes}"
        ),
    )
}

fn invalid_operator(context: &Context<'_>, at: Position) -> ApiError {
    context.error_at(at, "INVALID_QUERY_FILTER_OPERATOR", "invalid operator")
}

/// Outside LIKE, an escaped wild card is the character alone.
fn plain(text: &str) -> String {
    text.replace("\\_", "_").replace("\\%", "%")
}

fn pattern(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' if pieces.last() == Some(&Piece::Many) => {}
            '%' => pieces.push(Piece::Many),
            '_' => pieces.push(Piece::Any),
            '\\' if matches!(characters.as_str().chars().next(), Some('%' | '_')) => {
                pieces.extend(characters.next().map(Piece::Just));
            }
            _ => pieces.extend(character.to_lowercase().map(Piece::Just)),
        }
    }
    pieces
}

fn is_like(text: &[char], pieces: &[Piece]) -> bool {
    let (mut at, mut piece) = (0, 0);
    // Where to resume if what follows the last `%` does not fit.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pieces.get(piece) {
            Some(Piece::Many) => {
                retry = Some((at, piece));
                piece += 1;
                continue;
            }
            Some(Piece::Any) => {}
            Some(Piece::Just(character)) if *character == text[at] => {}
            _ => match &mut retry {
                Some((from, many)) => {
                    *from += 1;
                    (at, piece) = (*from, *many + 1);
                    continue;
                }
                None => return false,
            },
        }
        at += 1;
        piece += 1;
    }
    pieces[piece..].iter().all(|piece| *piece == Piece::Many)
}

fn holds<T: PartialOrd>(operator: Operator, left: &T, right: &T) -> bool {
    match operator {
        Operator::Equal | Operator::Like => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::Greater => left > right,
        Operator::GreaterOrEqual => left >= right,
    }
}

impl Test {
    /// Whether the values pass.
    pub(crate) fn passes(&self, values: &mut dyn Fetch) -> bool {
        let (position, check): (usize, &dyn Fn(&Value<'_>) -> bool) = match self {
            Test::All(parts) => return parts.iter().all(|part| part.passes(values)),
            Test::Any(parts) => return parts.iter().any(|part| part.passes(values)),
            Test::Not(inner) => return !inner.passes(values),
            Test::Null(at) => (*at, &|value| value.is_null()),
            Test::Bool(at, wanted) => (*at, &|value| *value == Value::Bool(*wanted)),
            Test::Text(at, operator, wanted) => (*at, &|value| match value {
                Value::Text(text) if !text.is_empty() => {
                    holds(*operator, &text.to_lowercase(), wanted)
                }
                _ => false,
            }),
            Test::Like(at, pieces) => (*at, &|value| match value {
                Value::Text(text) if !text.is_empty() => {
                    is_like(&text.to_lowercase().chars().collect::<Vec<_>>(), pieces)
                }
                _ => false,
            }),
            Test::Number(at, operator, wanted) => (*at, &|value| {
                value.number().is_some_and(|number| holds(*operator, &number, wanted))
            }),
            Test::Id(at, operator, wanted) => {
                (*at, &|value| matches!(value, Value::Id(id) if holds(*operator, id, wanted)))
            }
            Test::Time(at, operator, from, to) => (*at, &|value| {
                let millis = match value {
                    Value::Instant(seconds) => seconds * 1_000,
                    Value::Date(days) => days * DAY * 1_000,
                    _ => return false,
                };
                match operator {
                    Operator::Equal | Operator::Like => (*from..*to).contains(&millis),
                    Operator::NotEqual => !(*from..*to).contains(&millis),
                    Operator::Less => millis < *from,
                    Operator::LessOrEqual => millis < *to,
                    Operator::Greater => millis >= *to,
                    Operator::GreaterOrEqual => millis >= *from,
                }
            }),
            Test::TextIn(at, texts) => (
                *at,
                &|value| matches!(value, Value::Text(text) if texts.contains(&text.to_lowercase())),
            ),
            Test::IdIn(at, ids) => {
                (*at, &|value| matches!(value, Value::Id(id) if ids.contains(id)))
            }
            Test::Includes(at, choices) => (*at, &|value| match value {
                Value::Text(text) => {
                    let held: Vec<String> = text.split(';').map(str::to_lowercase).collect();
                    choices.iter().any(|choice| choice.iter().all(|one| held.contains(one)))
                }
                _ => false,
            }),
        };
        let mut passed = false;
        values.with(position, &mut |value| passed = check(value));
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_both_wild_cards_and_their_escapes() {
        let like = |text: &str, wanted: &str| {
            is_like(&text.to_lowercase().chars().collect::<Vec<_>>(), &pattern(wanted))
        };
        assert!(like("Salesforce", "sales%"));
        assert!(like("Salesforce", "%FORCE"));
        assert!(like("Salesforce", "%l%f%c_"));
        assert!(like("", "%"));
        assert!(!like("Salesforce", "sales_"));
        assert!(like("100%", "100\\%"));
        assert!(!like("1000", "100\\%"));
        assert!(like("aXbXc", "a%b%c") && !like("aXbX", "a%b%c"));
    }
}
