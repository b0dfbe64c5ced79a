//! For each bank the way through its machine and its app, in Indonesian and in English. The menus are those of
//! 2026-11-21 as far as they are known; where a bank changes them, only these texts do.

use super::checkout_words::Words;

/// One way to pay, step by step.
pub struct Guide {
    pub title: String,
    pub steps: Vec<String>,
}

/// A bank as its customers know it.
#[must_use]
pub fn bank_title(bank: &str) -> String {
    match bank {
        "mandiri" => "Bank Mandiri".to_owned(),
        "permata" => "PermataBank".to_owned(),
        "cimb" => "CIMB Niaga".to_owned(),
        "danamon" => "Bank Danamon".to_owned(),
        "maybank" => "Maybank".to_owned(),
        other => other.to_uppercase(),
    }
}

impl Guide {
    /// `{code}` in a step stands for the first five digits of the number, by which a machine finds the company.
    pub fn new(title: String, steps: &[&str], number: &str) -> Self {
        let code = number.get(..5).unwrap_or(number);
        Self { title, steps: steps.iter().map(|step| step.replace("{code}", code)).collect() }
    }
}

/// How a virtual account is paid: at the machine, and in the app.
#[must_use]
pub fn guides(bank: &str, number: &str, words: &Words) -> Vec<Guide> {
    let (app, machine_steps, app_steps) = if words.is_indonesian { indonesian(bank) } else { english(bank) };
    let machine = format!("ATM {}", bank_title(bank));
    vec![Guide::new(machine, machine_steps, number), Guide::new(app.to_owned(), app_steps, number)]
}

