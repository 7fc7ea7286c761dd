//! What no org holds and an administrator brings along: prices, order forms, a list of staff. Made from the same
//! seed, with what rules must find and must leave alone once these lists are there.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate};

use crate::clock::DAY;
use crate::org::Estate;
use crate::org::catalog;
use crate::org::population::{Era, Usage};
use crate::org::rules::{Case, RuleTruth};
use crate::org::truth::LicenseTruth;
use crate::org::users::UserRow;

/// Lists from elsewhere, as CSV with a header line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// What a unit of each licence costs.
    pub prices: String,
    /// Lines of order forms.
    pub contract: String,
    /// Staff, some of whom have left.
    pub staff: String,
    /// What follows: R15, R16, R21, and of R20 what is about contracts, by their numbers.
    pub rules: Vec<RuleTruth>,
}

/// Licence charged by logins, the one charged by member that it replaces, and the price of each in EUR a month.
const WAYS_TO_CHARGE: [(&str, i64, &str, i64); 2] = [
    ("PID_Customer_Community_Login", 2, "PID_Customer_Community", 5),
    ("PID_Customer_Community_Plus_Login", 2, "PID_Customer_Community_Plus", 6),
];

impl Estate {
    /// The lists, and what rules must find with them.
    pub fn elsewhere(&self) -> Elsewhere {
        let (prices, by_price) = self.prices();
        let (contract, by_contract) = self.contract();
        let (staff, by_staff) = self.staff();
        let mut rules = vec![by_staff, by_price];
        rules.extend(by_contract);
        Elsewhere { prices, contract, staff, rules }
    }

    fn pool(&self, key: &str) -> LicenseTruth {
        self.license_truth(catalog::license(key))
    }

    fn day(&self, from_now: i64) -> NaiveDate {
        DateTime::from_timestamp(self.now + from_now * DAY, 0).unwrap_or_default().date_naive()
    }

    /// R16: members, or logins.
    fn prices(&self) -> (String, RuleTruth) {
        let mut list = "license,unit_price,currency,period,alternative_to\n\
                        user/SFDC,165,EUR,month,\nuser/AUL,25,EUR,month,\n\
                        user/PID_Partner_Community,10,EUR,month,\n"
            .to_owned();
        let mut rule = RuleTruth::new("R16", "UserLicense");
        let mut spare = |id: String, reason| rule.silent.push(Case { id, reason });
        spare(self.pool("SFDC").id, "there is no other way to charge for it");
        spare(self.pool("PID_Partner_Community").id, "there is no other way to charge for it");
        for (by_login, login_price, by_member, member_price) in WAYS_TO_CHARGE {
            let _ = writeln!(list, "user/{by_member},{member_price},EUR,month,");
            let _ = writeln!(list, "user/{by_login},{login_price},EUR,month,user/{by_member}");
            let (logins, members) = (self.pool(by_login), self.pool(by_member));
            let used = logins.monthly_logins_used.unwrap_or(0);
            match logins.assigned {
                0 => rule.silent.push(Case { id: logins.id, reason: "nobody has it" }),
                // The month's logins so far are enough to say so, whatever day it is.
                people if used * login_price > people * member_price => {
                    let reason = "the same people would cost less as members";
                    rule.found.push(Case { id: logins.id, reason });
                }
                _ => {}
            }
            // Half a login more or less a month, and a price that must differ by a fifth, leave room for the hour of
            // the day.
            let a_month = self.days_used(by_member) / 3;
            let (now, then) = (members.assigned * member_price, a_month * login_price);
            match members.assigned {
                0 => rule.silent.push(Case { id: members.id, reason: "nobody has it" }),
                _ if then * 12 < now * 10 => {
                    let reason = "the logins of the same people would cost less";
                    rule.found.push(Case { id: members.id, reason });
                }
                _ if then * 10 > now * 12 => {
                    let reason = "the logins of the same people would cost more";
                    rule.silent.push(Case { id: members.id, reason });
                }
                _ => {}
            }
        }
        (list, rule)
    }

    /// Days with a login within 90 days, summed over the holders of a licence.
    fn days_used(&self, key: &str) -> i64 {
        let license = catalog::license(key);
        let mut days = 0;
        for (region, segment, _, found) in self.population.segments() {
            if found.license == Some(license) && found.usage.is_active() {
                for offset in 0..found.len() {
                    let place = crate::org::population::Place { region, segment, offset };
                    days += self.days_with_logins(self.population.row(place), 90) as i64;
                }
            }
        }
        days
    }

