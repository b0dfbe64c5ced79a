//! What the page of a payment says, in Indonesian and in English. How each bank is paid is in `bank_guides`.

use super::bank_guides::Guide;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

/// Hours east of UTC of the time that most Indonesian banks go by, and its name.
const WIB: (i8, &str) = (7, "WIB");

/// The page's words in one language. A state has a headline and a note.
pub struct Words {
    pub language: &'static str,
    pub language_title: &'static str,
    pub sandbox: &'static str,
    pub invoice: &'static str,
    pub pay_until: &'static str,
    pub time_left: &'static str,
    pub number: &'static str,
    pub copy: &'static str,
    pub copied: &'static str,
    pub scan: &'static str,
    pub code: &'static str,
    pub how: &'static str,
    pub reload: &'static str,
    pub back: &'static str,
    pub preparing: [&'static str; 2],
    pub waiting: [&'static str; 2],
    pub expired: [&'static str; 2],
    pub succeeded: [&'static str; 2],
    pub failed: [&'static str; 2],
    pub canceled: [&'static str; 2],
    months: [&'static str; 12],
    qris: [(&'static str, &'static [&'static str]); 2],
    pub is_indonesian: bool,
}

pub(super) static INDONESIAN: Words = Words {
    language: "id",
    language_title: "Bahasa Indonesia",
    sandbox: "Tidak ada uang sungguhan yang berpindah.",
    invoice: "Tagihan",
    pay_until: "Bayar sebelum",
    time_left: "Sisa waktu",
    number: "Nomor virtual account",
    copy: "Salin nomor",
    copied: "Nomor tersalin",
    scan: "Pindai dengan aplikasi bank atau e-wallet",
    code: "Kode QRIS",
    how: "Cara membayar",
    reload: "Muat ulang untuk melihat status terbaru",
    back: "Kembali ke toko",
    preparing: ["Pembayaran sedang disiapkan", "Tunggu sebentar. Halaman ini memuat ulang sendiri."],
    waiting: ["Menunggu pembayaran", "Halaman ini berubah sendiri begitu pembayaran diterima."],
    expired: [
        "Waktu pembayaran habis",
        "Jangan membayar lagi. Jika sudah membayar, tunggu: hasilnya akan muncul di sini.",
    ],
    succeeded: ["Pembayaran diterima", "Terima kasih. Anda dapat kembali ke toko."],
    failed: ["Pembayaran gagal", "Jangan membayar lagi di sini. Kembali ke toko untuk mencoba cara lain."],
    canceled: ["Pembayaran dibatalkan", "Jangan membayar lagi di sini. Kembali ke toko untuk memesan ulang."],
    months: ["Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"],
    qris: [
        (
            "Dari ponsel lain",
            &[
                "Buka aplikasi bank atau dompet digital Anda.",
                "Pilih menu Bayar, Scan atau QRIS.",
                "Pindai kode di halaman ini.",
                "Periksa nama toko dan jumlahnya, lalu masukkan PIN.",
            ],
        ),
        (
            "Dari ponsel ini",
            &[
                "Simpan tangkapan layar (screenshot) halaman ini.",
                "Buka aplikasi bank atau dompet digital, lalu pilih menu QRIS.",
                "Pilih gambar dari galeri, lalu pilih tangkapan layar tadi.",
                "Periksa nama toko dan jumlahnya, lalu masukkan PIN.",
            ],
        ),
    ],
    is_indonesian: true,
};

pub(super) static ENGLISH: Words = Words {
    language: "en",
    language_title: "English",
    sandbox: "No real money moves.",
    invoice: "Invoice",
    pay_until: "Pay before",
    time_left: "Time left",
    number: "Virtual account number",
    copy: "Copy number",
    copied: "Number copied",
    scan: "Scan with your bank or e-wallet app",
    code: "QRIS code",
    how: "How to pay",
    reload: "Reload to see how it stands",
    back: "Back to the shop",
    preparing: ["Your payment is being prepared", "Just a moment. This page reloads itself."],
    waiting: ["Waiting for your payment", "This page changes by itself once the payment is received."],
    expired: [
        "The time to pay is over",
        "Do not pay any more. If you have paid already, wait: the result will show here.",
    ],
    succeeded: ["Payment received", "Thank you. You can go back to the shop."],
    failed: ["The payment has failed", "Do not pay here any more. Go back to the shop to try another way."],
    canceled: ["The payment was canceled", "Do not pay here any more. Go back to the shop to order again."],
    months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    qris: [
        (
            "From another phone",
            &[
                "Open your banking or e-wallet app.",
                "Choose Pay, Scan or QRIS.",
                "Scan the code on this page.",
                "Check the shop's name and the amount, then enter your PIN.",
            ],
        ),
        (
            "On this phone",
            &[
                "Take a screenshot of this page.",
                "Open your banking or e-wallet app and choose QRIS.",
                "Choose a picture from the gallery, and there the screenshot.",
                "Check the shop's name and the amount, then enter your PIN.",
            ],
        ),
    ],
    is_indonesian: false,
};

impl Words {
    /// Both languages, the one first that a browser asks for. Who asks for none of them reads English more likely;
    /// who asks for nothing pays in Indonesia.
    #[must_use]
    pub fn in_order(accept_language: Option<&str>) -> [&'static Self; 2] {
        let wanted = accept_language.map(str::trim).filter(|wanted| !wanted.is_empty() && *wanted != "*");
        if wanted.is_none_or(wants_indonesian) { [&INDONESIAN, &ENGLISH] } else { [&ENGLISH, &INDONESIAN] }
    }

    /// An amount with the separators of the language: `Rp 50.000`.
    #[must_use]
    pub fn amount(&self, formatted: &str, currency: Currency) -> String {
        // Without decimals every comma separates thousands.
        if self.is_indonesian && currency.decimals() == 0 { formatted.replace(',', ".") } else { formatted.to_owned() }
    }

    /// A moment by the clocks of Jakarta.
    #[must_use]
    pub fn moment(&self, moment: Timestamp) -> String {
        let at = moment.wall_clock(WIB.0);
        let month = usize::try_from(at.month()).ok().and_then(|month| self.months.get(month - 1)).unwrap_or(&"");
        let between = if self.is_indonesian { '.' } else { ':' };
        format!("{} {month} {}, {:02}{between}{:02} {}", at.day(), at.year(), at.hour(), at.minute(), WIB.1)
    }

    /// How a QRIS code is paid.
    #[must_use]
    pub fn qris_guides(&self) -> Vec<Guide> {
        self.qris.iter().map(|(title, steps)| Guide::new((*title).to_owned(), steps, "")).collect()
    }
}

/// Whether an `Accept-Language` names Indonesian, or a language of its neighbours, no later than English. `in` is the
/// code that Indonesian had before.
fn wants_indonesian(accept_language: &str) -> bool {
    let mut ranges: Vec<(u32, &str)> = accept_language
        .split(',')
        .map(|range| {
            let (language, parameters) = range.split_once(';').unwrap_or((range, ""));
            (weight(parameters), language.trim().split('-').next().unwrap_or_default())
        })
        .filter(|(weight, _)| *weight > 0)
        .collect();
    ranges.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let known =
        ranges.iter().map(|(_, language)| language.to_ascii_lowercase()).find_map(|language| match language.as_str() {
            "id" | "in" | "ms" | "jv" | "su" => Some(true),
            "en" => Some(false),
            _ => None,
        });
    known.unwrap_or(false)
}

/// The weight of a language range in thousandths.
fn weight(parameters: &str) -> u32 {
    let Some(text) = parameters.trim().strip_prefix("q=") else { return 1000 };
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let thousandths = format!("{fraction:0<3}");
    let fraction = thousandths.get(..3).and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
    whole.parse::<u32>().map_or(0, |whole| whole.min(1) * 1000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_of_the_browser_comes_first() {
        for (accept_language, first) in [
            (None, "id"),
            (Some(""), "id"),
            (Some("*"), "id"),
            (Some("id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7"), "id"),
            (Some("en-US,en;q=0.9,id;q=0.8"), "en"),
            (Some("en;q=0.3, in ; q=0.75"), "id"),
            (Some("de-DE,de;q=0.9"), "en"),
            (Some("de,ms;q=0.5"), "id"),
            (Some("id;q=0,en;q=0.1"), "en"),
            (Some("q=;;,,"), "en"),
        ] {
            let order = Words::in_order(accept_language).map(|words| words.language);
            assert_eq!(order[0], first, "{accept_language:?}");
            assert_ne!(order[0], order[1]);
        }
    }

    #[test]
    fn a_moment_reads_as_the_language_writes_it() {
        let moment = Timestamp::parse_rfc3339("2026-11-21T17:05:09Z").unwrap();
        assert_eq!(INDONESIAN.moment(moment), "22 Nov 2026, 00.05 WIB");
        assert_eq!(ENGLISH.moment(moment), "22 Nov 2026, 00:05 WIB");
    }

    #[test]
    fn thousands_are_separated_as_the_language_does_it() {
        let (rupiah, dollar) = (Currency::parse("IDR").unwrap(), Currency::parse("USD").unwrap());
        assert_eq!(INDONESIAN.amount("Rp 1,250,000", rupiah), "Rp 1.250.000");
        assert_eq!(ENGLISH.amount("Rp 1,250,000", rupiah), "Rp 1,250,000");
        assert_eq!(INDONESIAN.amount("$1,250.00", dollar), "$1,250.00");
    }
}
