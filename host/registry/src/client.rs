//! Requests to one registry: who we are, where it sends us, and what is tried again.

use std::io::Read;
use std::time::Duration;

use data_encoding::BASE64;
use serde::Deserialize;
use ureq::http::{Method, Request, StatusCode, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, SendBody};

use crate::answer::{Answer, of_request};
use crate::bounds::{ANSWER_BYTES_MAX, REDIRECTS_MAX, RETRY_AFTER_MAX};
use crate::challenge::Challenge;
use crate::docker_login::{Credentials, Places};
use crate::error::Error;
use crate::halt::Halt;
use crate::options::{Login, Options};
use crate::reference::Reference;
use crate::url::{Origin, Url, escaped};

const USER_AGENT: &str = concat!("wfhost/", env!("CARGO_PKG_VERSION"));

/// What is done at the registry: how much a token must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Pull,
    Push,
}

/// A body that is sent.
pub(crate) struct Sent<'b> {
    pub(crate) reader: &'b mut dyn Read,
    pub(crate) bytes: u64,
    pub(crate) media_type: &'b str,
}

/// One repository of one registry.
pub(crate) struct Client<'o> {
    pub(crate) options: &'o Options,
    pub(crate) halt: Halt,
    agent: Agent,
    origin: Origin,
    /// As docker names it.
    host: String,
    repository: String,
    action: Action,
    /// The value of the header, once the registry has asked for it.
    authorization: Option<String>,
    had_login: bool,
}

