//! The share of the org's daily API requests that a run may use.
//!
//! # Source
//! REST API Developer Guide, "Sforce-Limit-Info Header" and "Limits".

use connector_api::{Error, ErrorKind};
use parking_lot::Mutex;

use crate::settings::selection::Selection;

/// Pause of a run that used up its share. The window is a rolling day: requests of an hour ago come
/// back in 23 hours, those of yesterday at any moment.
const TRY_AGAIN_MS: u64 = 3_600_000;

/// Counts requests against the org's allowance and this run's share of it.
#[derive(Debug, Default)]
pub(crate) struct Budget(Mutex<Usage>);

#[derive(Debug, Default)]
struct Usage {
    /// `None`: requests are counted and never held back.
    shares: Option<(u32, u32)>,
    /// The org's allowance in 24 hours.
    max: Option<u64>,
    /// The most that the org was seen to have used: the header lags and goes backwards.
    used: u64,
    /// Used and allowed requests of this app alone, if the org allots requests by app.
    app: Option<(u64, u64)>,
    /// Requests of this run.
    own: u64,
}

/// What is known of the allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) max: u64,
    pub(crate) used: u64,
    /// Requests this run may still send.
    pub(crate) left_for_run: u64,
}

impl Budget {
    /// Holds requests back by the settings' shares from now on.
    pub(crate) fn hold_to(&self, selection: &Selection) {
        self.0.lock().shares = Some((selection.org_percent, selection.run_percent));
    }

    /// Requests sent so far.
    pub(crate) fn own(&self) -> u64 {
        self.0.lock().own
    }

    /// Counts one request, before it is sent.
    ///
    /// # Errors
    /// [`ErrorKind::RATE_LIMITED`] when a share is used up; the request must not be sent.
    pub(crate) fn take(&self) -> Result<(), Error> {
        let mut state = self.0.lock();
        if let (Some((org, run)), Some(max)) = (state.shares, state.max) {
            if state.used >= share(max, org) {
                return Err(paused(
                    format_args!(
                        "{} of the org's {max} daily API requests are used: more than the share of {org} % that is left to be used",
                        state.used
                    ),
                    "other integrations may be using them (Setup > Company Information > API Requests); the setting `api_share_org_percent` is the share",
                ));
            }
            if state.own >= share(max, run) {
                return Err(paused(
                    format_args!(
                        "this run has used {} API requests: its share of {run} % of the org's {max} daily ones",
                        state.own
                    ),
                    "raise the setting `api_share_run_percent`, leave out datasets, or let Bulk API read large ones (`bulk_rows`)",
                ));
            }
            if let Some((used, most)) = state.app.filter(|(used, most)| *most > 0 && used >= most) {
                return Err(paused(
                    format_args!(
                        "{used} of the {most} daily API requests allotted to this app are used"
                    ),
                    "see the app's API usage limit in Setup",
                ));
            }
        }
        state.own += 1;
        // The header lags: own requests count at once.
        state.used += 1;
        Ok(())
    }

    /// Notes an `Sforce-Limit-Info` header.
    pub(crate) fn note_header(&self, text: &str) {
        let usage = LimitInfo::parse(text);
        let mut state = self.0.lock();
        if let Some((used, max)) = usage.org {
            state.max = Some(max);
            state.used = state.used.max(used);
        }
        if usage.app.is_some() {
            state.app = usage.app;
        }
    }

    /// Notes the entry `DailyApiRequests` of the limits resource.
    pub(crate) fn note_limits(&self, max: u64, remaining: u64) {
        if max == 0 {
            return;
        }
        let mut state = self.0.lock();
        state.max = Some(max);
        state.used = state.used.max(max.saturating_sub(remaining));
    }

    /// The allowance; `None` until the org reports it.
    pub(crate) fn allowance(&self) -> Option<Allowance> {
        let state = self.0.lock();
        let max = state.max?;
        let (org, run) = state.shares.unwrap_or((100, 100));
        let left_for_run = share(max, org)
            .saturating_sub(state.used)
            .min(share(max, run).saturating_sub(state.own));
        Some(Allowance { max, used: state.used, left_for_run })
    }
}

