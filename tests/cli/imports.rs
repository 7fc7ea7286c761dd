//! Lists of an administrator: what is accepted, what is refused, and what that leaves in use.

use std::fs::{self, File};
use std::path::Path;

use salesforce_sim::SimulatedOrg;
use serde_json::Value;

use crate::host::{Host, NAME};
use crate::workshop::workspace;

const HEAD: &str = "license,unit_price,currency,period\n";

fn collected() -> (SimulatedOrg, Host) {
    let org = SimulatedOrg::builder().users(60).seed(5).start();
    let host = Host::authorized(&org);
    host.collect(0);
    (org, host)
}

fn price(host: &Host, key: &str) -> Value {
    let report = host.report();
    let licenses = report["licenses"].as_array().expect("licences");
    let license = licenses.iter().find(|one| one["family"] == "user" && one["key"] == key);
    license.expect("the licence")["money"]["price"]["per_year"].clone()
}

fn imports<'a>(what: &'a str, file: &'a Path) -> [&'a str; 5] {
    ["imports", what, NAME, "prices", file.to_str().expect("a path")]
}

#[test]
fn an_untouched_template_leaves_the_list_in_use_and_one_price_in_it_is_one_line() {
    let (_org, host) = collected();
    let list = host.write("prices.csv", &format!("{HEAD}user/SFDC,165,EUR,month\n"));
    host.run(&imports("add", &list)).ok();
    let template = host.path("template.csv");
    let out = template.to_str().expect("a path");
    host.run(&["imports", "template", "prices", NAME, "--out", out]).ok();
    let text = fs::read_to_string(&template).expect("the template");
    let row = text.lines().find(|line| line.starts_with("user/SFDC,")).expect("a live row");
    assert!(row.contains("Salesforce"), "{row}");
    host.run(&imports("add", &template)).code(2).one_error("no line with a price", "template");
    assert_eq!(price(&host, "SFDC"), "1980.00", "the list in use stays");
    let priced = text.replace(row, &row.replacen(",,", ",200,", 1));
    host.write("template.csv", &priced);
    host.run(&imports("add", &template)).ok().shows("1 line of prices");
    assert_eq!(price(&host, "SFDC"), "2400.00");
}

#[test]
fn a_licence_is_named_by_key_by_name_or_by_both_and_an_unknown_one_is_refused() {
    let (_org, host) = collected();
    for name in ["SFDC", "Salesforce", "user/SFDC", "salesforce"] {
        host.run(&["imports", "remove", NAME, "prices"]).ok();
        let list = host.write("prices.csv", &format!("{HEAD}{name},165,EUR,month\n"));
        host.run(&imports("add", &list)).ok();
        assert_eq!(price(&host, "SFDC"), "1980.00", "{name}");
    }
    for name in ["NOPE", "user/NOPE"] {
        let list =
            host.write("wrong.csv", &format!("{HEAD}SFDC,1,EUR,month\n{name},1,EUR,month\n"));
        host.run(&imports("add", &list)).code(2).one_error("line 3", "template");
    }
    assert_eq!(price(&host, "SFDC"), "1980.00", "the list in use stays");
}

#[test]
fn a_decimal_comma_is_read_where_the_whole_file_has_it() {
    let (_org, host) = collected();
    let semicolons = HEAD.replace(',', ";").replace('\n', "\r\n");
    for (rows, per_year) in [
        ("SFDC;165,50;EUR;month\r\n", "1986.00"),
        ("SFDC;1.165,50;EUR;year\r\nAUL;25;EUR;month\r\n", "1165.50"),
        ("SFDC\t165,5\tEUR\tmonth\r\n", "1986.00"),
    ] {
        let separator = if rows.contains('\t') { "\t" } else { ";" };
        let text = format!("{}{rows}", semicolons.replace(';', separator));
        let list = host.write("prices.csv", &text);
        host.run(&imports("add", &list)).ok();
        assert_eq!(price(&host, "SFDC"), per_year, "{rows}");
    }
    for (rows, line) in [
        ("SFDC;165,50;EUR;month\r\nAUL;25.50;EUR;month\r\n", "line 3"),
        ("SFDC;1,234;EUR;month\r\n", "line 2"),
        ("# a remark\r\n\r\nSFDC;1x;EUR;month\r\n", "line 4"),
    ] {
        let list = host.write("wrong.csv", &format!("{semicolons}{rows}"));
        host.run(&imports("add", &list)).code(2).one_error(line, "template");
    }
    assert_eq!(price(&host, "SFDC"), "1986.00", "the list in use stays");
}

