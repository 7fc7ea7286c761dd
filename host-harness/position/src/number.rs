//! Numbers as people read them.

/// Digits in groups of three: `1,204`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 seat`, `1,204 seats`.
pub fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three_from_the_right() {
        let shown: Vec<String> =
            [0, 7, 999, 1_204, 1_234_567, -12_345, i64::MIN].into_iter().map(grouped).collect();
        assert_eq!(
            shown,
            ["0", "7", "999", "1,204", "1,234,567", "-12,345", "-9,223,372,036,854,775,808"]
        );
        assert_eq!(counted(1, "seat", "seats"), "1 seat");
        assert_eq!(counted(0, "seat", "seats"), "0 seats");
    }
}
