//! Signed notes and checkpoints, as transparency logs write them: <https://c2sp.org/signed-note> and
//! <https://c2sp.org/tlog-checkpoint>, with Ed25519 signatures.
//!
//! Where the key is kept is not here, nor what a checkpoint must say to prove something: see `proofs`.

use std::fmt;
use std::ops::Range;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::merkle::Hash;
use super::mode::Mode;
use super::plans::Period;
use super::signing::sha256;
use super::time::Timestamp;

/// The signature type of Ed25519.
const ED25519_TYPE: u8 = 0x01;
/// What each signature line begins with: an em dash and a space.
const SIGNATURE_MARK: &str = "\u{2014} ";
/// A note with more signatures is not looked at.
const MAX_SIGNATURES: usize = 100;

/// Why a key or a note is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    /// The name of a key cannot stand in a note.
    #[error("a key's name is at least one character, without spaces and without a plus")]
    BadName,
    /// The text is not a verifier key.
    #[error("the verifier key is not of the form name+8 hexadecimal digits+base64")]
    BadKey,
    /// The key is not for Ed25519.
    #[error("the verifier key is not an Ed25519 key")]
    OtherAlgorithm,
    /// The key's id belongs to another name or another key.
    #[error("the verifier key's id {found} does not belong to its name and key, whose id is {expected}")]
    OtherId {
        /// The id in the text.
        found: String,
        /// The id that name and key have.
        expected: String,
    },
    /// The note is not a signed note.
    #[error("the note is malformed: {0}")]
    Malformed(&'static str),
    /// The key did not sign.
    #[error("the note is not signed by the key {0}")]
    NotSigned(String),
    /// There is a signature under the key's name, but the key did not make it for this text.
    #[error("the signature of the key {0} is not good for this note")]
    BadSignature(String),
    /// The note is no checkpoint.
    #[error("the note is not a checkpoint: {0}")]
    NoCheckpoint(&'static str),
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|character: char| character.is_whitespace() || character.is_control() || character == '+')
}

fn key_id(name: &str, public_key: &[u8; 32]) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), &[b'\n', ED25519_TYPE], public_key].concat());
    [hash[0], hash[1], hash[2], hash[3]]
}

/// The public half of a key, with its name: whoever holds it can tell whether a note is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public_key: [u8; 32],
}

impl VerifierKey {
    /// The key of a name.
    ///
    /// # Errors
    /// [`NoteFault::BadName`].
    pub fn new(name: &str, public_key: [u8; 32]) -> Result<Self, NoteFault> {
        if !is_name(name) {
            return Err(NoteFault::BadName);
        }
        Ok(Self { name: name.to_owned(), id: key_id(name, &public_key), public_key })
    }

    /// Reads a key as [`Display`](fmt::Display) writes it: `<name>+<id>+<base64(0x01 ‖ public key)>`.
    ///
    /// # Errors
    /// [`NoteFault`].
    pub fn parse(text: &str) -> Result<Self, NoteFault> {
        // The base64 may have a plus too.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteFault::BadKey);
        };
        let mut bytes = [0; 4];
        hex::decode_to_slice(id, &mut bytes).map_err(|_| NoteFault::BadKey)?;
        let key = STANDARD.decode(key).map_err(|_| NoteFault::BadKey)?;
        let (algorithm, public_key) = key.split_first().ok_or(NoteFault::BadKey)?;
        if *algorithm != ED25519_TYPE {
            return Err(NoteFault::OtherAlgorithm);
        }
        let key = Self::new(name, public_key.try_into().map_err(|_| NoteFault::BadKey)?)?;
        if key.id != bytes {
            return Err(NoteFault::OtherId { found: id.to_owned(), expected: hex::encode(key.id) });
        }
        Ok(key)
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same key under another name: a server that moves to another address keeps its key, and what it signed before
    /// bears the name that it had.
    ///
    /// # Errors
    /// [`NoteFault::BadName`].
    pub fn under(&self, name: &str) -> Result<Self, NoteFault> {
        Self::new(name, self.public_key)
    }

    /// The key's name and id, as people tell keys apart: `<name>+<id>`.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.id))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = [ED25519_TYPE; 33];
        key[1..].copy_from_slice(&self.public_key);
        write!(formatter, "{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(key))
    }
}