impl<'o> Client<'o> {
    pub(crate) fn new(reference: &Reference, action: Action, options: &'o Options) -> Self {
        let agent = agent(reference, options);
        let stopped = agent.clone();
        Self {
            options,
            halt: Halt::watch(options, move || stopped.shutdown()),
            agent,
            origin: Origin::of_registry(reference, options.insecure),
            host: reference.host_and_port(),
            repository: reference.repository().to_owned(),
            action,
            authorization: None,
            had_login: false,
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Something of the repository: `manifests/latest`.
    pub(crate) fn url(&self, below: &str) -> Url {
        Url::at(&self.origin, format!("/v2/{}/{below}", self.repository))
    }

    /// Asks for something, several times if need be. The status may be any.
    pub(crate) fn get(&mut self, url: &Url, headers: &[(&str, String)]) -> Result<Answer, Error> {
        self.again(|client| client.ask(&Method::GET, url, headers))
    }

    /// Asks whether it is there.
    pub(crate) fn head(&mut self, url: &Url) -> Result<Answer, Error> {
        self.again(|client| client.ask(&Method::HEAD, url, &[]))
    }

    /// Begins something; not tried again.
    pub(crate) fn post(&mut self, url: &Url) -> Result<Answer, Error> {
        let empty = |client: &Self| {
            let mut nothing = std::io::empty();
            let body = Sent { reader: &mut nothing, bytes: 0, media_type: "" };
            client.once(&Method::POST, url, &[], Some(body))
        };
        let answer = empty(self)?;
        if self.is_refused(&answer) && self.authorize(&answer)? { empty(self) } else { Ok(answer) }
    }

    /// Puts something; a body cannot be sent twice.
    pub(crate) fn put(&self, url: &Url, body: Sent<'_>) -> Result<Answer, Error> {
        self.once(&Method::PUT, url, &[], Some(body))
    }

    /// What an answer with another status than wanted means.
    pub(crate) fn refused(&self, answer: Answer, what: impl Into<String>) -> Error {
        answer.refused(what.into(), self.had_login)
    }

    /// Tries again what is cut, as often as the options say.
    pub(crate) fn again<T: Outcome>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut pause = self.options.retry_pause;
        for _ in 1..self.options.attempts {
            let wanted = match attempt(self) {
                Ok(done) => match done.retry_after() {
                    None => return Ok(done),
                    Some(wanted) => wanted,
                },
                Err(Error::Cut { .. }) => Duration::ZERO,
                Err(other) => return Err(other),
            };
            self.halt.pause(pause.max(wanted.min(RETRY_AFTER_MAX)))?;
            pause *= 2;
        }
        attempt(self)
    }

    /// Whether an address that the registry names is one where we go.
    pub(crate) fn allowed(&self, to: Url) -> Result<Url, Error> {
        if self.origin.may_send_to(&to.origin, self.options.insecure) {
            return Ok(to);
        }
        Err(Error::Redirect { host: self.host.clone(), to: to.origin.to_string() })
    }

    fn ask(
        &mut self,
        method: &Method,
        url: &Url,
        headers: &[(&str, String)],
    ) -> Result<Answer, Error> {
        let answer = self.followed(method, url, headers)?;
        if self.is_refused(&answer) && self.authorize(&answer)? {
            return self.followed(method, url, headers);
        }
        Ok(answer)
    }

    /// Follows redirects.
    fn followed(
        &self,
        method: &Method,
        url: &Url,
        headers: &[(&str, String)],
    ) -> Result<Answer, Error> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.once(method, &url, headers, None)?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let to = answer.header("location").and_then(|to| url.join(to));
            let to = to.ok_or_else(|| answer.nonsense("a redirect to nowhere"))?;
            url = self.allowed(to)?;
        }
        Err(Error::Nonsense { host: self.host.clone(), what: "redirects without end".to_owned() })
    }

    /// One request and its answer.
    fn once(
        &self,
        method: &Method,
        url: &Url,
        headers: &[(&str, String)],
        body: Option<Sent<'_>>,
    ) -> Result<Answer, Error> {
        let mut request = Request::builder().method(method).uri(url.to_string());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        // Nobody else is told who we are.
        if let Some(authorization) = &self.authorization
            && url.origin == self.origin
        {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.run(request, url, body)
    }

    fn run(
        &self,
        mut request: ureq::http::request::Builder,
        url: &Url,
        body: Option<Sent<'_>>,
    ) -> Result<Answer, Error> {
        self.halt.check()?;
        let wrong = |error: ureq::http::Error| Error::Nonsense {
            host: self.host.clone(),
            what: error.to_string(),
        };
        let sent = match body {
            None => self.agent.run(request.body(()).map_err(wrong)?),
            Some(Sent { reader, bytes, media_type }) => {
                request = request.header(header::CONTENT_LENGTH, bytes);
                if !media_type.is_empty() {
                    request = request.header(header::CONTENT_TYPE, media_type);
                }
                let request = request.body(SendBody::from_reader(reader)).map_err(wrong)?;
                self.agent.run(request)
            }
        };
        match sent {
            Ok(response) => Ok(Answer { response, url: url.clone(), host: self.host.clone() }),
            Err(error) => Err(self.told(of_request(&self.host, error))),
        }
    }

    /// The reason, where we ended it ourselves, and the limit that we set.
    pub(crate) fn told(&self, error: Error) -> Error {
        if let Err(ended) = self.halt.check() {
            return ended;
        }
        match error {
            Error::Stalled { host, .. } => Error::Stalled { host, limit: self.options.stall_limit },
            other => other,
        }
    }

    fn is_refused(&self, answer: &Answer) -> bool {
        answer.status() == StatusCode::UNAUTHORIZED && answer.url.origin == self.origin
    }

    /// Becomes somebody, as the registry asks; whether it is worth asking again.
    fn authorize(&mut self, answer: &Answer) -> Result<bool, Error> {
        let headers = answer.response.headers().get_all(header::WWW_AUTHENTICATE);
        let challenge = Challenge::of(headers.iter().filter_map(|value| value.to_str().ok()));
        let Some(challenge) = challenge else { return Ok(false) };
        let credentials = self.credentials()?;
        self.had_login = credentials.is_some();
        let authorization = match (challenge, credentials) {
            (Challenge::Basic, Some(Credentials::Password { user, password })) => {
                Some(basic(&user, &password))
            }
            (Challenge::Basic, Some(Credentials::IdentityToken(_)) | None) => None,
            (Challenge::Bearer { realm, service }, credentials) => {
                Some(self.token(&realm, service.as_deref(), credentials)?)
            }
        };
        let is_new = authorization.is_some() && authorization != self.authorization;
        self.authorization = authorization;
        Ok(is_new)
    }

    fn credentials(&self) -> Result<Option<Credentials>, Error> {
        Ok(match &self.options.login {
            Login::Anonymous => None,
            Login::Password { user, password } => {
                Some(Credentials::Password { user: user.clone(), password: password.clone() })
            }
            Login::Docker => Places::of_environment().find(&self.host)?,
        })
    }

    /// Asks whom the registry names for a token.
    fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        credentials: Option<Credentials>,
    ) -> Result<String, Error> {
        let nonsense =
            |what: &str| Error::Nonsense { host: self.host.clone(), what: what.to_owned() };
        let realm = Url::parse(realm).ok_or_else(|| nonsense("it names no address for logins"))?;
        let realm = self.allowed(realm)?;
        let actions = match self.action {
            Action::Pull => "pull",
            Action::Push => "pull,push",
        };
        let scope = format!("repository:{}:{actions}", self.repository);
        let answer = match credentials {
            Some(Credentials::IdentityToken(token)) => {
                self.exchange(&realm, service, &scope, &token)?
            }
            other => {
                let mut url = realm.with("scope", &scope);
                if let Some(service) = service {
                    url = url.with("service", service);
                }
                let mut request = Request::builder().method(Method::GET).uri(url.to_string());
                if let Some(Credentials::Password { user, password }) = other {
                    request = request.header(header::AUTHORIZATION, basic(&user, &password));
                }
                self.run(request, &url, None)?
            }
        };
        if answer.status() != StatusCode::OK {
            let status = answer.status();
            let error = self.refused(answer, "the address for logins");
            // Some say 400 for a wrong password.
            return Err(match (status, error) {
                (StatusCode::BAD_REQUEST, Error::Status { host, message, .. }) => {
                    Error::Unauthorized { host, had_login: self.had_login, message }
                }
                (_, other) => other,
            });
        }
        let bytes =
            answer.bytes("the token", ANSWER_BYTES_MAX).map_err(|error| self.told(error))?;
        let given: Given =
            serde_json::from_slice(&bytes).map_err(|_| nonsense("what it gives is no token"))?;
        let token = given.token.or(given.access_token).unwrap_or_default();
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token {
            Ok(format!("Bearer {token}"))
        } else {
            Err(nonsense("what it gives is no token"))
        }
    }

    /// A token that stands for a login, for one that opens the repository.
    fn exchange(
        &self,
        realm: &Url,
        service: Option<&str>,
        scope: &str,
        token: &str,
    ) -> Result<Answer, Error> {
        let form = format!(
            "grant_type=refresh_token&client_id=wfhost&service={}&scope={}&refresh_token={}",
            escaped(service.unwrap_or_default()),
            escaped(scope),
            escaped(token)
        );
        let request = Request::builder().method(Method::POST).uri(realm.to_string());
        let body = Sent {
            bytes: form.len() as u64,
            reader: &mut form.as_bytes(),
            media_type: "application/x-www-form-urlencoded",
        };
        self.run(request, realm, Some(body))
    }
}

