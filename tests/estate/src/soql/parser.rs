//! Tokens to a query, by recursive descent.

use crate::error::ApiError;
use crate::soql::ast::{
    Condition, DatePart, Expression, FieldsKind, Function, Literal, Name, Operator, Order, Path,
    Position, Query, SelectItem, Set,
};
use crate::soql::lexer::{Token, TokenKind, tokens};

/// Words that end a list of names, and so cannot be an alias.
const RESERVED: &[&str] = &[
    "SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "ALL",
    "USING", "WITH", "AND", "OR", "NOT", "IN", "LIKE", "ASC", "DESC", "NULLS", "UPDATE",
    "INCLUDES", "EXCLUDES", "BY",
];

/// Parses a whole query.
pub(crate) fn parse(text: &str) -> Result<Query, ApiError> {
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0 };
    let query = parser.query()?;
    match parser.peek().kind {
        TokenKind::End => Ok(query),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    next: usize,
}

type Parsed<T> = Result<T, ApiError>;

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn advance(&mut self) -> Token {
        let token = self.tokens[self.next].clone();
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
        token
    }

    fn word_at(&self, ahead: usize) -> Option<&str> {
        let token = self.tokens.get(self.next + ahead)?;
        (token.kind == TokenKind::Word).then(|| &self.text[token.at..token.end])
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        self.word_at(0).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        if found {
            self.next += 1;
        }
        found
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Symbol(found) if found == symbol)
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.next += 1;
        }
        found
    }

    fn expect_keyword(&mut self, keyword: &str) -> Parsed<()> {
        if self.keyword(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_symbol(&mut self, symbol: &str) -> Parsed<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> ApiError {
        let token = self.peek();
        let found = match token.kind {
            TokenKind::End => "<EOF>",
            _ => self.text[token.at..token.end].trim_matches('\''),
        };
        ApiError::malformed(format!("unexpected token: '{found}'"))
    }

    fn name(&mut self) -> Parsed<Name> {
        let at = self.peek().at;
        match self.word_at(0) {
            // `Group` is a keyword and a relationship; only the relationship is followed by a dot.
            Some(word)
                if !is_reserved(word)
                    || (word.eq_ignore_ascii_case("group") && self.dot_follows()) =>
            {
                let text = word.to_owned();
                self.next += 1;
                Ok(Name { text, at })
            }
            _ => Err(self.unexpected()),
        }
    }

    fn dot_follows(&self) -> bool {
        matches!(self.tokens.get(self.next + 1), Some(token) if token.kind == TokenKind::Symbol("."))
    }

    fn query(&mut self) -> Parsed<Query> {
        self.expect_keyword("SELECT")?;
        let mut select = vec![self.select_item()?];
        while self.symbol(",") {
            select.push(self.select_item()?);
        }
        self.expect_keyword("FROM")?;
        let at = self.peek().at;
        // `Group` is a keyword and an object.
        let from = match self.word_at(0) {
            Some(word) if !is_reserved(word) || word.eq_ignore_ascii_case("group") => {
                let mut text = word.to_owned();
                self.next += 1;
                while self.symbol(".") {
                    text = format!("{text}.{}", self.name()?.text);
                }
                Name { text, at }
            }
            _ => return Err(self.unexpected()),
        };
        self.keyword("AS");
        let alias = match self.word_at(0) {
            Some(word) if !is_reserved(word) => Some(self.name()?.text),
            _ => None,
        };
        if self.keyword("USING") {
            self.expect_keyword("SCOPE")?;
            self.name()?;
        }
        let condition = if self.keyword("WHERE") { Some(self.condition()?) } else { None };
        if self.keyword("WITH") {
            self.security_clause()?;
        }
        let mut group_by = Vec::new();
        if self.keyword("GROUP") {
            self.expect_keyword("BY")?;
            group_by.push(self.expression()?);
            while self.symbol(",") {
                group_by.push(self.expression()?);
            }
        }
        let having = if self.keyword("HAVING") { Some(self.condition()?) } else { None };
        let mut order_by = Vec::new();
        if self.keyword("ORDER") {
            self.expect_keyword("BY")?;
            order_by.push(self.order()?);
            while self.symbol(",") {
                order_by.push(self.order()?);
            }
        }
        let limit = if self.keyword("LIMIT") { Some(self.whole_number()?) } else { None };
        let offset = if self.keyword("OFFSET") { Some(self.whole_number()?) } else { None };
        let mut all_rows = false;
        loop {
            if self.keyword("FOR") {
                if !["VIEW", "REFERENCE", "UPDATE"].iter().any(|purpose| self.keyword(purpose)) {
                    return Err(self.unexpected());
                }
            } else if self.keyword("ALL") {
                self.expect_keyword("ROWS")?;
                all_rows = true;
            } else if self.keyword("UPDATE") {
                self.name()?;
            } else {
                break;
            }
        }
        Ok(Query {
            select,
            from,
            alias,
            condition,
            group_by,
            having,
            order_by,
            limit,
            offset,
            all_rows,
        })
    }

    /// `WITH SECURITY_ENFORCED` and the access modes change nothing for a viewer whose fields are hidden anyway.
    fn security_clause(&mut self) -> Parsed<()> {
        match ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"]
            .iter()
            .any(|mode| self.keyword(mode))
        {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    fn select_item(&mut self) -> Parsed<SelectItem> {
        if self.symbol("(") {
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(SelectItem::Children(Box::new(query)));
        }
        let at = self.peek().at;
        let is_call = matches!(self.tokens.get(self.next + 1), Some(token) if token.kind == TokenKind::Symbol("("));
        if is_call && self.is_keyword("FIELDS") {
            self.next += 2;
            let kind = match self.name_or_keyword()?.to_ascii_uppercase().as_str() {
                "ALL" => FieldsKind::All,
                "STANDARD" => FieldsKind::Standard,
                "CUSTOM" => FieldsKind::Custom,
                other => return Err(ApiError::malformed(format!("unexpected token: '{other}'"))),
            };
            self.expect_symbol(")")?;
            return Ok(SelectItem::Fields(kind, at));
        }
        let closes = matches!(self.tokens.get(self.next + 2), Some(token) if token.kind == TokenKind::Symbol(")"));
        if is_call && closes && self.is_keyword("COUNT") {
            self.next += 3;
            return Ok(SelectItem::CountRows);
        }
        let expression = self.expression()?;
        let alias = match self.word_at(0) {
            Some(word) if !is_reserved(word) => Some(self.name()?.text),
            _ => None,
        };
        Ok(SelectItem::Expression(expression, alias))
    }

    fn name_or_keyword(&mut self) -> Parsed<String> {
        let word = self.word_at(0).map(str::to_owned).ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(word)
    }

    fn expression(&mut self) -> Parsed<Expression> {
        let at = self.peek().at;
        let is_call = matches!(self.tokens.get(self.next + 1), Some(token) if token.kind == TokenKind::Symbol("("));
        if !is_call {
            return Ok(Expression { function: None, path: self.path()?, at });
        }
        let name = self.name()?.text;
        let function = function(&name)
            .ok_or_else(|| ApiError::malformed(format!("unexpected token: '{name}'")))?;
        self.expect_symbol("(")?;
        // convertTimezone() changes nothing: the org's day is the UTC day.
        let inner = self.is_keyword("convertTimezone");
        if inner {
            self.next += 1;
            self.expect_symbol("(")?;
        }
        let path = self.path()?;
        if inner {
            self.expect_symbol(")")?;
        }
        self.expect_symbol(")")?;
        Ok(Expression { function: Some(function), path, at })
    }

    fn path(&mut self) -> Parsed<Path> {
        let first = self.name()?;
        let mut parts = vec![first.text];
        while self.symbol(".") {
            parts.push(self.name()?.text);
        }
        Ok(Path { parts, at: first.at })
    }

    fn order(&mut self) -> Parsed<Order> {
        let expression = self.expression()?;
        let descending = self.keyword("DESC");
        if !descending {
            self.keyword("ASC");
        }
        let mut nulls_last = false;
        if self.keyword("NULLS") {
            nulls_last = self.keyword("LAST");
            if !nulls_last {
                self.expect_keyword("FIRST")?;
            }
        }
        Ok(Order { expression, descending, nulls_last })
    }

    fn whole_number(&mut self) -> Parsed<u64> {
        match self.peek().kind {
            TokenKind::Number(number) if number >= 0.0 && number.fract() == 0.0 => {
                self.next += 1;
                Ok(number as u64)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// AND and OR do not mix on one level.
    fn condition(&mut self) -> Parsed<Condition> {
        let first = self.factor()?;
        let is_and = self.is_keyword("AND");
        let keyword = if is_and { "AND" } else { "OR" };
        let mut parts = vec![first];
        while self.keyword(keyword) {
            parts.push(self.factor()?);
        }
        if self.is_keyword("AND") || self.is_keyword("OR") {
            return Err(self.unexpected());
        }
        Ok(match (parts.len(), is_and) {
            (1, _) => parts.swap_remove(0),
            (_, true) => Condition::And(parts),
            (_, false) => Condition::Or(parts),
        })
    }

    fn factor(&mut self) -> Parsed<Condition> {
        if self.keyword("NOT") {
            return Ok(Condition::Not(Box::new(self.factor()?)));
        }
        if self.symbol("(") {
            let inner = self.condition()?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed<Condition> {
        let left = self.expression()?;
        let operator_at = self.peek().at;
        let negated = self.is_keyword("NOT");
        if negated {
            self.next += 1;
            if !self.is_keyword("IN") {
                return Err(self.unexpected());
            }
        }
        if self.keyword("IN") {
            self.expect_symbol("(")?;
            let set = if self.is_keyword("SELECT") {
                Set::Query(Box::new(self.query()?))
            } else {
                Set::List(self.literals()?)
            };
            self.expect_symbol(")")?;
            return Ok(Condition::In { left, negated, set, operator_at });
        }
        for (word, negated) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.keyword(word) {
                self.expect_symbol("(")?;
                let values = self.literals()?;
                self.expect_symbol(")")?;
                return Ok(Condition::Includes { left, negated, values, operator_at });
            }
        }
        let operator = self.operator()?;
        Ok(Condition::Compare { left, operator, value: self.literal()?, operator_at })
    }

    fn operator(&mut self) -> Parsed<Operator> {
        if self.keyword("LIKE") {
            return Ok(Operator::Like);
        }
        let operator = match self.peek().kind {
            TokenKind::Symbol("=") => Operator::Equal,
            TokenKind::Symbol("!=" | "<>") => Operator::NotEqual,
            TokenKind::Symbol("<") => Operator::Less,
            TokenKind::Symbol("<=") => Operator::LessOrEqual,
            TokenKind::Symbol(">") => Operator::Greater,
            TokenKind::Symbol(">=") => Operator::GreaterOrEqual,
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok(operator)
    }

    fn literals(&mut self) -> Parsed<Vec<Literal>> {
        let mut literals = vec![self.literal()?];
        while self.symbol(",") {
            literals.push(self.literal()?);
        }
        Ok(literals)
    }

    fn literal(&mut self) -> Parsed<Literal> {
        let literal = match &self.peek().kind {
            TokenKind::Text(text) => Literal::Text(text.clone()),
            TokenKind::Number(number) => Literal::Number(*number),
            TokenKind::Date(days) => Literal::Date(*days),
            TokenKind::Instant(millis) => Literal::Instant(*millis),
            TokenKind::Word => return self.named_literal(),
            TokenKind::Symbol(_) | TokenKind::End => return Err(self.unexpected()),
        };
        self.advance();
        Ok(literal)
    }

    fn named_literal(&mut self) -> Parsed<Literal> {
        let word = self.word_at(0).unwrap_or_default().to_ascii_uppercase();
        let literal = match word.as_str() {
            "NULL" => Literal::Null,
            "TRUE" => Literal::Bool(true),
            "FALSE" => Literal::Bool(false),
            _ if word.contains("_N_") || word.starts_with("N_") => {
                self.next += 1;
                self.expect_symbol(":")?;
                return Ok(Literal::Named(word, Some(self.whole_number()? as i64)));
            }
            _ if crate::soql::dates::is_known(&word) => Literal::Named(word, None),
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok(literal)
    }
}

fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

fn function(name: &str) -> Option<Function> {
    Some(match name.to_ascii_uppercase().as_str() {
        "COUNT" => Function::Count,
        "COUNT_DISTINCT" => Function::CountDistinct,
        "MIN" => Function::Min,
        "MAX" => Function::Max,
        "SUM" => Function::Sum,
        "AVG" => Function::Avg,
        "CALENDAR_YEAR" | "FISCAL_YEAR" => Function::Date(DatePart::Year),
        "CALENDAR_QUARTER" | "FISCAL_QUARTER" => Function::Date(DatePart::Quarter),
        "CALENDAR_MONTH" | "FISCAL_MONTH" => Function::Date(DatePart::Month),
        "DAY_IN_MONTH" => Function::Date(DatePart::DayInMonth),
        "DAY_IN_WEEK" => Function::Date(DatePart::DayInWeek),
        "DAY_IN_YEAR" => Function::Date(DatePart::DayInYear),
        "HOUR_IN_DAY" => Function::Date(DatePart::Hour),
        "DAY_ONLY" => Function::Date(DatePart::Day),
        "TOLABEL" | "FORMAT" => Function::Label,
        _ => return None,
    })
}

/// The message of an error that points into the query: a piece of the query, a caret, row and column.
pub(crate) fn pointing(text: &str, at: Position, message: &str) -> String {
    // Far into a query, the platform shows only some words around the place.
    const FAR: usize = 40;
    const BEFORE: usize = 34;
    const AFTER: usize = 30;
    let (row, column) = crate::soql::lexer::row_and_column(text, at);
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let mut start = line_start;
    if at - line_start > FAR {
        let boundaries = (at - BEFORE..=at).filter(|&place| text.is_char_boundary(place));
        start = boundaries
            .into_iter()
            .find(|&place| matches!(text.as_bytes()[place - 1], b' ' | b',' | b'('))
            .unwrap_or(at);
    }
    let end = (at + AFTER..line_end)
        .find(|&place| text.is_char_boundary(place) && text.as_bytes()[place] == b' ')
        .unwrap_or(line_end);
    let caret = " ".repeat(text[start..at].chars().count());
    format!("\n{}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{message}", &text[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let error = parse(text).unwrap_err();
        assert_eq!((error.status, error.error_code.as_str()), (400, "MALFORMED_QUERY"));
        error.message
    }

    #[test]
    fn every_clause_is_read() {
        let query = parse(
            "select Id, Profile.Name n, (SELECT Id FROM PermissionSetAssignments) from User u USING SCOPE everything \
             where (IsActive = true AND Name LIKE 'A%') OR NOT Id IN ('005000000000000AAA') \
             order by Name desc nulls last, Id limit 10 offset 20 ALL ROWS FOR VIEW",
        )
        .unwrap();
        assert_eq!(query.select.len(), 3);
        assert_eq!((query.limit, query.offset, query.all_rows), (Some(10), Some(20), true));
        assert_eq!(query.order_by.len(), 2);
        assert!(query.order_by[0].descending && query.order_by[0].nulls_last);
        assert!(matches!(query.condition, Some(Condition::Or(parts)) if parts.len() == 2));
    }

    #[test]
    fn a_query_that_stops_early_names_the_end() {
        assert_eq!(refused("SELECT Id FROM User WHERE"), "unexpected token: '<EOF>'");
        assert_eq!(refused("SELECT Id FROM"), "unexpected token: '<EOF>'");
        assert_eq!(refused("SELECT"), "unexpected token: '<EOF>'");
        assert_eq!(refused("SELECT FROM User"), "unexpected token: 'FROM'");
        assert_eq!(refused(""), "unexpected token: '<EOF>'");
    }

    #[test]
    fn and_and_or_need_parentheses_to_mix() {
        assert_eq!(
            refused("SELECT Id FROM User WHERE A = 1 AND B = 2 OR C = 3"),
            "unexpected token: 'OR'"
        );
        assert!(parse("SELECT Id FROM User WHERE A = 1 AND (B = 2 OR C = 3)").is_ok());
    }

    #[test]
    fn typeof_is_refused() {
        refused("SELECT TYPEOF Owner WHEN User THEN Id END FROM Group");
    }

    #[test]
    fn group_is_an_object_as_well_as_a_keyword() {
        assert_eq!(parse("SELECT Id FROM Group").unwrap().from.text, "Group");
        assert_eq!(
            parse("SELECT Type, COUNT(Id) FROM Group GROUP BY Type").unwrap().group_by.len(),
            1
        );
        assert_eq!(
            parse("SELECT Group.Name FROM GroupMember WHERE Group.Type = 'Queue'")
                .unwrap()
                .select
                .len(),
            1
        );
    }

    #[test]
    fn a_place_far_into_the_query_is_shown_with_the_words_around_it() {
        let text = "SELECT Id,Name,BillingCity,IsDeleted FROM Accout";
        assert_eq!(
            pointing(text, 42, "!"),
            "\nName,BillingCity,IsDeleted FROM Accout\n                                ^\nERROR at Row:1:Column:43\n!"
        );
    }
}
