use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use connector_api::manifest::{DatasetSpec, FieldType, Manifest};
use connector_api::message::DatasetStatus;

use super::{Each, Exported, Format, Options, Records, write};
use crate::error::{HostError, Kind};
use crate::store::{DatasetInfo, Value};
use crate::test_estate::spec;

/// A value of [`Things`].
#[derive(Clone, Debug)]
enum Kept {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

/// The records of `thing`; `other` has none.
#[derive(Default)]
struct Things(Vec<Vec<Kept>>);

impl Records for Things {
    fn each(&self, spec: &DatasetSpec, each: &mut Each<'_>) -> Result<(), HostError> {
        for row in self.0.iter().filter(|_| spec.name == "thing") {
            let value = |kept| match kept {
                &Kept::Null => Value::Null,
                &Kept::Integer(number) => Value::Integer(number),
                &Kept::Real(number) => Value::Real(number),
                Kept::Text(text) => Value::Text(text),
            };
            each(&row.iter().map(value).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

type Estate = (Things, Manifest, Vec<DatasetInfo>);

/// A dataset with a column of each type.
fn estate() -> Estate {
    let fields = [
        ("Id", FieldType::Integer),
        ("Owner.Name", FieldType::Text),
        ("Flag", FieldType::Boolean),
        ("Share", FieldType::Double),
        ("At", FieldType::Timestamp),
        ("On", FieldType::Date),
    ];
    let mut manifest = Manifest::new("sample", "Sample Cloud", "1.0.0");
    manifest.datasets = vec![spec("thing", &["Id"], &fields), spec("other", &["Id"], &fields[..1])];
    let info = |name: &str| DatasetInfo {
        dataset: name.into(),
        status: DatasetStatus::Complete,
        rows: 0,
        expected: None,
        missing_fields: Vec::new(),
        reason: None,
        as_of: crate::time::now(),
    };
    (Things::default(), manifest, vec![info("thing"), info("other")])
}

fn insert(things: &mut Things, id: i64, name: Option<&str>) {
    things.0.push(vec![
        Kept::Integer(id),
        name.map_or(Kept::Null, |name| Kept::Text(name.into())),
        Kept::Integer(1),
        Kept::Real(-0.5),
        Kept::Integer(1_772_337_906_007),
        Kept::Integer(-1),
    ]);
}

fn options(format: Format, out: &Path) -> Options {
    Options { format, out: out.to_owned(), datasets: vec!["thing".into()], raw: false }
}

fn exported(estate: &Estate, options: &Options) -> Result<Exported, HostError> {
    write(&estate.0, &estate.1, &estate.2, options)
}

fn written(estate: &Estate, format: Format, raw: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { raw, ..options(format, folder.path()) };
    let done = exported(estate, &options).unwrap();
    let bytes = std::fs::read(&done.files[0].path).unwrap();
    assert_eq!(done.files[0].bytes, bytes.len() as u64);
    bytes
}

#[test]
fn csv_has_a_head_and_survives_quotes_commas_and_newlines() {
    let mut estate = estate();
    insert(&mut estate.0, 1, None);
    insert(&mut estate.0, 2, Some("O'Neil, \"Zoë\"\r\nsecond line"));
    let text = String::from_utf8(written(&estate, Format::Csv, false)).unwrap();
    assert_eq!(
        text,
        "Id,Owner.Name,Flag,Share,At,On\r\n\
         1,,true,-0.5,2026-03-01T04:05:06.007Z,1969-12-31\r\n\
         2,\"O'Neil, \"\"Zoë\"\"\r\nsecond line\",true,-0.5,2026-03-01T04:05:06.007Z,1969-12-31\r\n"
    );
}

#[test]
fn csv_disarms_texts_that_a_spreadsheet_would_run_unless_told_not_to() {
    let formulas = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\u{FF1D}1",
        "\u{FF0B}1",
        "\u{FF0D}1",
        "\u{FF20}x",
    ];
    let mut estate = estate();
    for (at, formula) in formulas.iter().enumerate() {
        insert(&mut estate.0, at as i64, Some(formula));
    }
    insert(&mut estate.0, 99, Some("a=1"));
    let names = |raw: bool| -> Vec<String> {
        let bytes = written(&estate, Format::Csv, raw);
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        reader.records().map(|record| record.unwrap()[1].to_owned()).collect()
    };
    for (shown, formula) in names(false).iter().zip(formulas) {
        assert_eq!(*shown, format!("'{formula}"));
    }
    assert_eq!(names(false)[formulas.len()], "a=1");
    assert_eq!(names(true)[..formulas.len()], formulas);
}

#[test]
fn jsonl_keeps_types_nulls_and_hostile_text() {
    let mut estate = estate();
    insert(&mut estate.0, 1, None);
    insert(&mut estate.0, i64::MAX, Some("=1\n\u{2028}\"<"));
    let text = String::from_utf8(written(&estate, Format::Jsonl, false)).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines,
        [
            serde_json::json!({"Id": 1, "Owner.Name": null, "Flag": true, "Share": -0.5,
                "At": "2026-03-01T04:05:06.007Z", "On": "1969-12-31"}),
            serde_json::json!({"Id": i64::MAX, "Owner.Name": "=1\n\u{2028}\"<", "Flag": true,
                "Share": -0.5, "At": "2026-03-01T04:05:06.007Z", "On": "1969-12-31"}),
        ]
    );
    assert!(text.starts_with(r#"{"Id":1,"Owner.Name":null,"#), "keys in the manifest's order");
}

fn parquet_batches(bytes: Vec<u8>) -> Vec<RecordBatch> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file.reopen().unwrap())
        .unwrap()
        .build()
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn parquet_comes_back_with_the_manifest_s_types() {
    let mut estate = estate();
    insert(&mut estate.0, 1, None);
    insert(&mut estate.0, 2, Some("=not a formula here"));
    let batches = parquet_batches(written(&estate, Format::Parquet, false));
    let batch = &batches[0];
    let types: Vec<DataType> =
        batch.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(
        types,
        [
            DataType::Int64,
            DataType::Utf8,
            DataType::Boolean,
            DataType::Float64,
            DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into())),
            DataType::Date32,
        ]
    );
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[1, 2]);
    let names = batch.column(1).as_string::<i32>();
    assert!(names.is_null(0));
    assert_eq!(names.value(1), "=not a formula here");
    assert!(batch.column(2).as_boolean().value(0));
    assert_eq!(batch.column(3).as_primitive::<Float64Type>().value(0), -0.5);
    let at = batch.column(4).as_primitive::<TimestampMillisecondType>();
    assert_eq!(at.value(0), 1_772_337_906_007);
    assert_eq!(batch.column(5).as_primitive::<Date32Type>().value(0), -1);
}

#[test]
fn many_records_and_none_at_all_are_both_whole_files() {
    let mut estate = estate();
    assert_eq!(parquet_batches(written(&estate, Format::Parquet, false)).len(), 0);
    assert_eq!(written(&estate, Format::Jsonl, false), b"");
    for id in 1..=20_000 {
        insert(&mut estate.0, id, Some("n"));
    }
    let batches = parquet_batches(written(&estate, Format::Parquet, false));
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 20_000);
    let lines = written(&estate, Format::Csv, false).iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 20_001);
}

