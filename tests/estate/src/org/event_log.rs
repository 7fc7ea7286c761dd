//! `EventLogFile`: the files an org without the add-on has, and what is in them.
//!
//! Every row of a file has the same length, so that the length of a file follows from the number of its rows.

use crate::clock::{self, DAY, HOUR};
use crate::org::Estate;
use crate::org::logins::{LoginReader, StreamKind};
use crate::org::population::ADMIN;
use crate::org::stored::StoredTable;
use crate::random;
use crate::value::{Value, append};

/// Type, column names and column types of the files, in row order.
const FILES: &[(&str, &str, &str)] = &[
    (
        "Login",
        "EVENT_TYPE,TIMESTAMP,REQUEST_ID,ORGANIZATION_ID,USER_ID,RUN_TIME,URI,USER_TYPE,LOGIN_STATUS,SOURCE_IP,TIMESTAMP_DERIVED,USER_ID_DERIVED",
        "String,DateTime,Id,Id,Id,Number,String,String,String,String,DateTime,Id",
    ),
    (
        "ApiTotalUsage",
        "EVENT_TYPE,TIMESTAMP,REQUEST_ID,ORGANIZATION_ID,USER_ID,API_FAMILY,API_VERSION,HTTP_METHOD,STATUS_CODE,TIMESTAMP_DERIVED,USER_ID_DERIVED",
        "String,DateTime,Id,Id,Id,String,String,String,Number,DateTime,Id",
    ),
];

/// The day the files are about: that before "now".
fn day(estate: &Estate) -> i64 {
    (estate.now.div_euclid(DAY) - 1) * DAY
}

fn logins(estate: &Estate) -> std::ops::Range<u64> {
    let from = day(estate);
    let at = |time| estate.logins.first_at(&estate.population, time);
    at(from)..at(from + DAY)
}

fn header(columns: &str) -> String {
    let quoted: Vec<String> = columns.split(',').map(|name| format!("\"{name}\"")).collect();
    format!("{}\n", quoted.join(","))
}

/// `EventLogFile`.
pub(crate) fn files(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("EventLogFile");
    for (file, (event, columns, types)) in FILES.iter().enumerate() {
        let id = estate.id("EventLogFile", table.next());
        let created = day(estate) + DAY + 3 * HOUR;
        table
            .row()
            .set("Id", Value::Id(id))
            .text("EventType", *event)
            .text("Interval", "Daily")
            .int("Sequence", 0)
            .set("LogDate", Value::Instant(day(estate)))
            .set("LogFileLength", Value::Double(length(estate, file) as f64))
            .text("LogFileContentType", "text/csv")
            .set("ApiVersion", Value::Double(66.0))
            .text("LogFileFieldNames", *columns)
            .text("LogFileFieldTypes", *types)
            .stamp(created, created, estate.id("User", ADMIN));
    }
    table
}

fn length(estate: &Estate, file: usize) -> u64 {
    let rows = logins(estate);
    let mut row = String::new();
    if rows.start < rows.end {
        write_row(estate, file, &mut LoginReader::default(), rows.start, &mut row);
    }
    header(FILES[file].1).len() as u64 + row.len() as u64 * (rows.end - rows.start)
}

/// The content of a file, as CSV with every value quoted.
pub(crate) fn content(estate: &Estate, file: u64) -> Option<String> {
    let file = usize::try_from(file).ok().filter(|file| *file < FILES.len())?;
    let mut text = header(FILES[file].1);
    let mut reader = LoginReader::default();
    for row in logins(estate) {
        write_row(estate, file, &mut reader, row, &mut text);
    }
    Some(text)
}

fn write_row(estate: &Estate, file: usize, reader: &mut LoginReader, row: u64, out: &mut String) {
    let login = reader.read(&estate.logins, &estate.population, row);
    let user = estate.id("User", login.user).to_string();
    let organization = estate.organization_id();
    let mut at = String::new();
    clock::write_instant(login.at, &mut at);
    let compact: String = at[..19].chars().filter(char::is_ascii_digit).collect();
    let derived = format!("{}.{:03}Z", &at[..19], login.dice % 1_000);
    let request = random::mix(estate.seed(), 0x81, row);
    append(
        out,
        format_args!(
            "\"{}\",\"{compact}.{:03}\",\"4{request:021}\",\"{}\",\"{}\",",
            FILES[file].0,
            login.dice % 1_000,
            &organization[..15],
            &user[..15],
        ),
    );
    match file {
        0 => {
            let failed = login.kind == StreamKind::Failed;
            // Address and status have the same length together.
            let (uri, status) = match failed {
                true => ("/login/2", "LOGIN_ERROR_INVALID_PASSWORD"),
                false => ("/services/oauth2/token", "LOGIN_NO_ERROR"),
            };
            append(
                out,
                format_args!(
                    "\"{}\",\"{uri}\",\"Standard\",\"{status}\",\"192.0.2.{}\",",
                    100 + login.dice % 900,
                    100 + login.user % 155,
                ),
            );
        }
        _ => append(out, format_args!("\"REST\",\"65.0\",\"GET\",\"200\",")),
    }
    append(out, format_args!("\"{derived}\",\"{user}\"\n"));
}
