//! Film specifications: the lengths of scenes, and the paths of images.

use super::*;
use reelhook_domain::WebUrl;
use reelhook_domain::videos::film::ImageRef;
use serde_json::json;

#[test]
fn the_length_of_a_video_is_the_sum_of_its_scenes() {
    let check = |durations: &[f64], frames: u32| {
        let scenes = durations.iter().map(|duration| json!({ "type": "cta", "duration": duration }));
        let config = json!({ "scenes": scenes.collect::<Vec<_>>() });
        let film = read(&config, &[], Renderer::Own, |_| None).unwrap().film;
        assert_eq!(film.frames(), frames, "{durations:?}");
    };
    check(&[0.55; 40], 660);
    check(&[1.0, 0.55, 2.45], 120);
    check(&[0.51, 0.51, 0.51, 0.51], 61);
    check(&[4.0], 120);
}

#[test]
fn an_image_has_the_path_at_which_the_request_first_names_it() {
    let url = |name: &str| format!("https://shop.example/{name}.png");
    let key = |name: u8| format!("uploads/{name:032x}.png");
    let attached = [("shoe.png".to_owned(), key(1)), ("bag.png".to_owned(), key(2))];
    let config = json!({ "scenes": [
        { "type": "product-matrix", "content": { "products": [
            { "title": "a", "image": url("a") }, { "title": "none" }, { "title": "c", "photo": url("c") },
        ] } },
        { "type": "hero-title", "content": { "image": url("a") } },
        { "type": "comparison", "content": { "left": { "image": url("d") }, "right": ["text"] } },
        { "type": "testimonial", "content": { "avatar": { "src": "shoe.png" }, "images": [url("e"), url("f")] } },
        { "type": "cta" },
    ] });
    let film = read(&config, &attached, Renderer::Own, |_| None).unwrap().film;
    let place = |image: ImageRef| film.asset_path(&image);
    for (name, expected) in [
        ("a", "scenes[0].content.products[0].image"),
        ("c", "scenes[0].content.products[2].photo"),
        ("d", "scenes[2].content.left.image"),
        ("e", "scenes[3].content.images[0]"),
        ("f", "scenes[3].content.images[1]"),
    ] {
        assert_eq!(place(ImageRef::Url(WebUrl::parse(&url(name)).unwrap())), expected);
    }
    assert_eq!(place(ImageRef::Key(key(1))), "scenes[3].content.avatar");
    assert_eq!(place(ImageRef::Key(key(2))), "images[1]", "the file that no scene names");
}

#[test]
fn paths_that_follow_from_the_film_are_not_stored() {
    let config = json!({ "scenes": [
        { "type": "hero-title", "content": { "images": ["https://shop.example/a.png"] } },
        { "type": "feature-list", "content": { "items": ["x", { "title": "y", "image": "https://shop.example/b.png" }] } },
    ] });
    let film = read(&config, &[], Renderer::Own, |_| None).unwrap().film;
    assert_eq!(film.places, Vec::<String>::new());
    let url = |name: &str| WebUrl::parse(&format!("https://shop.example/{name}.png")).unwrap();
    let place = |name: &str| film.asset_path(&ImageRef::Url(url(name)));
    assert_eq!(
        (place("a").as_str(), place("b").as_str()),
        ("scenes[0].content.images[0]", "scenes[1].content.items[1].image")
    );
}
