//! The exact text of items with every member, which the recordings lack.

use reelhook_app::jobs::renders::Callback;
use reelhook_app::webhooks::endpoints::registrations::Registration;
use reelhook_app::webhooks::events::EventRow;
use reelhook_app::webhooks::recovery::Recovery;
use reelhook_domain::{Admission, Delivery};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn assert_unchanged<T: Serialize + DeserializeOwned>(stored: &str) {
    let value: T = serde_json::from_str(stored).unwrap_or_else(|error| panic!("{stored}: {error}"));
    assert_eq!(serde_json::to_string(&value).unwrap(), stored);
}

#[test]
fn a_delivery_with_every_member_stays_as_it_is() {
    assert_unchanged::<Delivery>(concat!(
        r#"{"id":"01e4d6f0-12ab-5324-a3e0-90ddfb80c3e0","event_id":"job_1_a.7.1","event":"job.completed","#,
        r#""job_id":"job_1_a","endpoint_id":"ep_1","endpoint_name":"webhook_1","status":"pending","version":9,"#,
        r#""created_at":1704110400000,"attempts":4,"excused":2,"again_at":1704110400001,"replay":true,"#,
        r#""recovery":"rec_1","next_attempt_at":1704110400002,"held":"rate","lease_until":1704110400003,"#,
        r#""due_at":1704110400004,"finished_at":1704110400005,"last_result":"status 503, trying again","#,
        r#""last":{"number":4,"started_at":1704110400006},"traceparent":"00-1-2-01"}"#,
    ));
}

#[test]
fn each_wait_reason_of_a_delivery_stays_as_it_is() {
    let stored = concat!(
        r#"{"id":"01e4d6f0-12ab-5324-a3e0-90ddfb80c3e0","event_id":"job_1_a.7.1","event":"job.failed","#,
        r#""job_id":"job_1_a","endpoint_id":"ep_1","endpoint_name":"webhook_1","status":"pending","version":2,"#,
        r#""created_at":1704110400000,"attempts":0,"next_attempt_at":1704110400000,"held":"REASON"}"#,
    );
    for reason in ["rate", "line", "circuit", "pause", "settings"] {
        assert_unchanged::<Delivery>(&stored.replace("REASON", reason));
    }
}

#[test]
fn an_event_that_supersedes_another_stays_as_it_is() {
    assert_unchanged::<EventRow>(concat!(
        r#"{"id":"job_1_a.7.1","event":"video.completed","job_id":"job_1_a","at":1704110400000,"#,
        r#""data":{"z":1,"a":0.5},"callback":{"url":"https://client.example/hook","supersedes":"job_1_a.3.0"}}"#,
    ));
}

#[test]
fn an_event_whose_data_is_exact_stays_as_it_is() {
    assert_unchanged::<EventRow>(concat!(
        r#"{"id":"job_1_a.7.1","event":"job.completed","job_id":"job_1_a","at":1704110400000,"#,
        r#""data":{"1":0.5,"z":"é"},"exact":true}"#,
    ));
}

#[test]
fn a_recovery_with_every_member_stays_as_it_is() {
    assert_unchanged::<Recovery>(concat!(
        r#"{"id":"rec_0123456789abcdef0123456789abcdef","filter":{"from":1704110400000,"to":1704110400001,"#,
        r#""endpoint":"webhook_1","event":"job.failed","statuses":["exhausted","stopped"]},"dry_run":true,"#,
        r#""asked":"a hash","status":"running","version":3,"created_at":1704110400002,"updated_at":1704110400003,"#,
        r#""finished_at":1704110400004,"due_at":1704110400005,"cursor":"1704110400000","examined":5,"matched":4,"#,
        r#""replayed":3,"under_way":2,"disabled":1}"#,
    ));
}

#[test]
fn a_registration_with_every_member_stays_as_it_is() {
    assert_unchanged::<Registration>(concat!(
        r#"{"id":"ep_1","version":2,"created_at":1704110400000,"updated_at":1704110400001,"choices":{"#,
        r#""description":"Orders","events":["job.*","video.completed"],"form":{"payload":"thin","#,
        r#""dialect":"vidbuilder","ascii":true},"asymmetric":true,"policy":{"schedule":"standard","timeout":5000,"#,
        r#""rateLimitMax":10,"rateLimitWindow":60000,"concurrency":2,"permanentStatuses":[400,422]}},"#,
        r#""public_keys":[{"id":"sec_1","key":"whpk_1","expires_at":1704110400002}],"request":"a hash","#,
        r#""sealed":"a1.x.y"}"#,
    ));
}

#[test]
fn a_registration_that_gets_the_standard_payload_stays_as_it_is() {
    assert_unchanged::<Registration>(concat!(
        r#"{"id":"ep_1","version":1,"created_at":1704110400000,"updated_at":1704110400000,"choices":{"#,
        r#""events":["job.*"],"form":{"payload":"full","ascii":false,"format":"standard"},"asymmetric":false,"#,
        r#""policy":{}},"public_keys":[],"sealed":"a1.x.y"}"#,
    ));
}

#[test]
fn an_admission_item_with_every_member_stays_as_it_is() {
    assert_unchanged::<Admission>(concat!(
        r#"{"version":7,"paused":true,"active":{"job_1_a.1.1":1704110400000},"cleared":{"all":1704110400001,"#,
        r#""failed":1704110400002,"hidden":{"completed":3,"failed":4}}}"#,
    ));
}

#[test]
fn a_row_of_numbered_slots_stays_as_it_is() {
    assert_unchanged::<Admission>(concat!(
        r#"{"version":7,"paused":false,"active":{},"left_at":1704110400009,"numbered":{"next":1704110400003,"lanes":"#,
        r#"{"00000000000a":[1704110400000,1,1,1]},"leases":[[1704110400000,1704112600000]],"newest":[1,2,4294967295]},"#,
        r#""revision":2,"layout":{"rows":4,"before":16,"numbers":true}}"#,
    ));
}

#[test]
fn a_parked_callback_with_every_member_stays_as_it_is() {
    assert_unchanged::<Callback>(concat!(
        r#"{"status":"failed","url":"https://cdn.example/v.mp4","error":"no memory","#,
        r#""run":{"job_id":"job_1_a","attempt":2}}"#,
    ));
}