#[test]
fn a_spreadsheet_is_read_as_a_table_of_text_is() {
    let (_org, host) = collected();
    let sheet = workspace().join("tests/fixtures/prices.xlsx");
    host.run(&imports("add", &sheet)).ok().shows("2 lines of prices");
    assert_eq!(price(&host, "SFDC"), "1986.00");
    assert_eq!(price(&host, "AUL"), "300.00");
}

#[test]
fn a_check_shows_what_would_be_imported_and_stores_nothing() {
    let (_org, host) = collected();
    let rows = "Salesforce,165,EUR,month\nNOPE,1,EUR,month\nAUL,2,USD,week\nAUL,,EUR,month\n";
    let list = host.write("prices.csv", &format!("{HEAD}{rows}"));
    let (document, ran) = host.json(&imports("check", &list));
    ran.code(4);
    assert_eq!(document["ok"], false);
    let lines = document["problems"].as_array().expect("problems").iter();
    assert_eq!(lines.map(|one| one["line"].clone()).collect::<Vec<_>>(), [3, 4]);
    host.run(&imports("check", &list)).code(4).shows("NOPE");
    let mixed = format!("{HEAD}SFDC,165,EUR,month\nAUL,2,USD,month\nSFDC,,EUR,month\n");
    let list = host.write("prices.csv", &mixed);
    let (document, ran) = host.json(&imports("check", &list));
    ran.ok();
    assert_eq!((&document["ok"], &document["lines"]), (&true.into(), &2.into()));
    assert_eq!(document["passed_by"], 1);
    assert_eq!(document["rows"][0]["license"], "user/SFDC");
    assert!(document["warnings"][0].as_str().expect("a text").contains("EUR, USD"), "{document:#}");
    let (stored, _) = host.json(&["imports", "list", NAME]);
    assert_eq!(stored, serde_json::json!([]));
}

#[test]
fn undo_puts_the_list_before_in_use_again() {
    let (_org, host) = collected();
    for amount in ["165", "200"] {
        let list = host.write("prices.csv", &format!("{HEAD}SFDC,{amount},EUR,month\n"));
        host.run(&imports("add", &list)).ok();
    }
    assert_eq!(price(&host, "SFDC"), "2400.00");
    let undo = ["imports", "undo", NAME, "prices"];
    let (document, ran) = host.json(&undo);
    ran.ok();
    assert_eq!(document["in_use"]["name"], "prices.csv");
    assert_eq!(price(&host, "SFDC"), "1980.00");
    host.run(&["imports", "remove", NAME, "prices"]).ok();
    assert_eq!(price(&host, "SFDC"), Value::Null);
    host.run(&undo).ok();
    assert_eq!(price(&host, "SFDC"), "1980.00", "a removal is undone, too");
    host.run(&["imports", "undo", NAME, "staff"]).code(2).one_error("staff", "imports list");
}

#[test]
fn a_folder_a_device_and_a_file_that_is_too_large_are_refused_at_once() {
    let (_org, host) = collected();
    let huge = host.path("huge.csv");
    File::create(&huge).and_then(|file| file.set_len(10 << 30)).expect("a sparse file");
    let folder = host.path("folder.csv");
    fs::create_dir(&folder).expect("a folder");
    let mut files = vec![(huge.as_path(), "longer than"), (folder.as_path(), "folder.csv")];
    if cfg!(unix) {
        files.push((Path::new("/dev/zero"), "not a regular file"));
    }
    for (file, reason) in files {
        for what in ["add", "check"] {
            let ran = host.run(&imports(what, file)).code(2);
            assert!(ran.stderr.contains(reason), "{}", ran.stderr);
        }
    }
}