type Ways = (&'static str, &'static [&'static str], &'static [&'static str]);

#[rustfmt::skip]
const fn indonesian(bank: &str) -> Ways {
    match bank.as_bytes() {
        b"bca" => (
            "m-BCA",
            &[
                "Masukkan kartu dan PIN.",
                "Pilih Transaksi Lainnya, lalu Transfer, lalu Ke Rekening BCA Virtual Account.",
                "Masukkan nomor virtual account di atas, lalu pilih Benar.",
                "Periksa nama dan jumlahnya, lalu pilih Ya. Simpan struknya.",
            ],
            &[
                "Buka BCA mobile, pilih m-BCA dan masuk.",
                "Pilih m-Transfer, lalu BCA Virtual Account.",
                "Masukkan nomor virtual account di atas, lalu pilih Send.",
                "Periksa nama dan jumlahnya, pilih OK, lalu masukkan PIN m-BCA.",
            ],
        ),
        b"mandiri" => (
            "Livin' by Mandiri",
            &[
                "Masukkan kartu dan PIN.",
                "Pilih Bayar/Beli, lalu Lainnya, lalu Multipayment.",
                "Masukkan kode perusahaan {code}, lalu pilih Benar.",
                "Masukkan nomor virtual account di atas, lalu pilih Benar.",
                "Periksa nama dan jumlahnya, pilih tagihannya, lalu pilih Ya.",
            ],
            &[
                "Buka Livin' by Mandiri dan masuk.",
                "Pilih Bayar, lalu cari kode perusahaan {code} di Multipayment.",
                "Masukkan nomor virtual account di atas, lalu pilih Lanjutkan.",
                "Periksa nama dan jumlahnya, pilih Bayar, lalu masukkan PIN.",
            ],
        ),
        b"bni" => (
            "wondr by BNI / BNI Mobile Banking",
            &[
                "Masukkan kartu dan PIN.",
                "Pilih Menu Lain, lalu Transfer, lalu Virtual Account Billing.",
                "Masukkan nomor virtual account di atas, lalu pilih Benar.",
                "Periksa nama dan jumlahnya, lalu pilih Ya.",
            ],
            &[
                "Buka aplikasi dan masuk.",
                "Pilih Transfer, lalu Virtual Account Billing.",
                "Masukkan nomor virtual account di atas, lalu pilih Lanjut.",
                "Periksa nama dan jumlahnya, lalu masukkan PIN atau password transaksi.",
            ],
        ),
        b"bri" => (
            "BRImo",
            &[
                "Masukkan kartu dan PIN.",
                "Pilih Transaksi Lain, lalu Pembayaran, lalu Lainnya, lalu BRIVA.",
                "Masukkan nomor virtual account di atas, lalu pilih Benar.",
                "Periksa nama dan jumlahnya, lalu pilih Ya.",
            ],
            &[
                "Buka BRImo dan masuk.",
                "Pilih BRIVA, lalu Pembayaran Baru.",
                "Masukkan nomor virtual account di atas, lalu pilih Lanjutkan.",
                "Periksa nama dan jumlahnya, pilih Bayar, lalu masukkan PIN.",
            ],
        ),
        b"permata" => (
            "PermataMobile X",
            &[
                "Masukkan kartu dan PIN.",
                "Pilih Transaksi Lainnya, lalu Pembayaran, lalu Pembayaran Lainnya, lalu Virtual Account.",
                "Masukkan nomor virtual account di atas, lalu pilih Benar.",
                "Periksa nama dan jumlahnya, lalu pilih Ya.",
            ],
            &[
                "Buka PermataMobile X dan masuk.",
                "Pilih Bayar Tagihan, lalu Virtual Account.",
                "Masukkan nomor virtual account di atas, lalu pilih Lanjut.",
                "Periksa nama dan jumlahnya, lalu masukkan kode respons atau PIN.",
            ],
        ),
        _ => (
            "Mobile banking",
            &[
                "Masukkan kartu dan PIN.",
                "Pilih Pembayaran atau Transfer, lalu Virtual Account.",
                "Masukkan nomor virtual account di atas.",
                "Periksa nama dan jumlahnya, lalu setujui.",
            ],
            &[
                "Buka aplikasi bank Anda dan masuk.",
                "Pilih Pembayaran atau Transfer, lalu Virtual Account.",
                "Masukkan nomor virtual account di atas.",
                "Periksa nama dan jumlahnya, lalu masukkan PIN.",
            ],
        ),
    }
}

#[rustfmt::skip]
const fn english(bank: &str) -> Ways {
    match bank.as_bytes() {
        b"bca" => (
            "m-BCA",
            &[
                "Insert your card and enter your PIN.",
                "Choose Other transactions, then Transfer, then To BCA Virtual Account.",
                "Enter the virtual account number above and choose Correct.",
                "Check the name and the amount and choose Yes. Keep the slip.",
            ],
            &[
                "Open BCA mobile, choose m-BCA and log in.",
                "Choose m-Transfer, then BCA Virtual Account.",
                "Enter the virtual account number above and choose Send.",
                "Check the name and the amount, choose OK and enter your m-BCA PIN.",
            ],
        ),
        b"mandiri" => (
            "Livin' by Mandiri",
            &[
                "Insert your card and enter your PIN.",
                "Choose Pay/Buy, then Others, then Multipayment.",
                "Enter the company code {code} and choose Correct.",
                "Enter the virtual account number above and choose Correct.",
                "Check the name and the amount, choose the bill, then Yes.",
            ],
            &[
                "Open Livin' by Mandiri and log in.",
                "Choose Pay, then look for the company code {code} under Multipayment.",
                "Enter the virtual account number above and choose Continue.",
                "Check the name and the amount, choose Pay and enter your PIN.",
            ],
        ),
        b"bni" => (
            "wondr by BNI / BNI Mobile Banking",
            &[
                "Insert your card and enter your PIN.",
                "Choose Other menu, then Transfer, then Virtual Account Billing.",
                "Enter the virtual account number above and choose Correct.",
                "Check the name and the amount and choose Yes.",
            ],
            &[
                "Open the app and log in.",
                "Choose Transfer, then Virtual Account Billing.",
                "Enter the virtual account number above and choose Continue.",
                "Check the name and the amount and enter your PIN or transaction password.",
            ],
        ),
        b"bri" => (
            "BRImo",
            &[
                "Insert your card and enter your PIN.",
                "Choose Other transactions, then Payment, then Others, then BRIVA.",
                "Enter the virtual account number above and choose Correct.",
                "Check the name and the amount and choose Yes.",
            ],
            &[
                "Open BRImo and log in.",
                "Choose BRIVA, then New payment.",
                "Enter the virtual account number above and choose Continue.",
                "Check the name and the amount, choose Pay and enter your PIN.",
            ],
        ),
        b"permata" => (
            "PermataMobile X",
            &[
                "Insert your card and enter your PIN.",
                "Choose Other transactions, then Payment, then Other payments, then Virtual Account.",
                "Enter the virtual account number above and choose Correct.",
                "Check the name and the amount and choose Yes.",
            ],
            &[
                "Open PermataMobile X and log in.",
                "Choose Pay bills, then Virtual Account.",
                "Enter the virtual account number above and choose Continue.",
                "Check the name and the amount and enter your response code or PIN.",
            ],
        ),
        _ => (
            "Mobile banking",
            &[
                "Insert your card and enter your PIN.",
                "Choose Payment or Transfer, then Virtual Account.",
                "Enter the virtual account number above.",
                "Check the name and the amount and confirm.",
            ],
            &[
                "Open your bank's app and log in.",
                "Choose Payment or Transfer, then Virtual Account.",
                "Enter the virtual account number above.",
                "Check the name and the amount and enter your PIN.",
            ],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bank_has_two_ways_in_both_languages_and_no_step_is_left_with_a_gap() {
        for bank in ["bca", "mandiri", "bni", "bri", "permata", "another"] {
            let [first, second] = Words::in_order(None).map(|words| guides(bank, "70014000091030014102", words));
            assert_eq!((first.len(), second.len()), (2, 2), "{bank}");
            for (indonesian, english) in first.iter().zip(&second) {
                assert_eq!(indonesian.steps.len(), english.steps.len(), "{bank}: {}", english.title);
                assert!(indonesian.steps.iter().chain(&english.steps).all(|step| !step.contains('{')), "{bank}");
            }
        }
        let english = Words::in_order(Some("en"))[0];
        assert!(guides("mandiri", "70014000091030014102", english)[0].steps[2].contains(" 70014 "));
        assert!(guides("mandiri", "7001", english)[0].steps[2].contains("7001"));
    }
}