fn share(max: u64, percent: u32) -> u64 {
    max.saturating_mul(percent.into()) / 100
}

fn paused(message: std::fmt::Arguments<'_>, hint: &str) -> Error {
    Error::new(ErrorKind::RATE_LIMITED, message).with_hint(hint).with_retry_after_ms(TRY_AGAIN_MS)
}

/// Used and allowed, of the org and of the asking app.
#[derive(Debug, Default, PartialEq, Eq)]
struct LimitInfo {
    org: Option<(u64, u64)>,
    app: Option<(u64, u64)>,
}

impl LimitInfo {
    /// Reads `api-usage=24/15000` and `per-app-api-usage=17/250(appName=...)`, in any order and with
    /// any separator; everything else is ignored.
    fn parse(text: &str) -> LimitInfo {
        const ORG: &str = "api-usage=";
        const APP: &str = "per-app-api-usage=";
        let mut info = LimitInfo::default();
        let mut rest = text;
        while let Some(at) = rest.find(ORG) {
            let of_app = rest[..at + ORG.len()].ends_with(APP);
            rest = &rest[at + ORG.len()..];
            let usage = two_numbers(rest);
            let place = if of_app { &mut info.app } else { &mut info.org };
            *place = place.or(usage);
        }
        info
    }
}

fn two_numbers(text: &str) -> Option<(u64, u64)> {
    let (used, rest) = number(text.trim_start())?;
    let rest = rest.trim_start().strip_prefix('/')?;
    let (max, _) = number(rest.trim_start())?;
    (max > 0).then_some((used, max))
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(org_percent: u32, run_percent: u32) -> Budget {
        let budget = Budget::default();
        budget.hold_to(&Selection { org_percent, run_percent, ..Selection::default() });
        budget
    }

    #[test]
    fn every_documented_form_of_the_header_is_read() {
        for (text, org, app) in [
            ("api-usage=24/15000", Some((24, 15_000)), None),
            ("api-usage=18/5000;", Some((18, 5_000)), None),
            (
                "api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)",
                Some((25, 5_000)),
                Some((17, 250)),
            ),
            (
                "per-app-api-usage=17/250(appName=a, b=1/2), api-usage= 25 / 5000",
                Some((25, 5_000)),
                Some((17, 250)),
            ),
            ("api-usage=150001/150000", Some((150_001, 150_000)), None),
            ("api-usage=x/15000", None, None),
            ("something-new=1/2", None, None),
            ("", None, None),
        ] {
            assert_eq!(LimitInfo::parse(text), LimitInfo { org, app }, "{text}");
        }
    }

    #[test]
    fn a_run_stops_at_its_share() {
        let budget = held(80, 25);
        budget.note_header("api-usage=0/40");
        for _ in 0..10 {
            budget.take().unwrap();
        }
        let error = budget.take().unwrap_err();
        assert_eq!(error.kind, ErrorKind::RATE_LIMITED);
        assert!(error.retry_after_ms.is_some() && error.message.contains("25 %"), "{error}");
        assert_eq!(budget.own(), 10);
    }

    #[test]
    fn others_requests_count_for_the_orgs_share() {
        let budget = held(80, 25);
        budget.note_header("api-usage=79/100");
        budget.take().unwrap();
        assert!(budget.take().unwrap_err().message.contains("80 of the org's 100"));
        // The header is late and goes backwards: the most that was seen holds.
        budget.note_header("api-usage=70/100");
        budget.take().unwrap_err();
    }

    #[test]
    fn an_apps_own_allowance_is_respected() {
        let budget = held(80, 25);
        budget.note_header("api-usage=1/1000; per-app-api-usage=250/250(appName=x)");
        assert!(budget.take().unwrap_err().message.contains("allotted to this app"));
    }

    #[test]
    fn without_an_allowance_nothing_is_held_back() {
        let budget = held(80, 25);
        for _ in 0..100 {
            budget.take().unwrap();
        }
        assert_eq!(budget.allowance(), None);
        let free = Budget::default();
        free.note_header("api-usage=100/100");
        free.take().unwrap();
    }
}
