//! The little that has to be known of SOQL outside of its parser.

/// The object the outermost `FROM` names.
pub(super) fn object_of(soql: &str) -> Option<String> {
    let mut depth = 0_i32;
    let mut after_from = false;
    for word in words(soql) {
        match word {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if depth > 0 => {}
            _ if after_from => return Some(word.to_owned()),
            _ => after_from = word.eq_ignore_ascii_case("from"),
        }
    }
    None
}

/// Words, and every parenthesis and comma on its own; string literals are left out.
pub(super) fn words(soql: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quoted = false;
    let mut escaped = false;
    for (at, character) in soql.char_indices() {
        if quoted {
            quoted = escaped || character != '\'';
            escaped = !escaped && character == '\\';
            continue;
        }
        let apart = character.is_whitespace() || matches!(character, '(' | ')' | ',' | '\'');
        if !apart {
            start.get_or_insert(at);
            continue;
        }
        if let Some(begin) = start.take() {
            words.push(&soql[begin..at]);
        }
        match character {
            '\'' => quoted = true,
            '(' | ')' | ',' => words.push(&soql[at..at + 1]),
            _ => {}
        }
    }
    words.extend(start.map(|begin| &soql[begin..]));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_of_a_query_is_that_of_its_outermost_from() {
        let object = |soql| object_of(soql).expect("an object");
        assert_eq!(object("SELECT Id FROM User"), "User");
        assert_eq!(
            object("select count() from\nLoginHistory where X = 'a from B'"),
            "LoginHistory"
        );
        assert_eq!(object("SELECT Id, (SELECT Id FROM Contacts) FROM Account LIMIT 1"), "Account");
        assert_eq!(object_of("SELECT 'it\\'s from here'"), None);
    }
}
