//! How many requests an address may send: a bucket of 15 that gets one more each second.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;
use transaction_engine::Timestamp;

use crate::transport::network;

/// The number of requests that may come at once.
pub(super) const BUCKET: u32 = 15;

/// What a refused client is advised to wait, in seconds: the time in which a bucket fills up.
pub(super) const RETRY_SECONDS: u32 = 15;

/// The number of addresses that are remembered.
const ADDRESSES: usize = 10_000;

const MICROS: i64 = 1_000_000;

/// The buckets of all addresses. A bucket is kept as the time at which it will be full; one that is
/// full is as good as one that is not kept.
#[derive(Default)]
pub(super) struct Limiter {
    full_at: Mutex<HashMap<IpAddr, i64>>,
}

impl Limiter {
    /// Takes one request out of the bucket of an address; how many are left, or `None` where there
    /// was none.
    pub(super) fn take(&self, address: IpAddr, now: Timestamp) -> Option<u32> {
        let (address, now) = (network(address), now.as_micros());
        let whole = i64::from(BUCKET) * MICROS;
        let mut buckets = self.full_at.lock();
        let full_at = buckets.get(&address).copied().unwrap_or(now);
        // A clock that was set back does not leave a bucket emptier than empty.
        let missing = full_at.saturating_sub(now).clamp(0, whole) + MICROS;
        if missing > whole {
            return None;
        }
        make_room(&mut buckets, now);
        buckets.insert(address, now.saturating_add(missing));
        u32::try_from((whole - missing) / MICROS).ok()
    }
}

fn make_room(buckets: &mut HashMap<IpAddr, i64>, now: i64) {
    if buckets.len() < ADDRESSES {
        return;
    }
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() < ADDRESSES {
        return;
    }
    // The one that loses least by being forgotten.
    let fullest = buckets.iter().min_by_key(|(_, full_at)| **full_at).map(|(address, _)| *address);
    if let Some(address) = fullest {
        buckets.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + last))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn the_sixteenth_request_within_a_second_is_one_too_many() {
        let limiter = Limiter::default();
        let left: Vec<_> = (0..15).map(|n| limiter.take(address(1), at(n)).unwrap()).collect();
        assert_eq!(left, (0..15).rev().collect::<Vec<_>>());
        assert_eq!(limiter.take(address(1), at(900)), None);
        assert_eq!(limiter.take(address(2), at(900)), Some(14), "each address has its own");
        // What is refused costs nothing; each second brings one more.
        assert_eq!(limiter.take(address(1), at(1000)), Some(0));
        assert_eq!(limiter.take(address(1), at(1500)), None);
        assert_eq!(limiter.take(address(1), at(60_000)), Some(14));
    }

    #[test]
    fn a_clock_that_is_set_back_blocks_for_no_longer_than_a_bucket_takes() {
        let limiter = Limiter::default();
        for _ in 0..15 {
            limiter.take(address(1), at(1_000_000));
        }
        assert_eq!(limiter.take(address(1), at(0)), None);
        assert_eq!(limiter.take(address(1), at(985_999)), None);
        assert_eq!(limiter.take(address(1), at(1_001_000)), Some(0));
    }

    #[test]
    fn an_address_is_the_same_in_both_families_and_many_take_no_more_room() {
        let limiter = Limiter::default();
        let mapped = IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        limiter.take(address(1), at(0));
        assert_eq!(limiter.take(mapped, at(0)), Some(13));
        for last in 2..12_000 {
            assert!(limiter.take(address(last), at(0)).is_some());
        }
        assert_eq!(limiter.full_at.lock().len(), ADDRESSES);
        assert_eq!(limiter.take(address(1), at(0)), Some(12), "the emptiest is kept");
    }
}