/// A key that signs notes.
pub struct Signer {
    key_pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl Signer {
    /// The key of this name that 32 secret bytes always give.
    ///
    /// # Errors
    /// [`NoteFault::BadName`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteFault> {
        let key_pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteFault::BadKey)?;
        let public_key = key_pair.public_key().as_ref().try_into().map_err(|_| NoteFault::BadKey)?;
        Ok(Self { verifier: VerifierKey::new(name, public_key)?, key_pair })
    }

    /// The public half.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The text as a note signed with this key.
    ///
    /// # Errors
    /// [`NoteFault::Malformed`]: the text is not one that can be signed.
    pub fn sign(&self, text: &str) -> Result<String, NoteFault> {
        check_text(text)?;
        let mut signature = self.verifier.id.to_vec();
        signature.extend_from_slice(self.key_pair.sign(text.as_bytes()).as_ref());
        Ok(format!("{text}\n{SIGNATURE_MARK}{} {}\n", self.verifier.name, STANDARD.encode(signature)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

fn check_text(text: &str) -> Result<(), NoteFault> {
    if !text.ends_with('\n') {
        return Err(NoteFault::Malformed("its text does not end with a line feed"));
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteFault::Malformed("it has a control character"));
    }
    Ok(())
}

/// A note as it was read. Its text means nothing before [`SignedNote::verify`] said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote<'a> {
    text: &'a str,
    signatures: Vec<Signature<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl<'a> SignedNote<'a> {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteFault::Malformed`].
    pub fn parse(note: &'a str) -> Result<Self, NoteFault> {
        let boundary =
            note.rfind("\n\n").ok_or(NoteFault::Malformed("no empty line parts its text from its signatures"))?;
        let (text, lines) = (&note[..=boundary], &note[boundary + 2..]);
        check_text(text)?;
        let lines =
            lines.strip_suffix('\n').ok_or(NoteFault::Malformed("its last line does not end with a line feed"))?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteFault::Malformed("it has more than 100 signatures"));
        }
        let signatures = lines.split('\n').map(Signature::parse).collect::<Result<_, _>>()?;
        Ok(Self { text, signatures })
    }

    /// What was signed, with the line feed at its end.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The names of the keys that are said to have signed, in the order of their signatures.
    pub fn signers(&self) -> impl Iterator<Item = &'a str> {
        self.signatures.iter().map(|signature| signature.name)
    }

    /// Whether the key signed the text. What other keys signed is ignored.
    ///
    /// # Errors
    /// [`NoteFault::NotSigned`] or [`NoteFault::BadSignature`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteFault> {
        let mut is_signed = false;
        for signature in self.signatures.iter().filter(|signature| signature.name == key.name && signature.id == key.id)
        {
            UnparsedPublicKey::new(&ED25519, key.public_key)
                .verify(self.text.as_bytes(), &signature.bytes)
                .map_err(|_| NoteFault::BadSignature(key.short()))?;
            is_signed = true;
        }
        if is_signed { Ok(()) } else { Err(NoteFault::NotSigned(key.short())) }
    }
}

impl<'a> Signature<'a> {
    fn parse(line: &'a str) -> Result<Self, NoteFault> {
        let malformed = NoteFault::Malformed("a signature line is not an em dash, a name and base64");
        let parts = line.strip_prefix(SIGNATURE_MARK).and_then(|rest| rest.split_once(' '));
        let Some((name, encoded)) = parts.filter(|(name, _)| is_name(name)) else { return Err(malformed) };
        let bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
        match bytes.split_first_chunk() {
            Some((id, bytes)) if !bytes.is_empty() => Ok(Self { name, id: *id, bytes: bytes.to_vec() }),
            _ => Err(malformed),
        }
    }
}

/// What a checkpoint's note says: which tree, how many leaves, and the root over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointText {
    /// Which tree: see [`origin`].
    pub origin: String,
    /// Leaves of the tree.
    pub size: u64,
    /// The root.
    pub root: Hash,
}

impl CheckpointText {
    /// Reads a note's text. Lines beyond the third are refused: ours have none, and nobody can check what they say.
    ///
    /// # Errors
    /// [`NoteFault::NoCheckpoint`].
    pub fn parse(text: &str) -> Result<Self, NoteFault> {
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let [origin, size_text, root] = lines[..] else {
            return Err(NoteFault::NoCheckpoint("it does not have three lines"));
        };
        if origin.is_empty() {
            return Err(NoteFault::NoCheckpoint("its first line names no tree"));
        }
        let size = size_text.parse::<u64>().ok().filter(|size| size.to_string() == size_text);
        let size = size.ok_or(NoteFault::NoCheckpoint("its second line is not a tree's size"))?;
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let root = root.ok_or(NoteFault::NoCheckpoint("its third line is not a root hash"))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// The text that is signed.
impl fmt::Display for CheckpointText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root))
    }
}

/// The first line of a checkpoint: whose tree it is, of which customer if of one alone, and of which month if of one.
///
/// Two trees never have the same origin: a customer whose id could be a month's is written with its hyphen encoded.
#[must_use]
pub fn origin(key_name: &str, tenant_id: &str, mode: Mode, customer_id: Option<&str>, period: Option<&str>) -> String {
    let mut origin = format!("{key_name}/{tenant_id}/{mode}");
    if let Some(customer_id) = customer_id {
        origin.push('/');
        let is_like_a_month = is_month(customer_id);
        for byte in customer_id.bytes() {
            match byte {
                b'-' if is_like_a_month => origin.push_str("%2D"),
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b':' => origin.push(char::from(byte)),
                _ => origin.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    if let Some(period) = period {
        origin.push('/');
        origin.push_str(period);
    }
    origin
}

/// A stretch of time, as a period that is no month is written: `2026-01-01T00:00:00.000Z~2026-01-15T00:00:00.000Z`. The
/// id of no customer looks so in an origin, where its tilde would be encoded.
#[must_use]
pub fn span(start: Timestamp, end: Timestamp) -> String {
    format!("{}~{}", start.to_rfc3339(), end.to_rfc3339())
}

/// The moments that a period covers: a month, or the stretch that [`span`] writes. `None` for what is neither.
#[must_use]
pub fn moments_of(period: &str) -> Option<Range<Timestamp>> {
    if let Some(month) = Period::parse(period) {
        return Some(month.start()..month.end());
    }
    let (start, end) = period.split_once('~')?;
    let moments = Timestamp::parse_rfc3339(start)?..Timestamp::parse_rfc3339(end)?;
    (span(moments.start, moments.end) == period).then_some(moments)
}

/// Whether a text has the form `2026-01`.
fn is_month(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 7
        && bytes.iter().enumerate().all(|(at, byte)| if at == 4 { *byte == b'-' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The key, the text and the signature of the documentation and tests of Go's golang.org/x/mod/sumdb/note.
    const NAME: &str = "PeterNeumann";
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const TEXT: &str = concat!(
        "If you think cryptography is the answer to your problem,\n",
        "then you don't know what your problem is.\n"
    );
    const SIGNATURE: &str =
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn signer() -> Signer {
        let seed = STANDARD.decode(SEED).unwrap();
        Signer::from_seed(NAME, seed[1..].try_into().unwrap()).unwrap()
    }

    #[test]
    fn the_published_key_signs_the_published_note() {
        let signer = signer();
        assert_eq!(signer.verifier_key().to_string(), KEY);
        assert_eq!(signer.sign(TEXT).unwrap(), format!("{TEXT}\n{SIGNATURE}"));
        assert!(!format!("{signer:?}").contains("key_pair"));
        assert_eq!(VerifierKey::parse(KEY).as_ref(), Ok(signer.verifier_key()));
    }

    #[test]
    fn the_published_note_verifies_and_a_changed_one_does_not() {
        let (note, key) = (format!("{TEXT}\n{SIGNATURE}"), VerifierKey::parse(KEY).unwrap());
        let read = SignedNote::parse(&note).unwrap();
        assert_eq!(read.text(), TEXT);
        assert_eq!(read.verify(&key), Ok(()));
        let changed = note.replace("answer", "Answer");
        let bad = NoteFault::BadSignature("PeterNeumann+c74f20a3".to_owned());
        assert_eq!(SignedNote::parse(&changed).unwrap().verify(&key), Err(bad));
        let other = VerifierKey::new("EnochRoot", key.public_key).unwrap();
        let unknown = NoteFault::NotSigned(other.short());
        assert_eq!(read.verify(&other), Err(unknown));
        let (head, tail) = note.split_at(note.len() - 10);
        for (at, _) in tail.char_indices() {
            let cut = format!("{head}{}", &tail[..at]);
            assert!(SignedNote::parse(&cut).and_then(|note| note.verify(&key)).is_err(), "{cut}");
        }
    }

    #[test]
    fn signatures_of_unknown_keys_are_ignored() {
        let other = Signer::from_seed("EnochRoot", &[7; 32]).unwrap();
        let theirs = other.sign(TEXT).unwrap();
        let note = format!("{theirs}{SIGNATURE}");
        let read = SignedNote::parse(&note).unwrap();
        for key in [other.verifier_key(), signer().verifier_key()] {
            assert_eq!(read.verify(key), Ok(()));
        }
    }

    #[test]
    fn a_mangled_key_is_refused() {
        for end in 0..KEY.len() {
            assert!(VerifierKey::parse(&KEY[..end]).is_err());
            assert!(VerifierKey::parse(&KEY[end + 1..]).is_err());
            let mut mangled = KEY.as_bytes().to_vec();
            mangled[end] += 1;
            assert!(VerifierKey::parse(std::str::from_utf8(&mangled).unwrap()).is_err());
        }
        let names_id = VerifierKey::parse(&KEY.replace("c74f", "c64f")).unwrap_err();
        assert!(names_id.to_string().contains("c64f20a3") && names_id.to_string().contains("c74f20a3"));
        // The same key for ECDSA, and names that cannot be.
        let ecdsa = KEY.replace("+ARpc", "+Ahpc");
        assert_eq!(VerifierKey::parse(&ecdsa), Err(NoteFault::OtherAlgorithm));
        for name in ["", "a b", "a+b", "a\u{A0}b", "a\nb"] {
            assert_eq!(Signer::from_seed(name, &[1; 32]).unwrap_err(), NoteFault::BadName, "{name:?}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let good = format!("{TEXT}\n{SIGNATURE}");
        let unsigned = format!("{TEXT}\n");
        let no_boundary = format!("{TEXT}{SIGNATURE}");
        let control = good.replace("answer", "ans\twer");
        let hyphen = good.replace('—', "-");
        let spaced = good.replace("— PeterNeumann", "— Peter Neumann");
        let short = format!("{TEXT}\n— PeterNeumann x08gow==\n");
        let many = format!("{TEXT}\n{}", SIGNATURE.repeat(101));
        for bad in ["", "\n", "\n\n", TEXT, &unsigned, &no_boundary, &control, &hyphen, &spaced, &short, &many] {
            assert!(matches!(SignedNote::parse(bad), Err(NoteFault::Malformed(_))), "{bad}");
        }
        assert!(SignedNote::parse(&format!("{TEXT}\n{}", SIGNATURE.repeat(100))).is_ok());
        for bad in ["", "no line feed", "bell\u{7}\n"] {
            assert!(matches!(signer().sign(bad), Err(NoteFault::Malformed(_))), "{bad}");
        }
    }

    #[test]
    fn a_checkpoint_is_three_lines() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = CheckpointText::parse(text).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(hex::encode(checkpoint.root), "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
        assert_eq!(checkpoint.to_string(), text);
        for (from, to) in [
            ("20852163", "020852163"),
            ("20852163", "-1"),
            ("20852163", "+1"),
            ("20852163", "18446744073709551616"),
            ("CsUY", "Cs"),
            ("CsUYapGG", ""),
            ("example.com/behind-the-sofa", ""),
            ("q2I=\n", "q2I=\nmore\n"),
            ("q2I=\n", "q2I=\n\n"),
        ] {
            assert!(matches!(CheckpointText::parse(&text.replace(from, to)), Err(NoteFault::NoCheckpoint(_))), "{to}");
        }
    }

    #[test]
    fn no_two_trees_have_one_origin() {
        let origin = |customer, period| origin("switchyard.example", "ten_1", Mode::Live, customer, period);
        assert_eq!(origin(None, None), "switchyard.example/ten_1/live");
        assert_eq!(
            origin(Some("app_1:IDR:ü/ser 1"), Some("2026-10")),
            "switchyard.example/ten_1/live/app_1:IDR:%C3%BC%2Fser%201/2026-10"
        );
        assert_eq!(origin(None, Some("2026-10")), "switchyard.example/ten_1/live/2026-10");
        assert_eq!(origin(Some("2026-10"), None), "switchyard.example/ten_1/live/2026%2D10");
        assert_eq!(origin(Some("2026%2D10"), None), "switchyard.example/ten_1/live/2026%252D10");
    }
}
