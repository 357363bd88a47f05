//! Empty values are ignored everywhere: the next name applies, or the default.

use reelhook_domain::WebUrl;
use reelhook_domain::videos::film::{Entrance, ImageRef, Quality, Theme, Transition};
use reelhook_domain::videos::render::Renderer;
use reelhook_http::videos::film::read;
use serde_json::{Value, json};

use crate::film::{content, order, parse_film, refusal, request, scene, track};

/// Values that no-code clients send for a missing value.
fn empties() -> [Value; 8] {
    [
        json!(""),
        json!("   "),
        json!("\u{A0}\u{3000}\n"),
        json!("\u{200B}"),
        json!(null),
        json!({}),
        json!([]),
        json!({ "text": "", "more": [null, " "] }),
    ]
}

#[test]
fn an_empty_text_gives_way_to_the_next_name() {
    for empty in empties() {
        let hero =
            content("hero-title", json!({ "title": empty, "heading": "Real", "description": empty, "body": "B" }));
        assert_eq!((hero.title.as_str(), hero.body.as_str()), ("Real", "B"), "{empty}");
        let others =
            json!({ "kicker": empty, "tag": "K", "buttonText": empty, "cta": "C", "price": empty, "note": "N" });
        let others = content("cta", others);
        assert_eq!([&others.kicker, &others.button, &others.footnote], ["K", "C", "N"], "{empty}");
        let quote =
            json!({ "quote": empty, "text": "Q", "author": empty, "person": "P", "role": empty, "company": "Co" });
        let quote = content("testimonial", quote);
        assert_eq!([&quote.title, &quote.author, &quote.role], ["Q", "P", "Co"], "{empty}");
        let lesson = content("lesson-title", json!({ "kicker": empty, "lessonNumber": empty, "chapter": 3 }));
        assert_eq!(lesson.kicker, "Lesson 3", "{empty}");
        let film =
            parse_film(&json!({ "title": empty, "name": "N", "scenes": [{ "type": "cta" }] })).expect("a film").film;
        assert_eq!(film.title.as_deref(), Some("N"), "{empty}");
    }
    let formatted = content("hero-title", json!({ "title": { "text": " ", "bold": true }, "heading": "Real" }));
    assert_eq!(formatted.title, "Real");
}

#[test]
fn empty_lists_and_entries_are_ignored() {
    for empty in empties() {
        let list =
            content("feature-list", json!({ "items": empty, "features": [empty, "a", empty, { "title": "b" }] }));
        let titles: Vec<&str> = list.items.iter().map(|item| item.title.as_str()).collect();
        assert_eq!(titles, ["a", "b"], "{empty}");
        let item = json!({
            "title": empty, "name": "T", "description": empty, "label": "L", "value": empty, "price": 5, "icon": empty,
            "emoji": "✓", "image": empty, "photo": "https://a.example/a.png", "points": empty, "pros": [empty, "p"],
            "correct": empty,
        });
        let list = content("product-matrix", json!({ "products": [item] }));
        let item = &list.items[0];
        assert_eq!([&item.title, &item.text, &item.value, &item.icon], ["T", "L", "5", "✓"], "{empty}");
        assert_eq!((item.points.as_slice(), item.image.is_some(), item.marked), (&["p".to_owned()][..], true, false));
        let columns = json!({ "left": empty, "right": empty, "before": ["a"], "after": empty });
        let columns = content("comparison", columns);
        assert_eq!((columns.items[0].title.as_str(), columns.items.len()), ("Before", 2), "{empty}");
        let quiz = json!({ "question": "?", "options": ["a", "b"], "correctAnswer": empty, "answer": "b" });
        assert!(content("quiz", quiz).items[1].marked, "{empty}");
    }
    assert!(content("feature-list", json!({ "items": ["", null, {}] })).items.is_empty());
}

