//! Callbacks that are refused because the error about them can't be raised.

use reelhook_app::change::ChangeError;
use reelhook_app::projects::callbacks::Received;
use reelhook_app::projects::store::EarlyCallbacks;
use reelhook_domain::SceneId;
use reelhook_domain::projects::task::Stage;
use reelhook_testkit::{Fault, NOON};
use serde_json::json;

use super::{Fixture, completed_video, generating, with};

#[tokio::test]
async fn a_callback_is_refused_until_its_error_is_raised() {
    let unknown = json!({ "scene_id": "scene_x", "task_id": "other" });
    let disagreeing = json!({ "scene_id": "scene_a", "metadata": { "scene_id": "scene_b" } });
    for (more, expected, kept) in
        [(unknown, Received::NotFound(Stage::Video), 1), (disagreeing, Received::IdsDisagree, 0)]
    {
        for fault in [Fault::Busy, Fault::LostAnswer] {
            let fixture = Fixture::with(&generating()).await;
            fixture.errors.faults.inject("apply", [fault]);
            let body = with(completed_video(), &more);
            let refused = fixture.call("call-1", Stage::Video, None, &body).await.unwrap_err();
            assert!(matches!(&refused, ChangeError::Store(error) if error.is_busy()), "{body} {fault:?}: {refused}");
            for (call, raised) in [("call-1", 1), ("call-1", 1), ("call-2", 2)] {
                let received = fixture.call(call, Stage::Video, None, &body).await.unwrap();
                assert_eq!((&received, fixture.raised().len()), (&expected, raised), "{body} {fault:?} {call}");
            }
            let scene = SceneId::parse("scene_x").unwrap();
            assert_eq!(fixture.projects.parked(None, &[scene], &[], NOON).await.unwrap().len(), kept, "{body}");
        }
    }
}
