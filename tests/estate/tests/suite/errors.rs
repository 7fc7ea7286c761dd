//! Refusals, to the letter.

use crate::org::Org;

fn check(soql: &str, code: &str, message: &str) {
    assert_eq!(Org::of(20, 1).refused(soql), (code.to_owned(), message.to_owned()), "{soql}");
}

#[test]
fn an_unknown_object_is_an_invalid_type() {
    check(
        "select count() from XYZZY",
        "INVALID_TYPE",
        "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\nsObject type 'XYZZY' is not \
         supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. \
         Please reference your WSDL or the describe call for the appropriate names.",
    );
}

#[test]
fn an_unknown_field_is_an_invalid_field() {
    check(
        "SELECT Id, Foo FROM UserLicense",
        "INVALID_FIELD",
        "\nSELECT Id, Foo FROM UserLicense\n           ^\nERROR at Row:1:Column:12\nNo such column 'Foo' on entity \
         'UserLicense'. If you are attempting to use a custom field, be sure to append the '__c' after the custom \
         field name. Please reference your WSDL or the describe call for the appropriate names.",
    );
}

#[test]
fn a_query_that_ends_early_is_malformed() {
    check("SELECT Id FROM User WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'");
}

#[test]
fn used_licenses_can_be_filtered_before_version_64_only() {
    let mut org = Org::of(20, 1);
    let soql = "SELECT Id FROM UserLicense WHERE UsedLicenses > 0";
    org.version = 63;
    assert!(org.result(soql).is_ok());
    org.version = 64;
    assert_eq!(org.refused(soql), (
        "INVALID_FIELD".to_owned(),
        "\nSELECT Id FROM UserLicense WHERE UsedLicenses > 0\n                                 ^\nERROR at \
         Row:1:Column:34\nfield 'UsedLicenses' can not be filtered in a query call"
            .to_owned()
    ));
}

#[test]
fn fields_that_cannot_be_filtered_sorted_or_grouped_say_so() {
    let org = Org::of(20, 1);
    for (soql, verb) in [
        ("SELECT Id FROM LoginHistory WHERE Status = 'Success'", "filtered"),
        ("SELECT Id FROM SetupAuditTrail WHERE Section = 'x'", "filtered"),
        ("SELECT Id FROM TenantUsageEntitlement WHERE MasterLabel = 'x'", "filtered"),
        ("SELECT Id FROM TenantUsageEntitlement ORDER BY MasterLabel", "sorted"),
        ("SELECT COUNT(Id) FROM User GROUP BY LastLoginDate", "grouped"),
    ] {
        let (code, message) = org.refused(soql);
        assert_eq!(code, "INVALID_FIELD", "{soql}");
        assert!(message.ends_with(&format!("can not be {verb} in a query call")), "{message}");
    }
}

#[test]
fn an_unknown_relationship_is_not_understood() {
    let org = Org::of(20, 1);
    for soql in ["SELECT User.Name FROM UserLogin", "SELECT User.Name FROM LoginHistory"] {
        let (code, message) = org.refused(soql);
        assert_eq!(code, "INVALID_FIELD");
        assert!(message.contains(
            "\nERROR at Row:1:Column:8\nDidn't understand relationship 'User' in field path. "
        ));
    }
}

#[test]
fn an_offset_beyond_2000_is_out_of_range() {
    check(
        "SELECT Id FROM User OFFSET 2001",
        "NUMBER_OUTSIDE_VALID_RANGE",
        "Maximum SOQL offset allowed is 2000",
    );
    assert_eq!(Org::of(20, 1).count("SELECT Id FROM User OFFSET 2000"), 0);
}

#[test]
fn more_than_2000_groups_need_a_limit() {
    let org = Org::of(2_500, 1);
    let soql = "SELECT Id, COUNT(Username) FROM User GROUP BY Id";
    assert_eq!(org.refused(soql), (
        "EXCEEDED_ID_LIMIT".to_owned(),
        "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch".to_owned()
    ));
    assert_eq!(org.count(&format!("{soql} LIMIT 2000")), 2_000);
}

#[test]
fn literals_must_be_of_the_fields_type() {
    let org = Org::of(20, 1);
    for (soql, end) in [
        (
            "SELECT Id FROM User WHERE IsActive = 'true'",
            "field 'IsActive' must be of type boolean and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM User WHERE LastName = 5",
            "field 'LastName' must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM User WHERE CreatedDate > 2026-01-01",
            "field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes",
        ),
    ] {
        let (code, message) = org.refused(soql);
        assert_eq!(code, "INVALID_FIELD");
        assert!(message.ends_with(end), "{message}");
    }
    let (code, message) = org.refused("SELECT Id FROM User WHERE Id = '123'");
    assert_eq!(code, "INVALID_QUERY_FILTER_OPERATOR");
    assert!(message.ends_with("invalid ID field: 123"));
    assert_eq!(
        org.refused("SELECT Id FROM User WHERE CreatedDate LIKE 'x'").0,
        "INVALID_QUERY_FILTER_OPERATOR"
    );
    assert_eq!(
        org.refused("SELECT Id FROM User WHERE LastName INCLUDES ('x')").0,
        "INVALID_QUERY_FILTER_OPERATOR"
    );
}

#[test]
fn fields_all_needs_a_limit_of_200() {
    let message = "The SOQL FIELDS function must have a LIMIT of at most 200";
    check("SELECT FIELDS(ALL) FROM User", "MALFORMED_QUERY", message);
    check("SELECT FIELDS(ALL) FROM User LIMIT 201", "MALFORMED_QUERY", message);
}

#[test]
fn selected_fields_must_be_grouped() {
    let (code, message) = Org::of(20, 1).refused("SELECT LastName, COUNT(Id) FROM User");
    assert_eq!(code, "MALFORMED_QUERY");
    assert!(message.ends_with("Field must be grouped or aggregated: LastName"));
}

#[test]
fn the_audit_trail_can_be_counted_but_not_aggregated() {
    let org = Org::of(20, 1);
    assert!(org.count("SELECT COUNT() FROM SetupAuditTrail") > 0);
    org.refused("SELECT COUNT(Id) FROM SetupAuditTrail");
}

#[test]
fn an_unknown_child_relationship_is_refused() {
    let (_, message) = Org::of(20, 1).refused("SELECT Id, (SELECT Id FROM Nonsense) FROM User");
    assert!(
        message.contains("Didn't understand relationship 'Nonsense' in FROM part of query call.")
    );
}

#[test]
fn errors_are_written_as_an_array_of_one() {
    let org = Org::of(20, 1);
    let body = org.result("SELECT Id FROM").unwrap_err().to_body();
    assert_eq!(
        body,
        "[{\"message\":\"unexpected token: '<EOF>'\",\"errorCode\":\"MALFORMED_QUERY\"}]"
    );
}
