//! Errors of unavailable images: each names the path in the request and the host of the image.

use reelhook_domain::videos::film::{Content, Film, ImageRef, Item, Scene, SceneKind, Transition};
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{Job, JobId, Status, WebUrl};
use reelhook_testkit::{Stack, a_film, response};

const GIF: &str = "GIF89a";

fn url(name: &str) -> ImageRef {
    let url = format!("https://user:word@shop.example/a/secret/{name}.gif?token=private");
    ImageRef::Url(WebUrl::parse(&url).unwrap())
}

/// A scene with one item per image.
fn scene(names: &[&str]) -> Scene {
    let items = names.iter().map(|name| Item { image: Some(url(name)), ..Item::default() });
    let content = Content { items: items.collect(), ..Content::default() };
    Scene { kind: SceneKind::ProductMatrix, frames: 90, content, transition: None, entrance: Default::default() }
}

/// A stack whose image server answers `missing` with this status and body.
fn stack(missing: &'static str, status: u16, body: &'static str) -> Stack {
    let stack = Stack::with(&[("WEBHOOK_URLS", "")], 3);
    stack.http.script(move |request| {
        let path = request.url.path();
        Ok(if path.ends_with(missing) { response(status, body) } else { response(200, GIF) })
    });
    stack
}

async fn make_video(stack: &Stack, film: Film) -> Job {
    let id: JobId = stack.submit_video(film, None).await;
    stack.settle().await;
    stack.jobs.get(&id)
}

#[tokio::test]
async fn an_error_has_the_path_of_one_of_four_assets() {
    let stack = stack("/three.gif", 404, "");
    let failed = make_video(&stack, a_film(vec![scene(&["one", "two", "three", "four"])])).await;
    assert_eq!((failed.status, failed.retries.used), (Status::Failed, 0));
    assert!(failed.run.no_retry.clone().map(|no_retry| no_retry.reason).is_some());
    let error = failed.run.error.unwrap();
    assert_eq!(error, "scenes[0].content.items[2].image: the image at shop.example answered 404");
}

#[tokio::test]
async fn an_error_has_the_path_in_the_client_s_own_names() {
    let stack = stack("/two.gif", 410, "");
    let mut film = a_film(vec![scene(&["one"]), scene(&["one", "two"])]);
    film.places = vec!["scenes[0].content.products[0].photo".to_owned(), "scenes[1].content.after.img".to_owned()];
    let failed = make_video(&stack, film).await;
    assert_eq!(failed.run.error.unwrap(), "scenes[1].content.after.img: the image at shop.example answered 410");
}

#[tokio::test]
async fn the_error_of_an_unsupported_file_has_its_path() {
    let stack = stack("/page.gif", 200, "<!doctype html><title>Sign in</title>");
    let mut film = a_film(vec![scene(&["one"]), scene(&[])]);
    film.scenes[1].content.images = vec![url("one"), url("page")];
    let failed = make_video(&stack, film).await;
    assert_eq!((failed.status, failed.retries.used), (Status::Failed, 0));
    let error = failed.run.error.unwrap();
    assert!(
        error.starts_with("scenes[1].content.images[1]: the image at shop.example is not a supported image"),
        "{error}"
    );
    assert!(error.contains("PNG, JPEG, WebP or GIF"), "{error}");
    for secret in ["secret", "token", "private", "word"] {
        assert!(!error.contains(secret), "{error}");
    }
}

#[tokio::test]
async fn an_asset_of_the_previous_scene_has_that_scene_s_path() {
    let stack = stack("/one.gif", 403, "");
    let mut film = a_film(vec![scene(&["one"]), scene(&["two"])]);
    film.scenes[1].transition = Some(Transition::Fade);
    let failed = make_video(&stack, film).await;
    assert_eq!(failed.run.error.unwrap(), "scenes[0].content.items[0].image: the image at shop.example answered 403");
}

#[tokio::test]
async fn creatomate_s_errors_have_the_path_of_the_asset_too() {
    for (missing, status, body, expected) in [
        ("/three.gif", 404, "", "scenes[0].content.items[2].image: the image at shop.example answered 404"),
        (
            "/four.gif",
            200,
            "<html>",
            "scenes[0].content.items[3].image: the image at shop.example is not a supported image",
        ),
    ] {
        let mut stack = stack(missing, status, body);
        stack.worker.renderer = Renderer::Creatomate;
        let failed = make_video(&stack, a_film(vec![scene(&["one", "two", "three", "four"])])).await;
        assert_eq!((failed.status, failed.retries.used), (Status::Failed, 0), "{missing}");
        let error = failed.run.error.unwrap();
        assert!(error.starts_with(expected), "{error}");
        let requests = stack.http.requests();
        assert!(requests.iter().all(|request| request.url.path().ends_with(".gif")), "no render is requested");
    }
}

#[tokio::test]
async fn creatomate_renders_available_assets() {
    let mut stack = stack("/none.gif", 404, "");
    stack.worker.renderer = Renderer::Creatomate;
    stack.http.script(|request| {
        Ok(match request.url.path() {
            "/v1/renders" => response(202, r#"[{"id": "render_1", "status": "planned"}]"#),
            _ => response(200, GIF),
        })
    });
    let id = stack.submit_video(a_film(vec![scene(&["one", "two"])]), None).await;
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Processing);
    let requests = stack.http.requests();
    let paths: Vec<&str> = requests.iter().map(|request| request.url.path()).collect();
    assert_eq!(paths, ["/a/secret/one.gif", "/a/secret/two.gif", "/v1/renders"]);
}

#[tokio::test]
async fn a_failing_server_is_retried() {
    let stack = stack("/one.gif", 503, "");
    let id = stack.submit_video(a_film(vec![scene(&["one"])]), None).await;
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Processing);
    stack.http.script(|_| Ok(response(200, GIF)));
    stack.world.advance_s(30);
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
}
