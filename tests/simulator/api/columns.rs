//! `columns=true`: the shape of a query's answer instead of its records.

use serde_json::{Value, json};

/// The answer for a query that is known to be right.
///
/// Of the platform's keys those are given that follow from the query itself; the types of the
/// fields are in the describe.
pub(super) fn metadata(soql: &str, entity: &str) -> Value {
    let list = select_list(soql);
    let is_count = list.eq_ignore_ascii_case("count()");
    let items: Vec<&str> = if is_count { Vec::new() } else { split(list) };
    let id_selected = items.iter().any(|item| item.eq_ignore_ascii_case("id"));
    json!({
        "columnMetadata": items.into_iter().map(column).collect::<Vec<_>>(),
        "entityName": entity,
        "groupBy": soql.to_ascii_lowercase().contains(" group by "),
        "idSelected": id_selected,
    })
}

/// The text between the outermost `SELECT` and its `FROM`.
fn select_list(soql: &str) -> &str {
    let lower = soql.to_ascii_lowercase();
    let Some(start) = lower.find("select").map(|at| at + "select".len()) else { return "" };
    let mut depth = 0_u32;
    let mut word_start = true;
    for (at, byte) in lower.bytes().enumerate().skip(start) {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && word_start && lower[at..].starts_with("from") => {
                let ends = lower.as_bytes().get(at + 4).is_none_or(u8::is_ascii_whitespace);
                if ends {
                    return soql[start..at].trim();
                }
            }
            _ => {}
        }
        word_start = byte.is_ascii_whitespace() || byte == b')';
    }
    ""
}

/// The items of a list, by the commas outside of parentheses.
fn split(list: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    list.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
    .map(str::trim)
    .collect()
}

fn column(item: &str) -> Value {
    let inner = item.strip_prefix('(').and_then(|item| item.strip_suffix(')'));
    if let Some(child) = inner {
        let name = child.to_ascii_lowercase().rfind("from ").map_or("", |at| &child[at + 5..]);
        let name = name.split_ascii_whitespace().next().unwrap_or_default();
        let columns = split(select_list(child)).into_iter().map(column).collect();
        return named(name, true, columns);
    }
    if let Some((function, rest)) = item.split_once('(') {
        // An aggregate goes by its alias, or by the name of its function.
        let alias = rest.rsplit_once(')').map_or("", |(_, alias)| alias.trim());
        let name = if alias.is_empty() { function.trim() } else { alias };
        return named(name, true, Vec::new());
    }
    let path = item.split_ascii_whitespace().next().unwrap_or_default();
    match path.split_once('.') {
        Some((parent, rest)) => named(parent, false, vec![column(rest)]),
        None => named(path, false, Vec::new()),
    }
}

fn named(name: &str, aggregate: bool, columns: Vec<Value>) -> Value {
    json!({
        "aggregate": aggregate,
        "columnName": name,
        "custom": name.ends_with("__c"),
        "displayName": name,
        "foreignKeyName": null,
        "joinColumns": columns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(soql: &str) -> Vec<String> {
        fn path(column: &Value) -> String {
            let joined = column["joinColumns"].as_array().expect("an array");
            let inner: Vec<String> = joined.iter().map(path).collect();
            let name = column["columnName"].as_str().expect("text");
            if inner.is_empty() { name.to_owned() } else { format!("{name}[{}]", inner.join(",")) }
        }
        let metadata = metadata(soql, "User");
        metadata["columnMetadata"].as_array().expect("an array").iter().map(path).collect()
    }

    #[test]
    fn columns_are_named_as_they_were_asked_for() {
        assert_eq!(names("SELECT Id, Profile.Name FROM User"), ["Id", "Profile[Name]"]);
        assert_eq!(names("SELECT COUNT() FROM User"), [""; 0]);
        assert_eq!(names("select FromDate__c\nfrom User"), ["FromDate__c"]);
        assert_eq!(
            names("SELECT COUNT(Id) n, MAX(Name), (SELECT Id, A.B FROM Children) FROM User"),
            ["n", "MAX", "Children[Id,A[B]]"]
        );
    }
}