#[test]
fn empty_images_are_ignored() {
    let url = |name: &str| ImageRef::Url(WebUrl::parse(&format!("https://a.example/{name}.png")).unwrap());
    for empty in empties() {
        let given = json!({ "image": empty, "imageUrl": "https://a.example/a.png", "images": [
            empty, "https://a.example/b.png", { "url": empty, "alt": "An image" }, { "url": empty, "src": " https://a.example/c.png " },
        ] });
        assert_eq!(content("hero-title", given).images, [url("a"), url("b"), url("c")], "{empty}");
        assert!(content("hero-title", json!({ "image": empty, "images": empty })).images.is_empty(), "{empty}");
        let described = json!({ "image": { "url": empty, "alt": "An image" } });
        assert!(content("hero-title", described).images.is_empty(), "{empty}");
    }
    for wrong in [json!({ "alt": "An image" }), json!("a.png"), json!(7), json!(true)] {
        let refused = refusal(parse_film(&json!({ "scenes": [{ "type": "cta", "content": { "image": wrong } }] })));
        assert!(refused.starts_with("`scenes[0].content.image` must be an http or https URL"), "{refused}");
    }
    // An uploaded file, by its name or its number.
    let attached = [("logo.png".to_owned(), "uploads/1.png".to_owned()), ("0".to_owned(), "uploads/2.png".to_owned())];
    for (given, key) in [
        (json!("logo.png"), "uploads/1.png"),
        (json!({ "src": " logo.png " }), "uploads/1.png"),
        (json!(1), "uploads/2.png"),
        (json!(1.0), "uploads/2.png"),
        (json!("1"), "uploads/2.png"),
        (json!("0"), "uploads/2.png"),
    ] {
        let config = json!({ "scenes": [{ "type": "stats", "content": { "image": given } }] });
        let film = read(&config, &attached, Renderer::Own, track).expect("a film").film;
        assert_eq!(film.scenes[0].content.images, [ImageRef::Key(key.to_owned())], "{given}");
    }
}

#[test]
fn empty_settings_have_their_defaults() {
    for empty in empties() {
        let config = json!({
            "theme": empty, "colorScheme": "ocean", "quality": empty, "generateReels": empty, "music": empty,
            "scenes": [
                { "type": "cta", "content": empty },
                { "type": "cta", "duration": empty, "transition": empty, "animation": empty, "content": empty },
            ],
        });
        let parse_film = parse_film(&config).expect("a film");
        let film = &parse_film.film;
        assert_eq!((film.theme, film.quality, film.reels, &film.music), (Theme::Ocean, Quality::FullHd, false, &None));
        let second = &film.scenes[1];
        assert_eq!((second.frames, second.transition, second.entrance), (120, Some(Transition::Fade), Entrance::Rise));
        assert_eq!(parse_film.warnings, Vec::<String>::new(), "{empty}");
    }
    let plain = parse_film(&json!({ "theme": "", "colorScheme": " ", "scenes": [{ "type": "cta" }] })).expect("a film");
    assert_eq!((plain.film.theme, plain.warnings.len()), (Theme::Corporate, 0));
    let second = scene(json!({ "type": "cta", "transition": { "type": "" }, "animation": { "name": " " } }));
    assert_eq!((second.transition, second.entrance), (None, Entrance::Rise));
}

#[test]
fn empty_music_is_ignored_and_its_empty_members_have_their_defaults() {
    for empty in empties() {
        let music = |music: Value| {
            let parse_film = parse_film(&json!({ "music": music, "scenes": [{ "type": "cta" }] })).expect("a film");
            assert_eq!(parse_film.warnings, Vec::<String>::new(), "{empty}");
            parse_film.film.music
        };
        assert_eq!(music(json!({ "trackId": empty, "volume": 0.5 })), None, "{empty}");
        let given =
            json!({ "trackId": " corp-1 ", "volume": empty, "fadeIn": empty, "fadeOut": empty, "enabled": empty });
        let music = music(given).expect("music");
        assert_eq!(
            (music.track.as_str(), music.volume, music.fade_in_ms, music.fade_out_ms),
            ("corp-1", 0.3, 1000, 2000)
        );
    }
}

#[test]
fn what_is_required_stays_required() {
    for empty in empties() {
        let body = |hook: &Value| json!({ "webhookUrl": hook, "scenes": [{ "type": "cta" }] }).to_string();
        let refused = refusal(order(&request(&body(&empty), "application/json")));
        assert_eq!(refused, "Webhook URL is required for async video generation.", "{empty}");
        let scene = json!({ "scenes": [{ "type": empty }] });
        assert_eq!(refusal(parse_film(&scene)), "`scenes[0].type` must be a text such as `hero-title`", "{empty}");
        let none = json!({ "scenes": empty });
        let refused = refusal(parse_film(&none));
        assert_eq!(refused, "Invalid video configuration. Must include scenes array.", "{empty}");
    }
    // An empty field of a form does not override the configuration.
    let body = "--part\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n\
        {\"webhookUrl\": \"https://client.example/hook\", \"scenes\": [{\"type\": \"cta\"}]}\r\n\
        --part\r\nContent-Disposition: form-data; name=\"webhookUrl\"\r\n\r\n \r\n--part--\r\n";
    let order = order(&request(body, "multipart/form-data; boundary=part")).expect("an order");
    assert_eq!(order.callback.as_ref().map(|url| url.as_written()), Some("https://client.example/hook"));
}
