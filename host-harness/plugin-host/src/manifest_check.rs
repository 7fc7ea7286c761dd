//! Whether a connector's description can be used: its names become file names, columns and views.

use connector_api::manifest::{DatasetSpec, Manifest};

const MOST_DATASETS: usize = 500;
const MOST_FIELDS: usize = 1_000;

/// Checks a manifest.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(manifest: &Manifest) -> Result<(), String> {
    slug("id", &manifest.id)?;
    for (what, text) in [("title", &manifest.title), ("version", &manifest.version)] {
        if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) {
            return Err(format!("its {what} is empty, too long or not printable"));
        }
    }
    for (position, setting) in manifest.settings.iter().enumerate() {
        slug("setting", &setting.name)?;
        let twice = manifest.settings[..position].iter().any(|other| other.name == setting.name);
        if twice {
            return Err(format!("setting `{}` is declared twice", setting.name));
        }
    }
    if manifest.datasets.len() > MOST_DATASETS {
        return Err(format!("it has more than {MOST_DATASETS} datasets"));
    }
    for (position, dataset) in manifest.datasets.iter().enumerate() {
        slug("dataset", &dataset.name)?;
        if manifest.datasets[..position].iter().any(|other| other.name == dataset.name) {
            return Err(format!("dataset `{}` is declared twice", dataset.name));
        }
        check_dataset(dataset).map_err(|reason| format!("dataset `{}`: {reason}", dataset.name))?;
    }
    Ok(())
}

fn check_dataset(dataset: &DatasetSpec) -> Result<(), String> {
    if dataset.fields.len() > MOST_FIELDS {
        return Err(format!("it has more than {MOST_FIELDS} fields"));
    }
    for (position, field) in dataset.fields.iter().enumerate() {
        let name = &field.name;
        if name.is_empty() || name.len() > 200 || name.starts_with('_') {
            return Err(format!("field name `{}` cannot be used", name.escape_debug()));
        }
        if name.chars().any(|c| c.is_control() || c == '"') {
            return Err(format!("field name `{}` cannot be used", name.escape_debug()));
        }
        // Columns are compared without regard to ASCII case.
        let twice =
            dataset.fields[..position].iter().any(|other| other.name.eq_ignore_ascii_case(name));
        if twice {
            return Err(format!("field `{name}` is declared twice"));
        }
    }
    if dataset.key.is_empty() {
        return Err("it has no key".into());
    }
    for key in &dataset.key {
        if !dataset.fields.iter().any(|field| field.name == *key) {
            return Err(format!("its key `{key}` is not among its fields"));
        }
    }
    Ok(())
}

/// Lower-case ASCII letters, digits and `_`, starting with a letter.
fn slug(what: &str, name: &str) -> Result<(), String> {
    let fits = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if fits {
        return Ok(());
    }
    Err(format!("{what} `{}` must be lower-case letters, digits and `_`", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use connector_api::manifest::{FieldSpec, FieldType};

    use super::*;

    fn manifest(key: &[&str], fields: &[&str]) -> Manifest {
        let mut manifest = Manifest::new("sample", "Sample", "1.0.0");
        manifest.datasets.push(DatasetSpec {
            name: "user".into(),
            key: key.iter().map(|name| (*name).into()).collect(),
            fields: fields
                .iter()
                .map(|name| FieldSpec { name: (*name).into(), kind: FieldType::Text })
                .collect(),
            ..DatasetSpec::default()
        });
        manifest
    }

    #[test]
    fn a_description_with_dotted_paths_is_usable() {
        check(&manifest(&["Id"], &["Id", "Profile.UserLicenseId"])).unwrap();
    }

    #[test]
    fn names_that_would_break_tables_or_files_are_refused() {
        for (bad, part) in [
            (manifest(&[], &["Id"]), "no key"),
            (manifest(&["Id"], &["Name"]), "not among its fields"),
            (manifest(&["Id"], &["Id", "ID"]), "declared twice"),
            (manifest(&["Id"], &["Id", "_from"]), "cannot be used"),
            (manifest(&["Id"], &["Id", "a\"b"]), "cannot be used"),
            (Manifest::new("../x", "X", "1"), "must be lower-case"),
            (Manifest::new("x", "X\u{1b}", "1"), "not printable"),
        ] {
            let reason = check(&bad).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        }
    }
}
