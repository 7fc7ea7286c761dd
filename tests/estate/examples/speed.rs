use estate::*;
use std::{sync::Arc, time::Instant};
fn main() {
    let t = Instant::now();
    let estate = Arc::new(Estate::new(EstateSpec { users: 1_000_000, ..Default::default() }));
    println!("new {:?}", t.elapsed());
    let v = Viewer::guide(estate.admin().user_id);
    let q30 = "SELECT Id, Username, Email, Name, FirstName, LastName, Alias, FederationIdentifier, EmployeeNumber, Department, Division, CompanyName, Title, Country, IsActive, ProfileId, Profile.Name, Profile.UserLicense.LicenseDefinitionKey, UserRoleId, UserType, ManagerId, ContactId, AccountId, LastLoginDate, LastPasswordChangeDate, CreatedDate, LastModifiedDate, SystemModstamp, LanguageLocaleKey, TimeZoneSidKey, UserPermissionsMarketingUser FROM User";
    let bench = |name: &str, q: &str| {
        let t = Instant::now();
        let r = query(&estate, &v, q, 60, false).unwrap();
        let tq = t.elapsed();
        let n = r.len();
        let mut off = 0;
        let mut bytes = 0;
        let t = Instant::now();
        let mut s = String::new();
        while off < n.min(1_000_000) {
            s.clear();
            r.write_records(off, 2000, &mut s);
            bytes += s.len();
            off += 2000;
        }
        let d = t.elapsed();
        println!(
            "{name}: total {} query {:?} write {:?} {:.0} rows/s {:.1} MB",
            r.total_size(),
            tq,
            d,
            (n.min(1_000_000)) as f64 / d.as_secs_f64(),
            bytes as f64 / 1e6
        );
    };
    bench("user30", q30);
    bench("user30 by id", &format!("{q30} ORDER BY Id"));
    bench("id only", "SELECT Id FROM User");
    bench(
        "logins",
        "SELECT Id, UserId, LoginTime, LoginType, LoginSubType, Status, Application, SourceIp, CountryIso FROM LoginHistory ORDER BY LoginTime, Id",
    );
    bench(
        "psa",
        "SELECT Id, AssigneeId, PermissionSetId, PermissionSetGroupId, ExpirationDate, IsActive, SystemModstamp FROM PermissionSetAssignment WHERE PermissionSet.IsOwnedByProfile = false",
    );
    bench("active", "SELECT Id FROM User WHERE IsActive = true");
    bench("by stamp", "SELECT Id FROM User ORDER BY SystemModstamp, Id");
    bench("group", "SELECT ProfileId, COUNT(Id) FROM User GROUP BY ProfileId");
    bench(
        "userlogin",
        "SELECT Id, UserId, IsFrozen, IsPasswordLocked, LastModifiedDate FROM UserLogin",
    );
    let t = Instant::now();
    for i in 0..2000 {
        let id = estate.admin().user_id;
        let _ = query(
            &estate,
            &v,
            &format!("SELECT Id FROM User WHERE Id > '{id}' ORDER BY Id LIMIT {i}"),
            60,
            false,
        )
        .unwrap();
    }
    println!("keyset query {:?} each", t.elapsed() / 2000);
    let t = Instant::now();
    let r = query(
        &estate,
        &v,
        "SELECT Id FROM LoginHistory WHERE LoginTime = LAST_N_DAYS:1 ORDER BY LoginTime, Id",
        60,
        false,
    )
    .unwrap();
    println!("login window {} in {:?}", r.len(), t.elapsed());
    let t = Instant::now();
    describe(&estate, &v, "User", 60).unwrap();
    println!("describe User {:?}", t.elapsed());
}
