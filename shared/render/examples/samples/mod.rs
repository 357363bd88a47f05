//! Sample contents: typical ones, and those that break layouts.
#![allow(dead_code, missing_docs, reason = "shared by examples and tests, each of which uses a part")]

use image::{ImageFormat, Rgba, RgbaImage};
use reelhook_domain::videos::film::{Content, Entrance, ImageRef, Item, Scene, SceneKind};
use reelhook_render::Images;

pub fn image_ref(name: &str) -> ImageRef {
    ImageRef::Key(format!("samples/{name}"))
}

/// Generated images: a wide landscape, a tall one, a face and products.
pub fn images() -> Images {
    let mut images = Images::new();
    for (name, width, height) in [
        ("wide", 1600, 900),
        ("tall", 800, 1200),
        ("face", 600, 600),
        ("one", 700, 700),
        ("two", 900, 600),
        ("three", 640, 900),
    ] {
        let seed = name.bytes().map(u32::from).sum::<u32>();
        let image = RgbaImage::from_fn(width, height, |x, y| {
            let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
            let hue = seed as f32 * 0.7;
            let sky = |offset: f32| 0.5 + 0.4 * (hue + offset + v * 1.6).sin();
            let (mut r, mut g, mut b) = (sky(0.0), sky(1.1), sky(2.4));
            let (dx, dy) = ((u - 0.68) * width as f32 / height as f32, v - 0.3);
            if dx * dx + dy * dy < 0.02 {
                (r, g, b) = (1.0, 0.93, 0.72);
            }
            for (level, depth) in [(0.62, 0.75), (0.74, 0.5), (0.86, 0.3)] {
                let ridge = level + 0.06 * (u * 7.0 + hue * level).sin() + 0.02 * (u * 23.0 + hue).sin();
                if v > ridge {
                    (r, g, b) = (0.25 * depth + 0.1 * r, 0.42 * depth + 0.1 * g, 0.40 * depth + 0.15 * b);
                }
            }
            let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0) as u8;
            Rgba([byte(r), byte(g), byte(b), 255])
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).expect("an image can be written to memory");
        images.insert(image_ref(name), bytes.get_ref()).expect("an image that was just written can be read");
    }
    images
}

fn item(icon: &str, title: &str, text: &str, value: &str) -> Item {
    Item { icon: icon.into(), title: title.into(), text: text.into(), value: value.into(), ..Item::default() }
}

fn column(title: &str, value: &str, marked: bool, points: &[&str]) -> Item {
    Item {
        title: title.into(),
        value: value.into(),
        marked,
        points: points.iter().map(|p| (*p).to_owned()).collect(),
        ..Item::default()
    }
}

