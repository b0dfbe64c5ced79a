//! Buyers: whether it is known who they are, and the amounts above which that is asked for.

use super::money::{Currency, MAX_AMOUNT_MINOR, parse_amount, plain_amount};

/// What the product has found out of a buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KycStatus {
    /// Nothing was asked.
    None,
    /// It is being looked into.
    Pending,
    /// It is known who he is.
    Approved,
    /// He is not who he says.
    Rejected,
}

impl KycStatus {
    const ALL: [Self; 4] = [Self::None, Self::Pending, Self::Approved, Self::Rejected];

    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// The status that `text` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// The largest amounts that a buyer may pay who is not approved, in minor units of their currencies. A currency that is
/// not named has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KycLimits(Vec<(Currency, i64)>);

impl KycLimits {
    /// Reads limits as `IDR=1000000`, each currency once.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn read<'a>(limits: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut read: Vec<(Currency, i64)> = Vec::new();
        for text in limits {
            let limit = text.split_once('=').and_then(|(currency, amount)| {
                let amount = amount.parse().ok().filter(|amount| (0..=MAX_AMOUNT_MINOR).contains(amount))?;
                Some((Currency::parse(currency)?, amount))
            });
            let Some((currency, amount)) = limit else {
                return Err(format!("{text} is not a currency and an amount in minor units, as IDR=1000000"));
            };
            if read.iter().any(|(known, _)| *known == currency) {
                return Err(format!("{} is given twice", currency.code()));
            }
            read.push((currency, amount));
        }
        Ok(Self(read))
    }

    /// Reads limits as people write them, a line for each: `IDR 1,000,000` or `USD 29.00`.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn read_lines(text: &str) -> Result<Self, String> {
        let mut limits = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let limit = line.split_once(char::is_whitespace).and_then(|(code, amount)| {
                let currency = Currency::parse(&code.to_uppercase())?;
                Some(format!("{}={}", currency.code(), parse_amount(amount.trim(), currency)?))
            });
            limits.push(limit.ok_or_else(|| format!("{line} is not a currency and an amount, as IDR 1,000,000"))?);
        }
        Self::read(limits.iter().map(String::as_str))
    }

    /// The limits as people write them.
    #[must_use]
    pub fn lines(&self) -> String {
        let line =
            |(currency, minor): &(Currency, i64)| format!("{} {}", currency.code(), plain_amount(*minor, *currency));
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The limits that are stored, which were checked before they were written.
    #[must_use]
    pub fn of_stored(stored: Option<&str>) -> Self {
        Self::read(stored.iter().flat_map(|stored| stored.split(','))).unwrap_or_default()
    }

    /// The limits as they are stored; nothing where there are none.
    #[must_use]
    pub fn stored(&self) -> Option<String> {
        let limits: Vec<String> =
            self.0.iter().map(|(currency, amount)| format!("{}={amount}", currency.code())).collect();
        (!limits.is_empty()).then(|| limits.join(","))
    }

    /// The limit that an amount is above.
    #[must_use]
    pub fn exceeded_by(&self, amount_minor: i64, currency: Currency) -> Option<i64> {
        let limit = self.0.iter().find(|(limited, _)| *limited == currency);
        limit.map(|(_, limit)| *limit).filter(|limit| amount_minor > *limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_hold_above_and_in_their_currency_alone() {
        let currency = |code| Currency::parse(code).unwrap();
        let limits = KycLimits::read(["IDR=1000000", "USD=0"]).unwrap();
        assert_eq!(limits.stored().as_deref(), Some("IDR=1000000,USD=0"));
        assert_eq!(KycLimits::of_stored(limits.stored().as_deref()), limits);
        assert_eq!(KycLimits::of_stored(None), KycLimits::default());
        assert_eq!(limits.exceeded_by(1_000_000, currency("IDR")), None);
        assert_eq!(limits.exceeded_by(1_000_001, currency("IDR")), Some(1_000_000));
        assert_eq!(limits.exceeded_by(1, currency("USD")), Some(0));
        assert_eq!(limits.exceeded_by(1_000_001, currency("EUR")), None);
        assert_eq!(KycLimits::read([]).unwrap().stored(), None);
        for wrong in ["IDR", "idr=1", "IDR=-1", "IDR=1.5", "=1", "IDR=9999999999999"] {
            assert!(KycLimits::read([wrong]).is_err(), "{wrong}");
        }
        assert!(KycLimits::read(["IDR=1", "IDR=2"]).is_err());
    }

    #[test]
    fn limits_are_written_and_read_as_people_do() {
        let limits = KycLimits::read(["IDR=1000000", "USD=2900"]).unwrap();
        assert_eq!(limits.lines(), "IDR 1000000\nUSD 29.00");
        assert_eq!(KycLimits::read_lines("idr 1,000,000\r\n\n  USD  29.00 ").unwrap(), limits);
        assert_eq!(KycLimits::read_lines(" \n").unwrap(), KycLimits::default());
        for wrong in ["IDR", "1,000,000", "IDR -1", "IDR 1.5", "USD 1.234", "IDR 1\nIDR 2"] {
            assert!(KycLimits::read_lines(wrong).is_err(), "{wrong}");
        }
    }
}
