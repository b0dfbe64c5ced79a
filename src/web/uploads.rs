//! A form that brings a file: its fields are read, then it is known who sends it, and only then is the file looked at, piece by
//! piece. What the file says is not known here.

use std::pin::Pin;

use actix_multipart::{Field, Multipart};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use futures_util::stream::Fuse;

use super::forms::{Pairs, TOKEN_FIELD, check_origin, check_token, not_ours};
use super::shell::{Visitor, visitor};
use crate::arriving::{PIECE_TIMEOUT, pass_over};
use crate::error::{Code, Fault, Outcome};
use crate::problem::Problem;

/// Fields before the file.
const MOST_FIELDS: usize = 16;

/// The longest field but the file, in bytes.
const MAX_FIELD_BYTES: usize = 1024;

/// A posted form of who is signed in, from a page that we wrote for his session. Its first field is the token, its last the
/// file; what comes behind that is passed over.
pub struct Upload {
    /// Who posted it.
    pub visitor: Visitor,
    /// What it says.
    pub pairs: Pairs,
    /// The file, which is still to be read, if one was chosen.
    pub file: Option<Fuse<Field>>,
    rest: Multipart,
}

impl Upload {
    /// Reads what is left of it, at most so many bytes of the file, and keeps nothing: a browser that is still sending
    /// does not see the answer.
    pub async fn pass_over(mut self, most: u64) {
        if let Some(mut file) = self.file.take() {
            pass_over(&mut file, most).await;
        }
        // What is behind the file is read only once that is dropped.
        let _ = next(&mut self.rest).await;
    }
}

impl FromRequest for Upload {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let visitor = visitor(&request).await?;
            check_origin(&request)?;
            let session_id = visitor.scope.member()?.session_id.to_string();
            let mut rest = Multipart::new(request.headers(), payload);
            let mut pairs = Vec::new();
            let file = loop {
                let Some(mut field) = next(&mut rest).await? else { break None };
                let name = field.name().unwrap_or_default().to_owned();
                let file_name =
                    field.content_disposition().and_then(|disposition| disposition.get_filename()).map(str::to_owned);
                if pairs.is_empty() && (name != TOKEN_FIELD || file_name.is_some()) {
                    return Err(not_ours().into());
                }
                if let Some(file_name) = file_name {
                    // A browser sends a file without a name where none was chosen.
                    break Some(field.fuse()).filter(|_| !file_name.is_empty());
                }
                let value = text(&mut field).await?;
                if pairs.is_empty() {
                    check_token(&request, &value, &session_id)?;
                }
                pairs.push((name, value));
                if pairs.len() > MOST_FIELDS {
                    return Err(Fault::new(Code::BodyTooLarge, "the form has too many fields").into());
                }
            };
            // Without the token nothing has come so far.
            if pairs.is_empty() {
                return Err(not_ours().into());
            }
            Ok(Self { visitor, pairs: Pairs::checked(pairs)?, file, rest })
        })
    }
}

fn timed_out<E>(_: E) -> Fault {
    Fault::new(Code::RequestTimeout, "the form did not arrive within 10 seconds")
}

async fn next(form: &mut Multipart) -> Outcome<Option<Field>> {
    let field = tokio::time::timeout(PIECE_TIMEOUT, form.next()).await.map_err(timed_out)?;
    field.transpose().map_err(|_| Fault::new(Code::ValidationError, "the form cannot be read"))
}

async fn text(field: &mut Field) -> Outcome<String> {
    let too_large = |_| Fault::new(Code::BodyTooLarge, format!("a field may have {MAX_FIELD_BYTES} bytes"));
    let unreadable = || Fault::new(Code::ValidationError, "the form cannot be read");
    let bytes = tokio::time::timeout(PIECE_TIMEOUT, field.bytes(MAX_FIELD_BYTES)).await.map_err(timed_out)?;
    let bytes = bytes.map_err(too_large)?.map_err(|_| unreadable())?;
    String::from_utf8(bytes.to_vec()).map_err(|_| unreadable())
}
