//! Somebody at the pages, without a browser: keeps cookies, reads the token of a page and posts its forms.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};

use crate::person::{PASSWORD, Person};
use crate::support::TestGateway;

/// Keeps cookies as a browser does on this machine.
#[derive(Clone)]
pub struct Surfer {
    base_url: String,
    client: reqwest::Client,
    pub cookies: BTreeMap<String, String>,
}

/// A page, or where one is sent.
pub struct Seen {
    pub status: u16,
    pub location: String,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Seen {
    #[track_caller]
    pub fn has(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "no {text} in {} {}", self.status, self.text);
        self
    }

    #[track_caller]
    pub fn lacks(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "{text} is in {}", self.text);
        self
    }

    #[track_caller]
    pub fn leads_to(&self, path: &str) {
        assert_eq!((self.status, self.location.as_str()), (303, path), "{}", self.text);
    }

    /// The value of a hidden field.
    #[track_caller]
    pub fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.text.split_once(&mark).unwrap_or_else(|| panic!("no {name} in {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Surfer {
    pub fn at(gateway: &TestGateway) -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        Self { base_url: gateway.server.url(), client, cookies: BTreeMap::new() }
    }

    /// Registers by JSON, and signs in at the page.
    pub async fn registered(gateway: &TestGateway, email: &str) -> Self {
        Person::registered(gateway, email).await;
        Self::signed_in(gateway, email).await
    }

    /// Signs in at the page.
    pub async fn signed_in(gateway: &TestGateway, email: &str) -> Self {
        let mut surfer = Self::at(gateway);
        surfer.sign_in(email, PASSWORD).await.leads_to("/console");
        surfer
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Seen {
        self.submit("/login", "/login", &[("email", email), ("password", password)]).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Seen {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{name}");
            for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
                assert!(attributes.contains(attribute), "{name}: no {attribute}");
            }
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = response.headers().get(LOCATION).map(|value| value.to_str().unwrap().to_owned());
        Seen {
            status: response.status().as_u16(),
            location: location.unwrap_or_default(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Seen {
        let request = self.client.get(format!("{}{path}", self.base_url)).header("accept", "text/html");
        self.send(request).await
    }

    /// Posts a form as it is.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        self.post_with(path, fields, &[]).await
    }

    /// Posts a form with headers.
    pub async fn post_with(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Seen {
        let mut request = self.client.post(format!("{}{path}", self.base_url)).form(fields);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Posts a form with fields and, if it has bytes, a file behind them, as a browser does.
    pub async fn upload(&mut self, path: &str, fields: &[(&str, &str)], file: Option<(&str, Vec<u8>)>) -> Seen {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--seam\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        if let Some((name, bytes)) = file {
            let head = format!(
                "--seam\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"report.csv\"\r\n\
                 Content-Type: text/csv\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--seam--\r\n");
        let request = self.client.post(format!("{}{path}", self.base_url)).body(body);
        self.send(request.header("content-type", "multipart/form-data; boundary=seam")).await
    }

    /// Opens a page, and posts a form of it with what is filled in.
    pub async fn submit(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> Seen {
        let csrf = self.get(page).await.hidden("csrf");
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }
}
