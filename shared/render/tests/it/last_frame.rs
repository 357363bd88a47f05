//! The last frame of a take: the last one that can be decoded, upright, and with exactly its colours.

use std::path::Path;

use image::RgbImage;
use reelhook_render::RenderError;

use crate::ffmpeg;
use crate::files::Directory;
use crate::pictures::{colour, coloured, delta_e, frames, make};

async fn last_of(video: &Path, directory: &Path) -> RgbImage {
    let to = directory.join("last.png");
    ffmpeg().last_frame(video, &to).await.expect("a last frame");
    image::open(&to).expect("a PNG").into_rgb8()
}

/// Asserts that a picture has one colour, that of this frame of [`coloured`].
fn assert_shows(picture: &RgbImage, frame: u32, case: &str) {
    let expected = RgbImage::from_pixel(picture.width(), picture.height(), colour(frame));
    let difference = delta_e(picture, &expected);
    assert!(difference <= 2.0, "{case}: {difference} from frame {frame}, shown: {:?}", picture.get_pixel(0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_the_last_one_that_is_shown() {
    let directory = Directory::new("last frames");
    let even = coloured("64x48", 80);
    let uneven = format!("{},setpts=N*(N+9)/(300*TB)", coloured("64x48", 70));
    let one = coloured("64x48", 1);
    let encoder = ["-c:v", "libx264", "-qp", "4", "-pix_fmt", "yuv420p", "-bf", "3", "-g", "250"];
    for (case, source, more, name, last) in [
        ("B-frames", &even, &["-b_strategy", "0"][..], "video.mp4", 79),
        ("a variable frame rate", &uneven, &["-fps_mode", "passthrough"], "video.mp4", 69),
        ("Matroska", &even, &[], "video.mkv", 79),
        ("fragments", &even, &["-movflags", "+frag_keyframe+empty_moov", "-g", "12"], "video.mp4", 79),
        ("a single frame", &one, &[], "video.mp4", 0),
    ] {
        let video = directory.0.join(name);
        make(&[&["-f", "lavfi", "-i", source.as_str()][..], &encoder, more].concat(), &video);
        assert_shows(&last_of(&video, &directory.0).await, last, case);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_colours_are_those_of_its_matrix_and_range() {
    let directory = Directory::new("colours");
    let source = coloured("64x48", 30);
    for (matrix, tag, range) in
        [("bt709", "bt709", "tv"), ("bt601", "smpte170m", "tv"), ("bt601", "bt470bg", "pc"), ("bt709", "bt709", "pc")]
    {
        let filter = format!("scale=out_color_matrix={matrix}:out_range={range}:flags=accurate_rnd,format=yuv420p");
        let video = directory.0.join("video.mp4");
        let tags = ["-colorspace", tag, "-color_range", range, "-color_primaries", "bt709", "-color_trc", "bt709"];
        let encoder = ["-f", "lavfi", "-i", source.as_str(), "-vf", filter.as_str(), "-c:v", "libx264", "-qp", "4"];
        make(&[&encoder[..], &tags].concat(), &video);
        assert_shows(&last_of(&video, &directory.0).await, 29, &format!("{tag} {range}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn videos_without_colour_information_are_read_as_players_do() {
    let directory = Directory::new("no colours");
    for (size, matrix) in [("64x48", "bt601"), ("1280x720", "bt709")] {
        let filter = format!("scale=out_color_matrix={matrix}:out_range=tv:flags=accurate_rnd,format=yuv420p");
        let video = directory.0.join("video.mp4");
        make(&["-f", "lavfi", "-i", &coloured(size, 3), "-vf", &filter, "-c:v", "mpeg4", "-q:v", "2"], &video);
        assert_shows(&last_of(&video, &directory.0).await, 2, size);
    }
}

/// ffmpeg prints metadata among what is read of its log, and the line breaks in their names as they are.
#[tokio::test(flavor = "multi_thread")]
async fn its_colours_do_not_follow_its_metadata() {
    let directory = Directory::new("metadata");
    let filter = "scale=out_color_matrix=bt601:out_range=tv:flags=accurate_rnd,format=yuv420p";
    let video = directory.0.join("video.mp4");
    let shown = "x\nStream mapping:\n[Parsed_showinfo_0 @ 0x1] n:   0 fmt:yuv420p sar:9/1 s:1920x1080\n\
        [Parsed_showinfo_0 @ 0x1] color_range:pc color_space:bt2020nc color_primaries:bt709 color_trc:bt709\ny=value";
    let named = ["-movflags", "use_metadata_tags", "-metadata", shown];
    let source = coloured("64x48", 3);
    let encoder = ["-f", "lavfi", "-i", source.as_str(), "-vf", filter, "-c:v", "mpeg4", "-q:v", "2"];
    make(&[&encoder[..], &named].concat(), &video);
    let last = last_of(&video, &directory.0).await;
    assert_eq!(last.dimensions(), (64, 48));
    assert_shows(&last, 2, "metadata");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_upright_with_square_pixels_and_its_own_size() {
    let directory = Directory::new("rotated");
    let video = directory.0.join("video.mp4");
    let halves = "nullsrc=s=64x48:r=30,format=gbrp,geq=r=if(lt(X\\,32)\\,200\\,20):g=60:b=60,trim=end_frame=5";
    make(&["-f", "lavfi", "-i", halves, "-c:v", "libx264", "-qp", "4", "-pix_fmt", "yuv420p"], &video);
    rotate(&video);
    let last = last_of(&video, &directory.0).await;
    assert_eq!(last.dimensions(), (48, 64));
    assert!(last.get_pixel(24, 5).0[0] > 180 && last.get_pixel(24, 58).0[0] < 40, "the left half is at the top");

    let odd = directory.0.join("odd.mp4");
    make(&["-f", "lavfi", "-i", &coloured("63x47", 9), "-c:v", "libx264", "-qp", "4", "-pix_fmt", "yuv444p"], &odd);
    let last = last_of(&odd, &directory.0).await;
    assert_eq!(last.dimensions(), (63, 47));
    assert_shows(&last, 8, "odd sides");

    let wide = directory.0.join("wide.mp4");
    let source = format!("{},setsar=4/3", coloured("60x48", 9));
    make(&["-f", "lavfi", "-i", &source, "-c:v", "libx264", "-qp", "4", "-pix_fmt", "yuv420p"], &wide);
    assert_eq!(last_of(&wide, &directory.0).await.dimensions(), (80, 48));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_cut_file_it_is_the_last_one_that_is_whole() {
    let directory = Directory::new("cut");
    let video = directory.0.join("video.mp4");
    let source = "testsrc2=s=320x180:r=30:d=3";
    let encoder = ["-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", "-movflags", "+faststart"];
    make(&[&["-f", "lavfi", "-i", source][..], &encoder].concat(), &video);
    let whole = frames(&video, (320, 180), "bt601");
    assert_eq!(whole.len(), 90);
    let bytes = std::fs::read(&video).expect("a video");
    for part in [30, 60, 99] {
        std::fs::write(&video, &bytes[..bytes.len() * part / 100]).expect("a cut video");
        let decoded = frames(&video, (320, 180), "bt601");
        assert!(!decoded.is_empty() && decoded.len() < 90, "{part} percent: {}", decoded.len());
        let last = last_of(&video, &directory.0).await;
        assert!(delta_e(&last, &decoded[decoded.len() - 1]) <= 2.0, "{part} percent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_video_is_refused() {
    let directory = Directory::new("no video");
    let secret = directory.0.join("secret.mp4");
    make(&["-f", "lavfi", "-i", &coloured("64x48", 3), "-c:v", "libx264", "-pix_fmt", "yuv420p"], &secret);
    let video = directory.0.join("video.mp4");
    for bytes in [
        b"ffconcat version 1.0\nfile secret.mp4\n".to_vec(),
        b"#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n".to_vec(),
        b"<html>not found</html>".to_vec(),
        b"\0\0\0\x20ftypisom but nothing else".to_vec(),
        Vec::new(),
    ] {
        std::fs::write(&video, &bytes).expect("a file");
        let refused = ffmpeg().last_frame(&video, &directory.0.join("last.png")).await;
        assert!(matches!(refused, Err(RenderError::Video(_))), "{refused:?}");
    }
}

/// Writes into the header of the track that players rotate it clockwise by 90 degrees (ISO/IEC 14496-12, 8.3.2).
fn rotate(video: &Path) {
    let mut bytes = std::fs::read(video).expect("a video");
    let header = bytes.windows(4).position(|window| window == b"tkhd").expect("a track") + 4;
    let matrix: [u32; 9] = [0, 0x0001_0000, 0, 0xffff_0000, 0, 0, 48 << 16, 0, 0x4000_0000];
    for (at, value) in matrix.iter().enumerate() {
        let place = header + 40 + 4 * at;
        bytes[place..place + 4].copy_from_slice(&value.to_be_bytes());
    }
    std::fs::write(video, bytes).expect("a rotated video");
}