#[test]
fn an_unknown_dataset_is_wrong_usage_and_nothing_is_written() {
    let estate = estate();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let options = Options { datasets: vec!["nope".into()], ..options(Format::Csv, &out) };
    let error = exported(&estate, &options).unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert_eq!(error.hint.as_deref(), Some("known are: thing, other"));
    assert!(!out.exists());
}

#[test]
fn a_dataset_that_was_not_read_gets_no_file_and_is_named_with_its_reason() {
    let mut estate = estate();
    insert(&mut estate.0, 1, None);
    estate.2[0].status = DatasetStatus::Denied;
    estate.2[0].reason = Some("it needs a right".into());
    estate.2[1].status = DatasetStatus::Incomplete;
    let folder = tempfile::tempdir().unwrap();
    let options = Options { datasets: Vec::new(), ..options(Format::Csv, folder.path()) };
    let done = exported(&estate, &options).unwrap();
    assert_eq!(done.skipped.len(), 1);
    assert_eq!(
        (done.skipped[0].status.as_str(), done.skipped[0].reason.as_str()),
        ("denied", "it needs a right")
    );
    assert_eq!((done.files[0].dataset.as_str(), done.files[0].status), ("other", "incomplete"));
    assert!(!folder.path().join("thing.csv").exists());
}

#[test]
fn a_second_export_replaces_the_first() {
    let mut estate = estate();
    let folder = tempfile::tempdir().unwrap();
    insert(&mut estate.0, 1, None);
    exported(&estate, &options(Format::Jsonl, folder.path())).unwrap();
    insert(&mut estate.0, 2, None);
    let done = exported(&estate, &options(Format::Jsonl, folder.path())).unwrap();
    assert_eq!(done.files[0].rows, 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
}

#[test]
fn a_value_of_the_wrong_type_fails_without_showing_it_and_leaves_no_file() {
    let mut estate = estate();
    insert(&mut estate.0, 1, None);
    estate.0.0[0][2] = Kept::Text("canary".into());
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Csv, Format::Jsonl, Format::Parquet] {
        let error = exported(&estate, &options(format, folder.path())).unwrap_err();
        assert!(error.message.contains("`Flag`") && !error.message.contains("canary"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[cfg(unix)]
#[test]
fn folder_and_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let estate = estate();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a/b");
    exported(&estate, &options(Format::Csv, &out)).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&out), mode(&out.join("thing.csv"))), (0o700, 0o600));
}
