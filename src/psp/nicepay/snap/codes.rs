//! What SNAP's response codes and transaction statuses mean. No call is made here.

use crate::domain::payments::{Observation, RefundOutcome};
use crate::psp::Failure;
use crate::psp::nicepay::words::{self, GARBAGE};

/// The reason for which a number that was used before is refused.
pub const USED_BEFORE: &str = "the reference was used before";

/// Whether a response code is about the token rather than about the call: `401XX01`.
pub fn is_about_token(code: &str) -> bool {
    code.len() == 7 && code.starts_with("401") && code.ends_with("01")
}

/// The failure that a response code other than success stands for: HTTP status, service, case.
pub fn failure(code: &str) -> Failure {
    let (Some(status), Some(case), 7) = (code.get(..3), code.get(5..), code.len()) else { return GARBAGE };
    let meaning = match (status, case) {
        ("401", _) => return words::wrong_credentials(code),
        ("400", "01") => "a field is malformed",
        ("400", "02") => "a required field is missing",
        ("403", "01") => "the method is not activated for this merchant",
        ("403", "02" | "21" | "23") => "the amount is over a limit",
        ("403", "14") => "there are not sufficient funds",
        ("403", "15") => "the transaction is not permitted",
        ("404", "11" | "19") => "the virtual account is not known",
        ("404", "13") => "it is paid already",
        ("403" | "404", "18") => "the account is inactive",
        ("409", _) => USED_BEFORE,
        ("400" | "403" | "404" | "405", _) => "it was refused",
        ("500" | "504", _) => return Failure::Unknown { class: "provider_busy" },
        _ => return GARBAGE,
    };
    Failure::refused(format!("NICEPAY: {meaning}{}", words::in_brackets(code)))
}

fn paid(id: &str, amount: Option<(i64, String)>) -> Result<(Observation, i64, String), Failure> {
    let (amount_minor, currency) = amount.ok_or(GARBAGE)?;
    let paid = Observation::Paid { amount_minor, currency: currency.clone(), transaction: id.to_owned() };
    Ok((paid, amount_minor, currency))
}

fn canceled(reason: &str) -> Vec<Observation> {
    vec![Observation::Canceled { reason: reason.to_owned() }]
}

/// What the status of a virtual account means. Two editions contradict each other on 04 (canceled, or refunded, which
/// a virtual account cannot be), so it is the end of one that was not paid.
pub fn account_observations(
    status: &str,
    id: &str,
    amount: Option<(i64, String)>,
) -> Result<Vec<Observation>, Failure> {
    Ok(match status {
        "00" => vec![paid(id, amount)?.0],
        "01" => {
            let (paid, amount_minor, currency) = paid(id, amount)?;
            let transaction = format!("{id}-reversal");
            let reason = "the bank took the transfer back".to_owned();
            vec![paid, Observation::Reversed { transaction, amount_minor, currency, reason }]
        }
        "03" => vec![Observation::Pending],
        "04" | "05" => canceled("the virtual account expired or was canceled"),
        "06" => vec![Observation::Failed { reason: "the payment failed at the bank".to_owned() }],
        _ => return Err(GARBAGE),
    })
}

/// What the status of a QRIS payment means.
pub fn qr_observations(status: &str, id: &str, amount: Option<(i64, String)>) -> Result<Vec<Observation>, Failure> {
    Ok(match status {
        "00" => vec![paid(id, amount)?.0],
        "01" | "02" | "03" => vec![Observation::Pending],
        "04" => {
            let (paid, amount_minor, currency) = paid(id, amount)?;
            // A refund under SNAP is of the whole.
            let refunded = Observation::Refunded {
                refund: words::refund_ref(id, amount_minor),
                refund_id: None,
                amount_minor,
                currency,
                outcome: RefundOutcome::Succeeded,
            };
            vec![paid, refunded]
        }
        "05" => canceled("the code expired or was canceled"),
        "06" => vec![Observation::Failed { reason: "the payment failed at the acquirer".to_owned() }],
        _ => return Err(GARBAGE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_leaves_open_what_was_done_unless_it_says_no() {
        for (code, class) in [
            ("4002701", "refused"),
            ("4012700", "refused"),
            ("4042713", "refused"),
            ("4094701", "refused"),
            ("5002700", "provider_busy"),
            ("5042700", "provider_busy"),
            ("2002700", "garbage"),
            ("99", "garbage"),
            ("ééé", "garbage"),
        ] {
            assert_eq!(failure(code).class(), class, "{code}");
        }
        assert!(is_about_token("4012701") && !is_about_token("4012700") && !is_about_token("4002701"));
    }

    #[test]
    fn an_unknown_status_or_a_paid_one_without_an_amount_is_not_believed() {
        assert_eq!(account_observations("00", "t", None), Err(GARBAGE));
        assert_eq!(account_observations("99", "t", Some((1, "IDR".into()))), Err(GARBAGE));
        assert_eq!(qr_observations("04", "t", None), Err(GARBAGE));
        assert_eq!(qr_observations("07", "t", None), Err(GARBAGE));
    }
}
