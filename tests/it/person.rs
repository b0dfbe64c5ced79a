//! Somebody at the dashboard's JSON: registers, follows the mailed links, and calls with the token.

use serde_json::{Value, json};

use crate::support::TestGateway;

pub const PASSWORD: &str = "correct horse battery";

/// A person who is signed in.
#[derive(Clone)]
pub struct Person {
    pub email: String,
    pub token: String,
    pub base_url: String,
}

/// What came back: the status and the body.
pub type Reply = (u16, Value);

/// Sends JSON without a credential.
pub async fn post(gateway: &TestGateway, path: &str, body: Value) -> Reply {
    let response = reqwest::Client::new().post(gateway.url(path)).json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The link in the newest mail to `email`.
pub async fn mailed_link(gateway: &TestGateway, email: &str) -> String {
    let mails = gateway.server.gateway.outbox().await.unwrap();
    let mail = mails.iter().find(|mail| mail.recipient == email).expect("a mail was written");
    mail.text.split_whitespace().find(|word| word.contains("token=")).expect("it has a link").to_owned()
}

/// What `token=` is followed by in the newest mail to `email`.
pub async fn mailed_token(gateway: &TestGateway, email: &str) -> String {
    mailed_link(gateway, email).await.split_once("token=").unwrap().1.to_owned()
}

impl Person {
    /// As [`Person::registered`] at a server of its own process; the link is not followed.
    pub async fn registered_at(base_url: &str, email: &str) -> Self {
        let client = reqwest::Client::new();
        let body = json!({ "email": email, "password": PASSWORD, "firstName": "Ann", "lastName": "Lee",
                           "companyName": format!("{email} Ltd") });
        let registered = client.post(format!("{base_url}/dashboard/auth/register")).json(&body).send().await.unwrap();
        assert_eq!(registered.status(), 201);
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = client.post(format!("{base_url}/dashboard/auth/login")).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let token = answer["data"]["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self { email: email.to_owned(), token, base_url: base_url.to_owned() }
    }

    /// Registers a company, follows the mailed link, and signs in.
    pub async fn registered(gateway: &TestGateway, email: &str) -> Self {
        let body = json!({ "email": email, "password": PASSWORD, "firstName": "Ann", "lastName": "Lee",
                           "companyName": format!("{email} Ltd") });
        let (status, answer) = post(gateway, "/dashboard/auth/register", body).await;
        assert_eq!(status, 201, "{answer}");
        let token = mailed_token(gateway, email).await;
        let verified = reqwest::get(gateway.url(&format!("/dashboard/auth/verify?token={token}"))).await.unwrap();
        assert_eq!(verified.status(), 200);
        Self::signed_in(gateway, email).await
    }

    /// Signs in once more.
    pub async fn signed_in(gateway: &TestGateway, email: &str) -> Self {
        let body = json!({ "email": email, "password": PASSWORD });
        let (status, answer) = post(gateway, "/dashboard/auth/login", body).await;
        assert_eq!(status, 200, "{answer}");
        let token = answer["data"]["token"].as_str().unwrap().to_owned();
        Self { email: email.to_owned(), token, base_url: gateway.server.url() }
    }

    /// Calls with this person's token.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request =
            reqwest::Client::new().request(method, format!("{}{path}", self.base_url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, Some(body)).await
    }

    /// The same person in another mode.
    pub async fn in_mode(&self, mode: &str) -> Self {
        let (status, answer) = self.post("/v1/auth/switch-mode", json!({ "mode": mode })).await;
        assert_eq!(status, 200, "{answer}");
        Self { token: answer["token"].as_str().unwrap().to_owned(), ..self.clone() }
    }
}
