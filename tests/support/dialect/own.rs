//! What every answer of Boxwood's own API has, on a listener of any dialect.

use super::Faults;
use crate::response::Response;

pub(super) fn check(answer: &Response, faults: &mut Faults) {
    let is_json = !answer.path().ends_with("/metrics");
    super::of_an_object(answer, is_json, faults);
}