/// Typical content for a scene of this kind.
pub fn usual(kind: SceneKind) -> Content {
    let content = |kicker: &str, title: &str, subtitle: &str| Content {
        kicker: kicker.into(),
        title: title.into(),
        subtitle: subtitle.into(),
        ..Content::default()
    };
    match kind {
        SceneKind::HeroTitle => Content {
            footnote: "reelhook.dev".into(),
            ..content(
                "Product update",
                "Video that **ships** with your code",
                "Describe a film as data. Get a finished one back, in minutes.",
            )
        },
        SceneKind::ProductShowcase => Content {
            footnote: "€ 129.00".into(),
            button: "Order now".into(),
            images: vec![image_ref("tall")],
            ..content(
                "New in spring",
                "Trail Runner Two",
                "Lighter, drier and made from **recycled** fibres. Built for 1,000 km.",
            )
        },
        SceneKind::FeatureList => Content {
            items: vec![
                item("🚀", "Fast by default", "Frames are drawn once and sent on; nothing waits for a browser.", ""),
                item("🔒", "Signed webhooks", "Every delivery can be checked with a secret that rotates.", ""),
                item("🌍", "Every script", "From Arabic to Thai, shaped as its readers expect.", ""),
            ],
            ..content("Why teams switch", "Everything a video job needs", "")
        },
        SceneKind::Cta => Content {
            button: "Start for free".into(),
            footnote: "reelhook.dev/start".into(),
            ..content("Ready?", "Make your first film **today**", "No card needed. The first 100 minutes are on us.")
        },
        SceneKind::Testimonial => Content {
            title: "We replaced three tools and a render farm with one API call. Nobody has asked for the farm since."
                .into(),
            author: "Mara Lindqvist".into(),
            role: "Head of Content, Nordlys Media".into(),
            images: vec![image_ref("face")],
            ..Content::default()
        },
        SceneKind::Comparison => Content {
            items: vec![
                column(
                    "By hand",
                    "3 days",
                    false,
                    &["A designer per clip", "Versions by e-mail", "No captions for reels"],
                ),
                column(
                    "With Reelhook",
                    "3 minutes",
                    true,
                    &["One request per film", "Versions in Git", "Wide and tall at once", "Signed webhooks"],
                ),
            ],
            ..content("Compare", "Two ways to make a clip", "")
        },
        SceneKind::Stats => Content {
            items: vec![
                item("", "Faster turnaround", "from brief to finished film", "98 %"),
                item("", "Films a month", "across all customers", "12,500"),
                item("", "Average rating", "of 2,310 reviews", "4.9/5"),
            ],
            ..content("2026 in numbers", "A year of moving pictures", "")
        },
        SceneKind::StepByStep => Content {
            items: vec![
                item("", "Describe", "Send the scenes of your film as JSON.", ""),
                item("", "Render", "We draw, encode and join them.", ""),
                item("", "Receive", "A webhook brings the finished file.", ""),
                item("", "Publish", "Wide for the web, tall for reels.", ""),
            ],
            ..content("How it works", "Four steps to a film", "")
        },
        SceneKind::ProductMatrix => Content {
            items: ["one", "two", "three", "wide"]
                .iter()
                .zip([("Alder", "Desk lamp"), ("Birch", "Floor lamp"), ("Cedar", "Pendant"), ("Dogwood", "Wall light")])
                .zip(["€ 89", "€ 149", "€ 119", "€ 75"])
                .map(|((image, (title, text)), value)| Item {
                    image: Some(image_ref(image)),
                    ..item("", title, text, value)
                })
                .collect(),
            ..content("Collection", "Light, made from wood", "")
        },
        SceneKind::LessonTitle => content(
            "Lesson 3",
            "How plants drink light",
            "Photosynthesis in five minutes: what goes in, what comes out, and why leaves are green.",
        ),
        SceneKind::Quiz => Content {
            items: vec![
                item("", "Oxygen", "", ""),
                Item { marked: true, ..item("", "Carbon dioxide", "", "") },
                item("", "Nitrogen", "", ""),
                item("", "Helium", "", ""),
            ],
            ..content("Quick check", "Which gas do plants take in through their leaves?", "")
        },
        SceneKind::KeyTakeaways => Content {
            items: vec![
                item("", "Leaves turn **light** into sugar.", "", ""),
                item("", "Water comes from the roots, carbon from the air.", "", ""),
                item("", "What plants give back is the oxygen that we breathe.", "", ""),
            ],
            ..content("Remember", "Three things to take home", "")
        },
    }
}

/// The same fields, filled with the texts in turn.
pub fn filled(kind: SceneKind, texts: &[&str], count: usize) -> Content {
    let mut next = texts.iter().cycle();
    let mut text = || next.next().map_or_else(String::new, |text| (*text).to_owned());
    let mut content = Content { kicker: text(), title: text(), subtitle: text(), ..Content::default() };
    match kind {
        SceneKind::HeroTitle | SceneKind::LessonTitle => content.footnote = text(),
        SceneKind::Cta | SceneKind::ProductShowcase => (content.button, content.footnote) = (text(), text()),
        SceneKind::Testimonial => (content.author, content.role) = (text(), text()),
        SceneKind::FeatureList
        | SceneKind::Comparison
        | SceneKind::Stats
        | SceneKind::StepByStep
        | SceneKind::ProductMatrix
        | SceneKind::Quiz
        | SceneKind::KeyTakeaways => {
            for index in 0..count {
                content.items.push(Item {
                    title: text(),
                    text: text(),
                    value: if kind == SceneKind::Stats { format!("{} %", 17 * (index + 1)) } else { String::new() },
                    icon: if index % 2 == 0 { "✨".into() } else { String::new() },
                    marked: index == 1,
                    points: if kind == SceneKind::Comparison { vec![text(), text(), text()] } else { Vec::new() },
                    image: None,
                });
            }
        }
    }
    content
}