    /// R21: contract against org; R20 as far as it is about contracts.
    fn contract(&self) -> (String, [RuleTruth; 2]) {
        let mut list = "contract,product,quantity,unit_price,currency,period,start_on,end_on,\
                        notice_days,auto_renew,licenses\n"
            .to_owned();
        let [full, platform, partner] =
            ["SFDC", "AUL", "PID_Partner_Community"].map(|k| self.pool(k));
        let mut line = |contract: &str,
                        product: &str,
                        quantity: i64,
                        from: i64,
                        to: i64,
                        notice: i64,
                        key: &str| {
            let (from, to) = (self.day(from), self.day(to));
            let _ = writeln!(
                list,
                "{contract},{product},{quantity},,,,{from},{to},{notice},yes,user/{key}"
            );
        };
        line("C-100", "Full users", full.purchased + 10, -300, 65, 60, "SFDC");
        line("C-200", "Platform users", platform.purchased - 3, -300, 400, 30, "AUL");
        line("C-201", "Platform users later", 3, -100, 400, 30, "AUL");
        line(
            "C-050",
            "Partners until lately",
            partner.purchased + 50,
            -385,
            -20,
            60,
            "PID_Partner_Community",
        );
        let mut differs = RuleTruth::new("R21", "UserLicense");
        differs
            .found
            .push(Case { id: full.id, reason: "ten more were ordered than the org shows" });
        for (id, reason) in [
            (platform.id, "two lines together come to what the org shows"),
            (partner.id, "the order has ended"),
        ] {
            differs.silent.push(Case { id, reason });
        }
        let mut ends = RuleTruth::new("R20", "contract");
        ends.found.push(Case { id: "C-100".to_owned(), reason: "notice is due in five days" });
        for (id, reason) in [
            ("C-200", "notice is due in a year"),
            ("C-201", "notice is due in a year"),
            ("C-050", "it has ended"),
        ] {
            ends.silent.push(Case { id: id.to_owned(), reason });
        }
        (list, [differs, ends])
    }

    /// R15: staff who left and still have a seat.
    fn staff(&self) -> (String, RuleTruth) {
        let mut list = "federation_id,email,employee_number,ended_on\n".to_owned();
        let mut rule = RuleTruth::new("R15", "User");
        let [full, platform, free] = ["SFDC", "AUL", "PID_CHATTER"].map(catalog::license);
        let person = |license, usage, offset| {
            let row = self.population.find(Era::Settled, license, usage, offset)?;
            Some((self.id("User", row).to_string(), UserRow::read(self, row)))
        };
        // Written as somebody in another department would.
        if let Some((id, user)) = person(full, Usage::Heavy, 2) {
            let _ = writeln!(list, ",\" {}\",,{}", user.email(self).to_uppercase(), self.day(-10));
            rule.found.push(Case { id, reason: "left ten days ago, by mail address" });
        }
        if let Some((id, user)) = person(platform, Usage::Idle, 3) {
            let number = user.employee_number().unwrap_or_default();
            let _ = writeln!(list, ",,{number},{}", self.day(-40));
            rule.found.push(Case { id, reason: "left 40 days ago, by staff number" });
        }
        let federated = (0..10).find_map(|offset| {
            let (id, user) = person(full, Usage::Light, offset)?;
            Some((id, user.federation_identifier(self)?))
        });
        if let Some((id, federation)) = federated {
            let _ = writeln!(list, "{federation},,,{}", self.day(-1));
            rule.found.push(Case { id, reason: "left yesterday, by federation identifier" });
        }
        for (license, usage, offset, ended_on, reason) in [
            (full, Usage::Light, 12, Some(40), "leaves in 40 days"),
            (full, Usage::Light, 13, None, "is employed"),
            (full, Usage::Leaver, 2, Some(-30), "the account is not active"),
            (free, Usage::Light, 1, Some(-30), "the licence costs nothing"),
        ] {
            if let Some((id, user)) = person(license, usage, offset) {
                let ended_on = ended_on.map_or_else(String::new, |days| self.day(days).to_string());
                let _ = writeln!(list, ",{},,{ended_on}", user.email(self));
                rule.silent.push(Case { id, reason });
            }
        }
        let _ = writeln!(list, ",nobody@elsewhere.example,,{}", self.day(-5));
        (list, rule)
    }
}