/// What may be worth asking for again although there is an answer.
pub(crate) trait Outcome {
    /// After how long, if it is.
    fn retry_after(&self) -> Option<Duration>;
}

impl Outcome for Answer {
    fn retry_after(&self) -> Option<Duration> {
        match self.status() {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let seconds = self.header("retry-after").and_then(|text| text.parse().ok());
                Some(Duration::from_secs(seconds.unwrap_or(0)))
            }
            _ => None,
        }
    }
}

impl Outcome for () {
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// What gives a token; others have other names for it.
#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
}

fn agent(reference: &Reference, options: &Options) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        // Followed here, where it is decided whether they may be.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(USER_AGENT)
        .timeout_resolve(Some(options.connect_limit))
        .timeout_connect(Some(options.connect_limit))
        .timeout_per_read(Some(options.stall_limit))
        .timeout_per_write(Some(options.stall_limit))
        .tls_config(tls());
    // A proxy has another loopback.
    let config = if reference.is_loopback() { config.proxy(None) } else { config };
    Agent::new_with_config(config.build())
}

/// The authorities that this machine trusts. Without any, no connection over TLS is made.
fn tls() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs().certs;
    let certs: Vec<Certificate<'static>> =
        found.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect();
    TlsConfig::builder()
        .root_certs(RootCerts::from(certs))
        .unversioned_rustls_crypto_provider(std::sync::Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .build()
}