pub const ARABIC: [&str; 5] = [
    "كيف تشرب النباتات الضوء",
    "التمثيل الضوئي في خمس دقائق",
    "الأوراق تحوّل **الضوء** إلى سكر، والماء يأتي من الجذور",
    "الدرس ٣",
    "ماذا يدخل وماذا يخرج",
];
pub const HEBREW: [&str; 5] = [
    "שיעור 3",
    "איך צמחים שותים אור",
    "פוטוסינתזה בחמש דקות: מה נכנס, מה יוצא",
    "העלים הופכים **אור** לסוכר",
    "מים מגיעים מהשורשים",
];
pub const EMOJI: [&str; 5] = [
    "🎉 Launch day 🚀",
    "Families 👨‍👩‍👧‍👦 and flags 🇩🇪🇯🇵🇧🇷",
    "Thumbs 👍🏽 up, hearts ❤️ and keys 1️⃣ 2️⃣",
    "Rainbow 🏳️‍🌈 cat 🐈‍⬛ coffee ☕",
    "Combining: é ñ Å Việt Nam",
];
pub const CHINESE: [&str; 5] = [
    "第三课",
    "植物如何饮用阳光",
    "五分钟了解光合作用：什么进入，什么出来，为什么树叶是绿色的。",
    "叶子把**光**变成糖",
    "水来自根部",
];
pub const JAPANESE: [&str; 5] = [
    "第3課",
    "植物はどのように光を飲むのか",
    "5分でわかる光合成：何が入り、何が出て、なぜ葉は緑なのか。",
    "葉は**光**を糖に変えます",
    "水は根から来ます",
];
pub const KOREAN: [&str; 5] = [
    "3과",
    "식물은 어떻게 빛을 마실까",
    "5분 만에 배우는 광합성: 무엇이 들어가고 나오는지",
    "잎은 **빛**을 당으로 바꿉니다",
    "물은 뿌리에서 옵니다",
];
pub const HINDI: [&str; 5] = [
    "पाठ ३",
    "पौधे प्रकाश कैसे पीते हैं",
    "पाँच मिनट में प्रकाश संश्लेषण: क्या अंदर जाता है, क्या बाहर आता है",
    "पत्तियाँ **प्रकाश** को शर्करा में बदलती हैं",
    "पानी जड़ों से आता है",
];
pub const THAI: [&str; 5] = [
    "บทที่ 3",
    "พืชดื่มแสงได้อย่างไร",
    "การสังเคราะห์ด้วยแสงในห้านาที อะไรเข้า อะไรออก และทำไมใบไม้จึงเป็นสีเขียว",
    "ใบไม้เปลี่ยน**แสง**เป็นน้ำตาล",
    "น้ำมาจากราก",
];
/// Texts that layouts often get wrong, by topic.
pub const CASES: [(&str, &str); 12] = [
    ("asterisks", "Card **** 4242 and **** 1881, 2 ** 3 ** 2, but **bold**"),
    ("no-break", "The price of this house is 10\u{202f}000\u{202f}000\u{a0}€ for now, or 9\u{2011}to\u{2011}5"),
    ("isolates", "לטלפון חייגו \u{2066}+1 (555) 010-9999\u{2069} עוד היום"),
    ("controls", "a\u{200e}b\u{200f}c\u{2060}d\u{2066}e\u{2069}f\u{ad}g\u{200b}h\u{feff}i\u{e0061}j"),
    ("features", "1x1 0x1F 10x20 -> 12:30 fi"),
    ("blank line", "First paragraph\n\nSecond paragraph"),
    ("wide space", "日本\u{3000}東京\u{3000}大阪 and a\u{3000}b"),
    ("soft hyphens", "Donau\u{ad}dampf\u{ad}schiff\u{ad}fahrts\u{ad}elektrizitäten\u{ad}haupt\u{ad}betriebs\u{ad}werk"),
    ("presentation", "☎\u{fe0e} ☎\u{fe0f} ⌚\u{fe0e} ⌚ ❤\u{fe0e} ❤\u{fe0f} ✈\u{fe0e}"),
    ("composed", "Vie\u{323}\u{302}t Nam, szo\u{30b}lo\u{30b}, A\u{30a}ngstro\u{308}m"),
    ("joined", "ال**ضوء** والماء"),
    ("letters of languages", "istanbul'da ığdır, Straße, Μάιος"),
];

/// A text of `CASES` as title and kicker.
pub fn case(text: &str) -> Content {
    Content { kicker: text.to_owned(), title: text.to_owned(), ..Content::default() }
}

/// A word of each of the most expensive scripts: with joined letters, with stacked letters, without spaces, without a
/// typeface.
pub const WORDS: [(&str, &str); 10] = [
    ("latin", "light "),
    ("arabic", "الضوء "),
    ("arabic with marks", "الضَّوْءُ "),
    ("hebrew", "אור "),
    ("hindi", "प्रकाश "),
    ("thai", "แสง"),
    ("chinese", "光合作用"),
    ("tibetan", "བོད་ཡིག "),
    ("mixed", "ab שלום 12 光 "),
    ("emoji", "👨‍👩‍👧‍👦☎ "),
];

/// Content with twelve texts of 500 characters for this kind of scene; no two texts are equal.
pub fn crowded(kind: SceneKind, word: &str) -> Content {
    let text =
        |index: usize| format!("{index} {word}").chars().chain(word.chars().cycle()).take(500).collect::<String>();
    let texts: Vec<String> = (0..12).map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    filled(kind, &texts, 6)
}

pub const LONG: [&str; 4] = [
    "An extraordinarily thorough introduction to the responsibilities of everyone who works with incomprehensibly long headings",
    "This line goes on and on because somebody pasted a whole paragraph from a press release into a field that was meant for a few words, and nobody read it again before it was sent to the renderer, which has to cope.",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "Plain, middling text that needs about two lines of a card, or three when it is narrow.",
];

pub fn scene(kind: SceneKind, content: Content) -> Scene {
    Scene { kind, frames: 150, content, transition: None, entrance: Entrance::Rise }
}
