//! API versions: three a year since Summer '14, which is the oldest that still answers.

use crate::api::call::error;
use crate::http::Response;

const OLDEST: u16 = 31;
/// The last version whose retirement is announced.
pub(super) const LAST_DEPRECATED: u16 = 40;

/// The list of versions up to `newest`.
pub(super) fn list(newest: u16) -> String {
    let versions: Vec<serde_json::Value> = (OLDEST..=newest)
        .map(|version| {
            serde_json::json!({
                "label": label(version),
                "url": format!("/services/data/v{version}.0"),
                "version": format!("{version}.0"),
            })
        })
        .collect();
    serde_json::Value::Array(versions).to_string()
}

/// The release a version came with.
fn label(version: u16) -> String {
    // v31 was Summer '14, v32 Winter '15, v33 Spring '15.
    let year = 14 + (version - OLDEST).div_ceil(3);
    match (version - OLDEST) % 3 {
        0 => format!("Summer '{year}"),
        1 => format!("Winter '{year}"),
        // One release carries a typographic apostrophe in the platform's own list.
        _ if version == 42 => format!("Spring \u{2019}{year}"),
        _ => format!("Spring '{year}"),
    }
}

/// The number in a path segment such as `v59.0`.
pub(super) fn parse(segment: &str, newest: u16) -> Result<u16, Response> {
    let not_found = || error(404, "NOT_FOUND", "The requested resource does not exist");
    let number =
        segment.strip_prefix('v').and_then(|rest| rest.strip_suffix(".0")).ok_or_else(not_found)?;
    match number.parse::<u16>() {
        Ok(version) if (OLDEST..=newest).contains(&version) => Ok(version),
        Ok(version) if (7..OLDEST).contains(&version) => {
            Err(error(410, "GONE", "The requested resource has been retired or removed"))
        }
        _ => Err(not_found()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_releases() {
        assert_eq!(label(31), "Summer '14");
        assert_eq!(label(32), "Winter '15");
        assert_eq!(label(41), "Winter '18");
        assert_eq!(label(42), "Spring \u{2019}18");
        assert_eq!(label(66), "Spring '26");
    }

    #[test]
    fn retired_versions_are_gone_and_unknown_ones_not_found() {
        assert_eq!(parse("v59.0", 66).ok(), Some(59));
        assert_eq!(parse("v29.0", 66).err().map(|refusal| refusal.status), Some(410));
        for unknown in ["v67.0", "v59", "59.0", "v59.5", "v0.0"] {
            assert_eq!(
                parse(unknown, 66).err().map(|refusal| refusal.status),
                Some(404),
                "{unknown}"
            );
        }
    }
}
