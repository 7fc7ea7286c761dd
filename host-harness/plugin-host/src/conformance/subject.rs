//! The connector under test, and instances of it as far along as a check needs them.

use std::sync::Arc;

use connector_api::host::TOKEN;
use connector_api::host_side::Instance;
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CollectRequest, CollectSummary, ConfigureRequest, Problem,
};
use connector_api::{Error, ErrorKind};

use super::recorder::Recorder;
use super::{Profile, Unmet, failed, not_applicable};
use crate::plugin::Plugin;

/// A loaded library and the settings to check it with.
pub(super) struct Subject {
    pub(super) plugin: Plugin,
    pub(super) profile: Profile,
}

/// One instance and the host it was given.
pub(super) struct Session {
    pub(super) instance: Box<dyn Instance>,
    pub(super) recorder: Recorder,
}

impl Subject {
    /// A new instance.
    pub(super) fn fresh(&self) -> Result<Session, Unmet> {
        let manifest = Arc::new(self.plugin.manifest.clone());
        let recorder = Recorder::new(manifest, self.profile.secrets());
        match self.plugin.library.instance(recorder.services()) {
            Ok(instance) => Ok(Session { instance, recorder }),
            Err(error) => failed(format_args!("no instance can be made: {error}")),
        }
    }

    /// An instance that accepted the settings.
    pub(super) fn configured(&self) -> Result<Session, Unmet> {
        let session = self.fresh()?;
        let problems = session.configure(&self.request())?;
        match (problems.is_empty(), self.profile.made_up) {
            (true, _) => Ok(session),
            (false, true) => not_applicable(format_args!(
                "it does not accept made-up settings ({}); give some with --settings",
                text(&problems)
            )),
            (false, false) => {
                failed(format_args!("it does not accept the settings given: {}", text(&problems)))
            }
        }
    }

    /// An instance that is enabled, and has no grant.
    pub(super) fn enabled(&self) -> Result<Session, Unmet> {
        let session = self.configured()?;
        session.must("enable", session.instance.enable())?;
        Ok(session)
    }

    /// An instance that could collect.
    pub(super) fn ready(&self) -> Result<Session, Unmet> {
        let session = self.enabled()?;
        if self.plugin.manifest.grants.is_empty() {
            return Ok(session);
        }
        if self.profile.made_up {
            return not_applicable("it needs a grant: give settings and a token with --settings");
        }
        let begun = session.instance.authorize(&AuthorizeRequest::Begin);
        if let AuthorizeReply::Link { .. } = session.must("authorize (begin)", begun)? {
            let Some(token) = self.profile.token() else {
                return not_applicable("its grant needs a token: put it into the settings file");
            };
            session.recorder.lock().secrets.insert(TOKEN.into(), token);
            let ended = session.instance.authorize(&AuthorizeRequest::Finish);
            session.recorder.lock().secrets.remove(TOKEN);
            if let AuthorizeReply::Link { .. } = session.must("authorize (finish)", ended)? {
                return failed("`authorize` asked for another link instead of finishing");
            }
        }
        Ok(session)
    }

    /// The settings as `configure` takes them, with the defaults a host fills in.
    pub(super) fn request(&self) -> ConfigureRequest {
        let mut settings = self.profile.settings.clone();
        for spec in self.plugin.manifest.settings.iter().filter(|spec| !spec.secret) {
            if let Some(default) = &spec.default {
                settings.entry(spec.name.clone()).or_insert_with(|| default.clone());
            }
        }
        ConfigureRequest { settings, secrets: self.profile.secrets().into_keys().collect() }
    }
}

impl Session {
    /// An answer that may be an error, but no panic.
    pub(super) fn answer<T>(
        &self,
        call: &str,
        result: Result<T, Error>,
    ) -> Result<Result<T, Error>, Unmet> {
        match result {
            Err(error) if error.kind == ErrorKind::PANIC => failed(error.message),
            Err(error) => {
                self.recorder.note(&format!("the error of `{call}`"), &error.message);
                self.recorder.note(
                    &format!("the hint of `{call}`"),
                    error.hint.as_deref().unwrap_or_default(),
                );
                Ok(Err(error))
            }
            Ok(value) => Ok(Ok(value)),
        }
    }

    /// An answer that must be no error.
    pub(super) fn must<T>(&self, call: &str, result: Result<T, Error>) -> Result<T, Unmet> {
        match self.answer(call, result)? {
            Ok(value) => Ok(value),
            Err(error) => failed(format_args!("`{call}` answered an error: {error}")),
        }
    }

    /// An answer that must be an error of that kind.
    pub(super) fn must_refuse<T>(
        &self,
        call: &str,
        result: Result<T, Error>,
        kind: ErrorKind,
    ) -> Result<(), Unmet> {
        match self.answer(call, result)? {
            Err(error) if error.kind == kind => Ok(()),
            Err(error) => failed(format_args!(
                "{call} is answered by an error of kind `{:?}` instead of `{kind:?}`: {error}",
                error.kind
            )),
            Ok(_) => failed(format_args!("{call} is not refused")),
        }
    }

    /// The problems with settings; one answered as an error of kind config is a problem too.
    pub(super) fn configure(&self, request: &ConfigureRequest) -> Result<Vec<Problem>, Unmet> {
        match self.answer("configure", self.instance.configure(request))? {
            Ok(problems) => Ok(problems),
            Err(error) if error.kind == ErrorKind::CONFIG => {
                Ok(vec![Problem { field: String::new(), message: error.message, hint: error.hint }])
            }
            Err(error) => failed(format_args!("`configure` answered an error: {error}")),
        }
    }

    /// Collects; an error in the summary is an error.
    pub(super) fn collect(
        &self,
        request: &CollectRequest,
    ) -> Result<Result<CollectSummary, Error>, Unmet> {
        let result = self.instance.collect(request, self.recorder.sink());
        let result = result.and_then(|summary| match &summary.error {
            Some(error) => Err(error.clone()),
            None => Ok(summary),
        });
        let answer = self.answer("collect", result)?;
        match &self.recorder.lock().fault {
            Some(fault) => failed(format_args!("what it handed over is refused: {fault}")),
            None => Ok(answer),
        }
    }
}

fn text(problems: &[Problem]) -> String {
    let texts: Vec<String> =
        problems.iter().map(|one| format!("`{}`: {}", one.field, one.message)).collect();
    texts.join("; ")
}
