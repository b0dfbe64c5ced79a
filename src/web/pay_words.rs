//! What the pages of invoices and payment links say, in Indonesian and in English. What is said of the payment itself is
//! in `checkout_words`.

use super::checkout_words::Words;
use crate::gateway::provider_title;

/// The pages' words in one language. A state has a headline and a note.
pub(super) struct PayWords {
    pub base: &'static Words,
    pub test: &'static str,
    pub invoice: &'static str,
    pub due: &'static str,
    pub was_due: &'static str,
    pub item: &'static str,
    pub total: &'static str,
    pub amount: &'static str,
    pub between: &'static str,
    pub and: &'static str,
    pub choose: &'static str,
    pub other_way: &'static str,
    pub email: &'static str,
    pub email_note: &'static str,
    pub pay: &'static str,
    pub go_on: &'static str,
    pub begun: &'static str,
    pub elsewhere: &'static str,
    pub wallets: &'static str,
    pub open: &'static str,
    pub overdue: &'static str,
    pub paid: [&'static str; 2],
    pub void: [&'static str; 2],
    pub not_now: [&'static str; 2],
    pub busy: [&'static str; 2],
    pub used_up: [&'static str; 2],
    pub link_expired: [&'static str; 2],
    pub link_closed: [&'static str; 2],
    pub thanks: [&'static str; 2],
    pub missing: [&'static str; 2],
    pub try_again: &'static str,
    pub bad_method: &'static str,
    pub bad_email: &'static str,
    pub bad_amount: &'static str,
    pub refused: &'static str,
    pub away: &'static str,
    pub back: &'static str,
    pub reload: &'static str,
}

static INDONESIAN: PayWords = PayWords {
    base: &super::checkout_words::INDONESIAN,
    test: "Uji coba.",
    invoice: "Tagihan",
    due: "Jatuh tempo",
    was_due: "Jatuh tempo sejak",
    item: "Rincian",
    total: "Total",
    amount: "Jumlah pembayaran",
    between: "Antara",
    and: "dan",
    choose: "Pilih cara membayar",
    other_way: "Bayar dengan cara lain",
    email: "Alamat e-mail",
    email_note: "Konfirmasi dari penyedia pembayaran dikirim ke alamat ini.",
    pay: "Bayar",
    go_on: "Lanjutkan",
    begun: "Pembayaran yang sudah dimulai",
    elsewhere: "Kartu dan lainnya, di halaman penyedia",
    wallets: "Aplikasi bank dan e-wallet",
    open: "Belum dibayar",
    overdue: "Lewat jatuh tempo",
    paid: ["Lunas", "Terima kasih, pembayaran Anda sudah kami terima."],
    void: ["Tagihan dibatalkan", "Jangan membayar tagihan ini. Jika sudah membayar, toko sudah diberi tahu."],
    not_now: [
        "Belum dapat dibayar di sini",
        "Toko sedang tidak menerima pembayaran. Hubungi toko, atau coba lagi nanti.",
    ],
    busy: [
        "Sedang dibayar orang lain",
        "Jika pembayarannya tidak jadi, halaman ini dapat dipakai lagi. Muat ulang nanti.",
    ],
    used_up: ["Sudah terpakai semua", "Tautan ini sudah dibayar sebanyak yang diizinkan."],
    link_expired: ["Tautan sudah kedaluwarsa", "Minta tautan baru kepada toko."],
    link_closed: ["Tautan sudah ditutup", "Minta tautan baru kepada toko."],
    thanks: ["Pembayaran diterima", "Terima kasih. Anda dapat menutup halaman ini."],
    missing: ["Halaman tidak ditemukan", "Periksa tautannya, atau minta tautan baru kepada toko."],
    try_again: "Pembayaran terakhir tidak berhasil. Silakan coba lagi.",
    bad_method: "Pilih salah satu cara membayar.",
    bad_email: "Isi alamat e-mail yang benar.",
    bad_amount: "Isi jumlah yang dapat dibayar di sini.",
    refused: "Penyedia pembayaran menolak. Coba cara lain.",
    away: "Penyedia pembayaran tidak dapat dihubungi. Anda belum ditagih; silakan coba lagi.",
    back: "Kembali ke toko",
    reload: "Muat ulang",
};

static ENGLISH: PayWords = PayWords {
    base: &super::checkout_words::ENGLISH,
    test: "Test.",
    invoice: "Invoice",
    due: "Due",
    was_due: "Was due",
    item: "Details",
    total: "Total",
    amount: "Amount",
    between: "Between",
    and: "and",
    choose: "Choose how to pay",
    other_way: "Pay another way",
    email: "E-mail address",
    email_note: "The payment provider sends its confirmation there.",
    pay: "Pay",
    go_on: "Go on",
    begun: "Payments that you began",
    elsewhere: "Cards and more, on the provider’s page",
    wallets: "Banking and e-wallet apps",
    open: "Not paid yet",
    overdue: "Overdue",
    paid: ["Paid", "Thank you, we have received your payment."],
    void: ["This invoice was cancelled", "Do not pay it any more. If you have paid already, the shop has been told."],
    not_now: [
        "This cannot be paid here yet",
        "The shop takes no payments at the moment. Ask the shop, or try again later.",
    ],
    busy: ["Somebody is paying just now", "Should they not pay after all, you can. Reload this page in a while."],
    used_up: ["All used up", "This link was paid as often as it may be."],
    link_expired: ["This link has expired", "Ask the shop for a new one."],
    link_closed: ["This link was closed", "Ask the shop for a new one."],
    thanks: ["Payment received", "Thank you. You can close this page."],
    missing: ["There is no such page", "Check the link, or ask the shop for a new one."],
    try_again: "The last payment did not work out. Please try again.",
    bad_method: "Choose one of the ways to pay.",
    bad_email: "Enter your e-mail address.",
    bad_amount: "Enter an amount that can be paid here.",
    refused: "The payment provider refused. Try another way.",
    away: "The payment provider could not be reached. You were not charged; please try again.",
    back: "Back to the shop",
    reload: "Reload",
};

impl PayWords {
    /// The words for who asks for `chosen` in the page's address, or else for this in the browser's settings.
    pub fn of(chosen: Option<&str>, accept_language: Option<&str>) -> &'static Self {
        let is_indonesian = match chosen {
            Some("id") => true,
            Some("en") => false,
            _ => Words::in_order(accept_language)[0].is_indonesian,
        };
        if is_indonesian { &INDONESIAN } else { &ENGLISH }
    }

    /// The other language's.
    pub fn other(&self) -> &'static Self {
        if self.base.is_indonesian { &ENGLISH } else { &INDONESIAN }
    }

    /// Both languages of the payment itself, this one first.
    pub fn both(&self) -> [&'static Words; 2] {
        [self.base, self.other().base]
    }

    /// A method as buyers know it, and who may use it.
    pub fn method(&self, method: &str) -> (String, &'static str) {
        match method {
            "qris" => ("QRIS".to_owned(), self.wallets),
            _ => match method.strip_prefix("va_") {
                Some(bank) => (format!("{} virtual account", super::bank_guides::bank_title(bank)), ""),
                // The others are called as their providers are.
                None => (provider_title(method).unwrap_or(method).to_owned(), self.elsewhere),
            },
        }
    }
}
