//! What may follow the object of a Tooling query: WHERE and ORDER BY over ids, and LIMIT.

use estate::ApiError;

/// Clauses of a query over installed packages.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Clauses {
    conditions: Vec<Condition>,
    /// Field, and whether it descends.
    order: Vec<(String, bool)>,
    limit: Option<usize>,
}

#[derive(Debug, PartialEq)]
struct Condition {
    field: String,
    operator: String,
    values: Vec<String>,
}

/// The fields that can be filtered and sorted.
const IDS: [&str; 3] = ["Id", "SubscriberPackageId", "SubscriberPackageVersionId"];

impl Clauses {
    /// Reads what follows the object's name.
    ///
    /// # Errors
    /// 400 `MALFORMED_QUERY`, or `INVALID_FIELD` for a field that is no id.
    pub(super) fn parse(text: &str) -> Result<Clauses, ApiError> {
        let mut tokens = tokens(text).into_iter().peekable();
        let mut clauses = Clauses::default();
        let is = |token: Option<&String>, word: &str| {
            token.is_some_and(|token| token.eq_ignore_ascii_case(word))
        };
        if is(tokens.peek(), "WHERE") {
            loop {
                tokens.next();
                let field = id_field(tokens.next(), "filtered")?;
                let operator = tokens.next().unwrap_or_default().to_ascii_uppercase();
                let values = match operator.as_str() {
                    "=" | "!=" | "<" | "<=" | ">" | ">=" => vec![literal(tokens.next())?],
                    "IN" if tokens.next().as_deref() == Some("(") => {
                        let mut values = vec![literal(tokens.next())?];
                        while is(tokens.peek(), ",") {
                            tokens.next();
                            values.push(literal(tokens.next())?);
                        }
                        expect(tokens.next(), ")")?;
                        values
                    }
                    _ => return Err(unexpected(&operator)),
                };
                clauses.conditions.push(Condition { field, operator, values });
                if !is(tokens.peek(), "AND") {
                    break;
                }
            }
        }
        if is(tokens.peek(), "ORDER") {
            tokens.next();
            expect(tokens.next(), "BY")?;
            loop {
                let field = id_field(tokens.next(), "sorted")?;
                let descending = is(tokens.peek(), "DESC");
                if descending || is(tokens.peek(), "ASC") {
                    tokens.next();
                }
                clauses.order.push((field, descending));
                if !is(tokens.peek(), ",") {
                    break;
                }
                tokens.next();
            }
        }
        if is(tokens.peek(), "LIMIT") {
            tokens.next();
            let number = tokens.next().unwrap_or_default();
            clauses.limit = Some(number.parse().map_err(|_| unexpected(&number))?);
        }
        match tokens.next() {
            None => Ok(clauses),
            Some(token) => Err(unexpected(&token)),
        }
    }

    /// Keeps, orders and cuts rows; `id` gives a row's id by field.
    pub(super) fn apply<R>(&self, mut rows: Vec<R>, id: impl Fn(&R, &str) -> String) -> Vec<R> {
        rows.retain(|row| {
            self.conditions.iter().all(|condition| {
                let own = id(row, &condition.field);
                let own = own.get(..15).unwrap_or(&own).to_owned();
                condition.values.iter().any(|value| {
                    let value = value.get(..15).unwrap_or(value);
                    match condition.operator.as_str() {
                        "=" | "IN" => own == value,
                        "!=" => own != value,
                        "<" => own.as_str() < value,
                        "<=" => own.as_str() <= value,
                        ">" => own.as_str() > value,
                        _ => own.as_str() >= value,
                    }
                })
            })
        });
        for (field, descending) in self.order.iter().rev() {
            rows.sort_by(|a, b| {
                let order = id(a, field).cmp(&id(b, field));
                if *descending { order.reverse() } else { order }
            });
        }
        rows.truncate(self.limit.unwrap_or(usize::MAX));
        rows
    }
}

fn id_field(token: Option<String>, verb: &str) -> Result<String, ApiError> {
    let name = token.ok_or_else(|| unexpected("<EOF>"))?;
    match IDS.iter().find(|id| id.eq_ignore_ascii_case(&name)) {
        Some(id) => Ok((*id).to_owned()),
        None => {
            let message = format!("field '{name}' can not be {verb} in a query call");
            Err(ApiError::new(400, "INVALID_FIELD", message))
        }
    }
}

fn literal(token: Option<String>) -> Result<String, ApiError> {
    let token = token.unwrap_or_else(|| "<EOF>".to_owned());
    let inner = token.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.map(str::to_owned).ok_or_else(|| unexpected(&token))
}

fn expect(token: Option<String>, word: &str) -> Result<(), ApiError> {
    match token {
        Some(token) if token.eq_ignore_ascii_case(word) => Ok(()),
        token => Err(unexpected(token.as_deref().unwrap_or("<EOF>"))),
    }
}

fn unexpected(token: &str) -> ApiError {
    ApiError::new(400, "MALFORMED_QUERY", format!("unexpected token: '{token}'"))
}

/// Words, operators, parentheses, commas, and literals with their quotes.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            c if c.is_whitespace() => {}
            '\'' => {
                let inner: String = characters.by_ref().take_while(|c| *c != '\'').collect();
                tokens.push(format!("'{inner}'"));
            }
            '(' | ')' | ',' => tokens.push(character.to_string()),
            '<' | '>' | '=' | '!' => {
                let mut operator = character.to_string();
                operator.extend(characters.next_if_eq(&'='));
                tokens.push(operator);
            }
            other => {
                let mut word = other.to_string();
                while let Some(next) =
                    characters.next_if(|c| c.is_alphanumeric() || matches!(c, '.' | '_'))
                {
                    word.push(next);
                }
                tokens.push(word);
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(clauses: &str) -> Vec<&'static str> {
        let rows = vec!["0A3000000000002AAA", "0A3000000000001AAA", "0A3000000000003AAA"];
        let clauses = Clauses::parse(clauses).expect("clauses");
        clauses.apply(rows, |row, _| (*row).to_owned())
    }

    #[test]
    fn packages_are_filtered_sorted_and_cut_by_id() {
        assert_eq!(ids("").len(), 3);
        let (one, two, three) = ("0A3000000000001AAA", "0A3000000000002AAA", "0A3000000000003AAA");
        assert_eq!(ids("ORDER BY Id"), [one, two, three]);
        assert_eq!(ids("ORDER BY SubscriberPackageId DESC, Id LIMIT 1"), [three]);
        assert_eq!(ids("WHERE Id > '0A3000000000001' ORDER BY Id ASC LIMIT 5"), [two, three]);
        assert_eq!(ids("WHERE Id IN ('0A3000000000003AAA','0A3000000000009AAA')"), [three]);
        assert_eq!(ids("WHERE Id>='0A3000000000002AAA' AND Id != '0A3000000000003'"), [two]);
    }

    #[test]
    fn anything_else_is_refused() {
        let code = |clauses: &str| Clauses::parse(clauses).map_err(|error| error.error_code);
        assert_eq!(code("WHERE SubscriberPackage.Name = 'x'"), Err("INVALID_FIELD".into()));
        assert_eq!(code("WHERE Id = 1"), Err("MALFORMED_QUERY".into()));
        assert_eq!(code("GROUP BY Id"), Err("MALFORMED_QUERY".into()));
        assert_eq!(code("LIMIT ten"), Err("MALFORMED_QUERY".into()));
        assert_eq!(code("WHERE Id = '1' OR Id = '2'"), Err("MALFORMED_QUERY".into()));
    }
}
