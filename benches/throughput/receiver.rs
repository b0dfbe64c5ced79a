//! A product's receiver, as lean as can be: answers 204 and tells who waits for the payment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::load::read_message;

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>;

pub struct Receiver {
    url: String,
    waiting: Waiting,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let waiting = Waiting::default();
        let shared = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, waiting }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Resolves when an event of this payment was received and answered.
    pub fn wait_for(&self, payment_id: &str) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap().insert(payment_id.to_owned(), sender);
        receiver
    }
}

async fn serve(mut stream: TcpStream, waiting: Waiting) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(4096);
    while let Some(message) = read_message(&mut stream, &mut buffer).await {
        if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
            return;
        }
        if let Some(at) = message.find("\"payment_id\":\"") {
            let id = &message[at + 14..at + 44];
            if let Some(sender) = waiting.lock().unwrap().remove(id) {
                let _ = sender.send(());
            }
        }
    }
}
