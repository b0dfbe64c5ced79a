//! How many rejected webhooks are kept: anyone can send those, so of one address in one second only some.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::domain::time::Timestamp;

/// Kept of one address in one second.
const OF_ONE_ADDRESS: u32 = 10;

/// Addresses that are counted in one second; what others send is not kept.
const ADDRESSES: usize = 50;

/// What has been kept in the present second.
#[derive(Debug, Default)]
pub(super) struct Rejections(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    second: i64,
    kept: HashMap<Option<IpAddr>, u32>,
}

impl Rejections {
    /// Whether one more of this address is kept now.
    pub(super) fn take_room(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if present.second != now.unix_seconds() {
            *present = Second { second: now.unix_seconds(), kept: HashMap::new() };
        }
        if present.kept.len() >= ADDRESSES && !present.kept.contains_key(&address) {
            return false;
        }
        let kept = present.kept.entry(address).or_default();
        *kept = kept.saturating_add(1);
        *kept <= OF_ONE_ADDRESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_room_and_all_have_it_anew_in_the_next_second() {
        let rejections = Rejections::default();
        let at = Timestamp::from_unix_seconds;
        let address = |number: u8| Some(IpAddr::from([192, 0, 2, number]));
        let of_first = (0..20).filter(|_| rejections.take_room(address(0), at(1))).count();
        assert_eq!(of_first, 10);
        let others = (1..=99).filter(|number| rejections.take_room(address(*number), at(1))).count();
        assert_eq!(others, 49);
        assert!(rejections.take_room(address(0), at(2)));
    }
}
