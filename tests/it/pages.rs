//! The files of the pages, the catalogue and the OpenAPI description, as browsers receive them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::stack::Stack;

#[tokio::test]
async fn pages_have_a_content_security_policy_an_etag_and_compression() {
    let stack = Stack::open().await;
    for path in [
        "/",
        "/dashboard",
        "/queue",
        "/job/job_1_x",
        "/story/job_1_x",
        "/projects",
        "/projects/proj_1",
        "/clips",
        "/clips/550e8400-e29b-41d4-a716-446655440000",
        "/credits",
        "/errors",
        "/webhooks",
        "/webhooks/deliveries",
        "/webhooks/deliveries/x",
    ] {
        let get = || stack.request(reqwest::Method::GET, path);
        let page = get().header("accept-encoding", "gzip").send().await.expect("a page");
        assert_eq!(page.status(), 200, "{path}");
        let header = |name: &str| page.headers()[name].to_str().expect("ASCII").to_owned();
        assert_eq!(header("content-encoding"), "gzip");
        assert!(header("content-security-policy").starts_with("default-src 'none'"));
        let tag = header("etag");
        assert_eq!(&page.bytes().await.expect("a page")[..2], [0x1f, 0x8b], "gzip");
        let again = get().header("if-none-match", tag).send().await.expect("an answer");
        assert_eq!(again.status(), 304);
        let text = get().send().await.expect("a page").text().await.expect("text");
        assert!(text.contains("<!doctype html>") && !text.contains("{{"), "{path}");
        // Every file that a page names exists.
        for file in text.split('"').filter(|part| part.starts_with("/assets/")) {
            let found = stack.request(reqwest::Method::GET, file).send().await.expect("an answer");
            assert_eq!(found.status(), 200, "{file}");
        }
    }
}

#[tokio::test]
async fn the_catalogue_has_platforms_genres_and_the_best_movies() {
    let stack = Stack::open().await;
    let (_, platforms) = stack.get("/api/platforms/fr").await;
    assert_eq!((&platforms["country"], &platforms["count"]), (&json!("FR"), &json!(13)));
    let (_, genres) = stack.get("/api/genres/FR?platform=Netflix").await;
    assert!(genres["genres"].as_array().expect("genres").contains(&json!("Comédie")));
    let (_, templates) = stack.get("/api/templates").await;
    assert!(templates["templates"].as_array().expect("templates").iter().any(|one| one["id"] == "dark"));
    let wanted = json!({ "country": "US", "platforms": ["Netflix", "amazon"], "genre": ["Drama", "Crime"] });
    let (status, answer) = stack.post("/api/movies/preview", &wanted).await;
    assert_eq!((status, &answer["count"]), (200, &json!(3)), "{answer}");
    let scores: Vec<f64> =
        answer["movies"].as_array().expect("movies").iter().filter_map(|movie| movie["imdb_score"].as_f64()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let series = json!({ "country": "FR", "platforms": "Netflix", "genre": "Drame", "contentType": "Serie" });
    let (_, answer) = stack.post("/api/movies/preview", &series).await;
    assert!(answer["movies"].as_array().expect("movies").iter().all(|movie| movie["content_type"] == "Série"));
    let (status, answer) = stack.post("/api/movies/preview", &json!({ "country": "US" })).await;
    let sentence = "Missing required parameters: country, platforms, and genre are required";
    assert_eq!((status, &answer["message"]), (400, &json!(sentence)));
}

#[tokio::test]
async fn an_imported_file_of_movies_replaces_the_movies_that_it_names() {
    let stack = Stack::open().await;
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let movie = |score: f64, genre: &str| {
        json!([{
            "id": 1, "title": "The Last Reel", "country": "US", "platform": "Kanopy", "year": 2020, "imdb_score": score,
            "imdb_votes": 10, "runtime_minutes": 90, "genres": [genre], "content_type": "Film",
        }])
    };
    let best = async |genre: &str| {
        let wanted = json!({ "country": "US", "platforms": ["Kanopy"], "genre": genre });
        let (_, answer) = stack.post("/api/movies/preview", &wanted).await;
        let movies = answer["movies"].as_array().expect("movies").clone();
        movies.into_iter().find(|movie| movie["id"] == 1).map(|movie| movie["imdb_score"].clone())
    };
    for (score, genre, other) in [(9.4, "Western", "Sport"), (9.5, "Sport", "Western")] {
        let file = folder.join(format!("movies-{}.json", std::process::id()));
        std::fs::write(&file, movie(score, genre).to_string()).expect("written");
        let done = stack.operate(&["catalog", file.to_str().expect("UTF-8")]).await;
        assert_eq!(done, json!({ "movies": 1, "rows": 1 }));
        assert_eq!((best(genre).await, best(other).await), (Some(json!(score)), None));
    }
}

#[tokio::test]
async fn the_openapi_description_has_exactly_the_routes_of_the_api() {
    let stack = Stack::open().await;
    let answer = stack.http.get(format!("{}/openapi.json", stack.api)).send().await.expect("an answer");
    let described: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    assert_eq!(described["openapi"], "3.1.0");
    let template = include_str!("../../template.yaml");
    // Paths that the pages function serves without a route of their own.
    let mut served: BTreeSet<String> = [
        "/",
        "/dashboard",
        "/queue",
        "/job/{id}",
        "/story/{id}",
        "/projects",
        "/projects/{id}",
        "/clips",
        "/clips/{id}",
        "/credits",
        "/errors",
        "/webhooks",
        "/webhooks/deliveries",
        "/webhooks/deliveries/{id}",
        "/login",
        "/logout",
        "/openapi.json",
        "/health",
        "/api/health",
        "/api/test",
        "/api/platforms/{country}",
        "/api/genres/{country}",
        "/api/templates",
        "/api/movies/preview",
    ]
    .map(str::to_owned)
    .into();
    for line in template.lines().filter(|line| line.contains("Type: HttpApi") && line.contains("Path:")) {
        let part = |name: &str| {
            let rest = line.split_once(name).expect("a property").1.trim_start_matches([' ', '\'']);
            rest.split([',', '\'', ' ', '}']).next().expect("a value").to_owned()
        };
        // The description has no HEAD operations, since HEAD comes with GET, and no OPTIONS.
        let method = part("Method:").to_lowercase().replace("head", "get");
        if method == "options" {
            continue;
        }
        let path = line.split_once("Path: '").expect("a path").1.split('\'').next().expect("a path");
        let path = path.replace("{render}", "{creatomateId}");
        assert!(described["paths"][&path][&method].is_object(), "{method} {path} is not described");
        served.insert(path);
    }
    let known: BTreeSet<String> = described["paths"].as_object().expect("paths").keys().cloned().collect();
    assert_eq!(known, served);
}
